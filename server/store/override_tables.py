"""What operators have decided against the rules (R39); `server.store.tables` has it too."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text, text

from server.store.metadata import metadata

IS_NOT_ENDED = text("ended_at IS NULL")
"""Nobody has ended it; its own end may have passed."""

overrides = Table(
    "overrides",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    # Of `distrust` only.
    Column("run_id", ForeignKey("workflow_runs.id")),
    # Of `override` only.
    Column("commit_sha", String(64)),
    # What it is about: the workflow, the run, or workflow and commit.
    Column("target", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_at", String(32), nullable=False),
    Column("set_by", String(36), nullable=False),
    # When it ends by itself; null: when somebody ends it.
    Column("until", String(32)),
    Column("ended_at", String(32)),
    Column("ended_by", String(36)),
    Column("ended_reason", Text),
    Index(
        "ix_overrides_in_force",
        "organization_id",
        "kind",
        "target",
        unique=True,
        sqlite_where=IS_NOT_ENDED,
    ),
    Index("ix_overrides_organization", "organization_id", "set_at", "id"),
    Index("ix_overrides_workflow", "workflow_id", "set_at", "id"),
)
