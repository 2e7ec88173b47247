"""The table of deployments that wait for the word of a gate; `server.store.tables` has it too."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, String, Table, Text

from server.store.metadata import metadata

gate_requests = Table(
    "gate_requests",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    # Whose credentials answer.
    Column("registration_id", ForeignKey("registrations.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("repository_id", String(64), nullable=False),
    Column("repository", Text, nullable=False),
    Column("ci_run_id", String(128), nullable=False),
    Column("environment", String(255), nullable=False),
    Column("sha", String(64), nullable=False),
    # waiting, approved or rejected.
    Column("state", String(16), nullable=False),
    Column("requested_at", String(32), nullable=False),
    Column("answered_at", String(32)),
    PrimaryKeyConstraint("registration_id", "repository_id", "ci_run_id", "environment"),
    Index("ix_gate_requests_commit", "organization_id", "sha"),
)
