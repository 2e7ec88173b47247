"""The tables of what forges told of commits and CI runs, and of what was said of commits.

Changed only together with a migration.
"""

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
    text,
)

from server.store.metadata import metadata

IS_WATCHED = text("holds_until IS NOT NULL")
IS_OPEN_HEAD = text("is_open")

heads = Table(
    "heads",
    metadata,
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("sha", String(64), nullable=False),
    # push, pull_request or merge_group, whatever the forge calls them.
    Column("event", String(32), nullable=False),
    # Number of the pull request; empty: it is none.
    Column("pull_request", String(64), nullable=False),
    Column("branch", Text, nullable=False),
    Column("base_branch", Text),
    Column("is_branch_new", Boolean, nullable=False),
    Column("is_fork", Boolean, nullable=False),
    # A bot's that gets no secrets, as Dependabot's.
    Column("is_bot", Boolean, nullable=False),
    # Null: the forge did not say.
    Column("is_protected", Boolean),
    # JSON list; null: not known yet, or too many.
    Column("changed_paths", Text),
    # JSON object: by path the CI file's text on target and head; null: not asked yet.
    Column("ci_files", Text),
    Column("is_open", Boolean, nullable=False),
    # When the server heard of it; the grace time begins then (R34).
    Column("seen_at", String(32), nullable=False),
    # The forge's own time of what is written here: older news change nothing.
    Column("told_at", String(32), nullable=False),
    # Of a pull request's own branch; null: not asked yet, or it is none.
    Column("is_source_protected", Boolean),
    PrimaryKeyConstraint("source_id", "sha", "event", "pull_request"),
    Index("ix_heads_pull_request", "source_id", "pull_request"),
    # Not by branch: its name may be longer than PostgreSQL takes into an index, and the newest is among the first.
    Index("ix_heads_newest", "source_id", "event", "told_at"),
    Index("ix_heads_open", "source_id", "event", "pull_request", sqlite_where=IS_OPEN_HEAD),
    Index("ix_heads_seen", "organization_id", "seen_at"),
    Index("ix_heads_commit", "organization_id", "sha"),
    Index("ix_heads_told", "told_at"),
)

ci_runs = Table(
    "ci_runs",
    metadata,
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("ci_run_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    # Path of the workflow file; null: the forge did not say.
    Column("ci_file", Text),
    Column("head_sha", String(64), nullable=False),
    Column("is_fork", Boolean, nullable=False),
    Column("event", String(64), nullable=False),
    # queued, running or ended.
    Column("status", String(16), nullable=False),
    # success, failure, canceled, timed-out or skipped; null while it has not ended.
    Column("conclusion", String(16)),
    Column("started_at", String(32)),
    Column("ended_at", String(32)),
    Column("seen_at", String(32), nullable=False),
    Column("told_at", String(32), nullable=False),
    PrimaryKeyConstraint("source_id", "ci_run_id", "attempt"),
    # With the order of its list: else SQLite prefers the primary key, which has that order, and reads every run.
    Index("ix_ci_runs_head", "source_id", "head_sha", "ci_run_id", "attempt"),
    Index("ix_ci_runs_told", "told_at"),
)

ci_jobs = Table(
    "ci_jobs",
    metadata,
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("ci_run_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    # The forge's own number of the job.
    Column("job_id", String(64), nullable=False),
    # With the leg of its matrix.
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("conclusion", String(16)),
    Column("started_at", String(32)),
    Column("ended_at", String(32)),
    Column("told_at", String(32), nullable=False),
    # As the forge and the job itself name it; null: it has none yet, or the forge does not say.
    Column("runner_name", Text),
    PrimaryKeyConstraint("source_id", "ci_run_id", "attempt", "job_id"),
)

commit_verdicts = Table(
    "commit_verdicts",
    metadata,
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("sha", String(64), nullable=False),
    # Name of the status: of a workflow, or the roll-up.
    Column("context", String(255), nullable=False),
    # Null: the roll-up.
    Column("workflow_id", String(36)),
    # Under which its page is found when there is no run (R47).
    Column("id", String(36), nullable=False, unique=True),
    # Counts the changes of what was said.
    Column("version", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("description", Text, nullable=False),
    Column("run_id", String(36)),
    Column("judged_at", String(32), nullable=False),
    Column("changed_at", String(32), nullable=False),
    # When time alone may change it; null: never.
    Column("holds_until", String(32)),
    PrimaryKeyConstraint("source_id", "sha", "context"),
    Index("ix_commit_verdicts_due", "holds_until", sqlite_where=IS_WATCHED),
    Index("ix_commit_verdicts_workflow", "workflow_id", "changed_at"),
    Index("ix_commit_verdicts_organization", "organization_id", "kind", "changed_at"),
    Index("ix_commit_verdicts_commit", "organization_id", "sha"),
    Index("ix_commit_verdicts_recent", "organization_id", "changed_at", "id"),
)

forged_statuses = Table(
    "forged_statuses",
    metadata,
    # R40: under one of our names, and not by us.
    Column("source_id", ForeignKey("sources.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("sha", String(64), nullable=False),
    Column("context", String(255), nullable=False),
    Column("surface", String(16), nullable=False),
    # The forge's own of the status or check run.
    Column("number", String(64), nullable=False),
    Column("state", String(64), nullable=False),
    Column("by", String(255), nullable=False),
    Column("at", String(32), nullable=False),
    # False: ours was told again often enough.
    Column("is_corrected", Boolean, nullable=False),
    PrimaryKeyConstraint("source_id", "sha", "context", "surface", "number"),
    Index("ix_forged_statuses_organization", "organization_id", "at"),
)
