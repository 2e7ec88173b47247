"""The table of crafting states that are shared by the jobs of a run. Changed only together with a migration."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from server.store.metadata import metadata

run_states = Table(
    "run_states",
    metadata,
    Column("run_id", ForeignKey("workflow_runs.id"), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("updated_at", String(32), nullable=False),
    # Sealed by the client under its token: nothing here can read it. Last, so that the other columns cost no more.
    Column("body", LargeBinary, nullable=False),
    # Required materials that it has, as the client counts them; empty where it does not say. Younger than the table,
    # and only asked for when an open run is judged.
    Column("present_count", Integer),
    # Holds what a quota counts.
    Index("ix_run_states_organization", "organization_id", "size_bytes"),
)
