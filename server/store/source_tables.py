"""The tables of sources; `server.store.tables` has them too."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from server.store.metadata import metadata

sources = Table(
    "sources",
    metadata,
    # It is also the `<source>` of the addresses that the forge's webhooks are sent to.
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    # Base address, in one spelling: https://github.com.
    Column("host", Text, nullable=False),
    Column("repository", Text, nullable=False),
    # What all spellings of one repository share (`SourceAddress.key`).
    Column("address_key", Text, nullable=False),
    # The forge's own id; null until the forge told it to this organization's own credential.
    Column("repository_id", String(64)),
    Column("default_branch", String(255)),
    # Two secrets of the forge's webhook, sealed: both are accepted during a rotation.
    Column("hook_secret", Text),
    Column("previous_hook_secret", Text),
    Column("hook_id", String(64)),
    # Whose credentials read it.
    Column("registration_id", String(36)),
    Column("created_at", String(32), nullable=False),
    # Null: the forge has not told whether anybody may read it.
    Column("is_public", Boolean),
    # R47: statuses may name materials and workflows although anybody reads them.
    Column("names_in_public", Boolean, nullable=False, server_default=false()),
    # Until when the secret before is accepted.
    Column("previous_hook_secret_until", String(32)),
    # R35: heads whose jobs have no secrets pass without an attestation.
    Column("untrusted_heads_pass", Boolean, nullable=False, server_default=false()),
    # R35: GitLab's jobs of unprotected refs lack the token, which is a protected variable.
    Column("token_is_protected", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("organization_id", "kind", "address_key", name="uq_sources_address"),
    Index("ix_sources_organization", "organization_id", "created_at", "id"),
    Index("ix_sources_repository", "organization_id", "repository_id"),
)

workflow_sources = Table(
    "workflow_sources",
    metadata,
    Column("workflow_id", ForeignKey("workflows.id"), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("ci_file", Text, nullable=False),
    # Null: every branch, every event, whenever.
    Column("branch", String(255)),
    Column("event", String(64)),
    # A JSON list of patterns; empty: any file.
    Column("paths", Text, nullable=False),
    Column("cadence_seconds", Integer),
    Column("grace_seconds", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("ix_workflow_sources_source", "source_id"),
)

status_contexts = Table(
    "status_contexts",
    metadata,
    # R44: who posts under a name on a repository; one organization, whatever others register.
    Column("forge", Text, nullable=False),
    Column("repository_id", String(64), nullable=False),
    Column("context", String(255), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    PrimaryKeyConstraint("forge", "repository_id", "context"),
)

source_hooks = Table(
    "source_hooks",
    metadata,
    # Our webhook of a source, as it was asked after and found last; no foreign key: a source may go before its answer.
    Column("source_id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("asked_at", String(32), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("answered_at", String(32)),
    Column("state", String(16)),
    Column("hook_id", String(64)),
    # A JSON list of words.
    Column("differences", Text, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("asked_again", Integer, nullable=False),
)
