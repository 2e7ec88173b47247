"""Who was told of new requirements (R38); `server.store.tables` has it too."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Integer, PrimaryKeyConstraint, String, Table

from server.store.metadata import metadata

contract_notices = Table(
    "contract_notices",
    metadata,
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("contract_id", String(36), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("told_at", String(32), nullable=False),
    # The key is what makes it once: of two that tell at the same time, one inserts.
    PrimaryKeyConstraint("contract_id", "revision", "workflow_id"),
    ForeignKeyConstraint(
        ["contract_id", "revision"],
        ["contract_revisions.contract_id", "contract_revisions.revision"],
        name="fk_contract_notices_revision",
    ),
    Index("ix_contract_notices_workflow", "workflow_id"),
)
