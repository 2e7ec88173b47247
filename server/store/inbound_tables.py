"""The tables of webhooks that came in, and of our App's installations. Changed only together with a migration."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from server.store.metadata import metadata

IS_WAITING = text("outcome = 'received'")

inbound_deliveries = Table(
    "inbound_deliveries",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    # R46: within what a delivery id and a body are the same one: the source, or the App's endpoint.
    Column("scope", String(36), nullable=False),
    Column("receiver", String(16), nullable=False),
    # No foreign key: what came from a source stays when the source goes.
    Column("source_id", String(36)),
    # Null: the sender names none.
    Column("delivery_id", String(64)),
    Column("body_digest", String(71), nullable=False),
    Column("body_bytes", Integer, nullable=False),
    # Compressed by zlib; null: it is not kept.
    Column("body", LargeBinary),
    Column("event", String(64), nullable=False),
    Column("action", String(64)),
    Column("headers", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("address", String(64), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("handled_at", String(32)),
    Column("replays", Integer, nullable=False),
    UniqueConstraint("scope", "delivery_id", name="uq_inbound_deliveries_delivery"),
    UniqueConstraint("scope", "body_digest", name="uq_inbound_deliveries_body"),
    Index("ix_inbound_deliveries_organization", "organization_id", "sequence"),
    Index("ix_inbound_deliveries_source", "source_id", "sequence"),
    Index("ix_inbound_deliveries_waiting", "organization_id", "sequence", sqlite_where=IS_WAITING),
)

app_installations = Table(
    "app_installations",
    metadata,
    # R42: one installation of a forge belongs to one organization.
    Column("host", Text, primary_key=True),
    Column("installation_id", String(64), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("account", String(255), nullable=False),
    Column("bound_by", String(36), nullable=False),
    Column("bound_at", String(32), nullable=False),
    Index("ix_app_installations_organization", "organization_id"),
)
