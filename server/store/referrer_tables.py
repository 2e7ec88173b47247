"""The tables of the graph of what refers to what; `tables` has all others and the conventions of all."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, PrimaryKeyConstraint, String, Table, Text

from server.store.metadata import metadata

referrer_nodes = Table(
    "referrer_nodes",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("downloadable", Boolean, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    # Whose word the annotations are; null when they are what several projects agree in.
    Column("facts_project_id", String(36)),
    PrimaryKeyConstraint("organization_id", "digest", "kind"),
)

referrer_facts = Table(
    "referrer_facts",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("downloadable", Boolean, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("attested_at", String(32), nullable=False),
    PrimaryKeyConstraint("organization_id", "project_id", "digest", "kind", "workflow_id"),
)

referrer_edges = Table(
    "referrer_edges",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("from_digest", String(80), nullable=False),
    Column("from_kind", String(64), nullable=False),
    Column("to_digest", String(80), nullable=False),
    Column("to_kind", String(64), nullable=False),
    # The project and workflow that made the edge: a token of another scope does not see it.
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    PrimaryKeyConstraint("organization_id", "from_digest", "from_kind", "to_digest", "to_kind", "workflow_id"),
    # Both ends, so that what refers to a popular digest comes in order. Not the project: with every column in it, a
    # database without statistics would walk this index for the other direction too.
    Index("ix_referrer_edges_back", "organization_id", "to_digest", "to_kind", "from_digest", "from_kind"),
)
