"""The tables of the server's own work: counters, sweeps, the audit log; `server.store.tables` has them too."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table, Text, text

from server.store.metadata import metadata

run_durations = Table(
    "run_durations",
    metadata,
    # Counters of finished runs per bucket: a metrics request never counts a million rows.
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("workflow_id", ForeignKey("workflows.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("runner_type", String(64), nullable=False),
    # Upper bound in seconds; 0 stands for +Inf.
    Column("bucket_seconds", Integer, nullable=False),
    Column("runs", BigInteger, nullable=False),
    Column("sum_milliseconds", BigInteger, nullable=False),
    PrimaryKeyConstraint("organization_id", "workflow_id", "state", "runner_type", "bucket_seconds"),
)

counters = Table(
    "counters",
    metadata,
    # What metrics show: each value changes in the transaction of what it counts.
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("label", String(128), nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("organization_id", "name", "label"),
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("started_at", String(32), nullable=False),
    Column("finished_at", String(32)),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("succeeded_at", String(32)),
    # The dispatcher that is at it, and until when nobody else may be.
    Column("holder", String(36)),
    Column("held_until", String(32)),
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("organization_id", ForeignKey("organizations.id")),
    Column("at", String(32), nullable=False),
    Column("token_id", String(36), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("address", String(64), nullable=False, server_default=text("''")),
    Index("ix_audit_organization", "organization_id", "at", "sequence"),
    Index("ix_audit_token", "organization_id", "token_id", "at", "sequence"),
    Index("ix_audit_action", "organization_id", "action", "at", "sequence"),
)

secret_canaries = Table(
    "secret_canaries",
    metadata,
    # One for each key that ever sealed a credential (R44): whoever has all keys can open all of them.
    Column("key_id", String(16), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
)

page_sessions = Table(
    "page_sessions",
    metadata,
    # R47: of the random id in the cookie; the token itself is in no cookie.
    Column("id_sha256", String(64), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("token_id", String(36), nullable=False),
    # Of the secret that was typed: what ends it ends the session.
    Column("secret_sha256", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Index("ix_page_sessions_token", "organization_id", "token_id", "created_at"),
    Index("ix_page_sessions_expiry", "expires_at"),
)
