"""The tables of tokens and verification keys; `server.store.tables` has them too."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from server.store.metadata import metadata

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id")),
    Column("name", String(63), nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("role", String(16), nullable=False),
    Column("project_id", ForeignKey("projects.id")),
    Column("workflow_id", ForeignKey("workflows.id")),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    # R6: after a rotation the old secret works until its overlap ends; its digest stays, so that it is told so.
    Column("previous_secret_sha256", String(64), unique=True),
    Column("previous_expires_at", String(32)),
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
    Column("last_used_at", String(32)),
    Column("last_used_address", String(64)),
    Column("rotated_at", String(32)),
    UniqueConstraint("organization_id", "name"),
)

verification_keys = Table(
    "verification_keys",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("id", String(71), nullable=False),
    Column("name", String(63), nullable=False),
    Column("algorithm", String(32), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("organization_wide", Boolean, nullable=False, default=False),
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("valid_from", String(32), nullable=False),
    Column("retired_at", String(32)),
    Column("revoked_at", String(32)),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "name"),
)

verification_key_scopes = Table(
    "verification_key_scopes",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("key_id", String(71), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    # Null: every workflow of the project.
    Column("workflow_id", ForeignKey("workflows.id")),
    UniqueConstraint("organization_id", "key_id", "project_id", "workflow_id", name="uq_key_scope"),
)
