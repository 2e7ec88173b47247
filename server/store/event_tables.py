"""The tables of events, integrations and deliveries. Changed only together with a migration."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
    text,
)

from server.store.metadata import metadata

IS_PENDING = text("state = 'pending'")
IS_NEW = text("fanned_out_at IS NULL")
IS_KEPT = text("removed_at IS NULL")
IS_OF_VERDICT = text("kind = 'verdict.changed'")


def _sequence() -> Column[int]:
    return Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


events = Table(
    "events",
    metadata,
    _sequence(),
    Column("id", String(36), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("project_id", String(36)),
    Column("workflow_id", String(36)),
    Column("run_id", String(36)),
    Column("only_registration_id", String(36)),
    Column("facts", Text, nullable=False),
    # When the dispatcher made deliveries of it; null: not yet.
    Column("fanned_out_at", String(32)),
    Index("ix_events_new", "organization_id", "sequence", sqlite_where=IS_NEW),
    Index("ix_events_organization", "organization_id", "sequence"),
    Index("ix_events_run", "run_id", "sequence"),
    # What was said of one commit under one name, for its page.
    Index("ix_events_verdict", "subject", "sequence", sqlite_where=IS_OF_VERDICT),
)

registrations = Table(
    "registrations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("name", String(63), nullable=False),
    Column("host", Text, nullable=False),
    Column("settings", Text, nullable=False),
    # R44: sealed for organization, registration and host; nothing in the database opens it.
    Column("sealed", Text),
    Column("credential_expires_at", String(32)),
    Column("state", String(16), nullable=False),
    Column("paused_reason", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("open_until", String(32)),
    Column("checked_at", String(32)),
    Column("findings", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("removed_at", String(32)),
    Column("credential_names", Text, nullable=False, server_default=text("'[]'")),
    Column("facts", Text, nullable=False, server_default=text("'{}'")),
    Index(
        "ix_registrations_name",
        "organization_id",
        "name",
        unique=True,
        sqlite_where=IS_KEPT,
    ),
    Index("ix_registrations_organization", "organization_id", "created_at", "id"),
)

registration_repositories = Table(
    "registration_repositories",
    metadata,
    Column("registration_id", ForeignKey("registrations.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("repository_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("registration_id", "host", "repository_id"),
    Index("ix_registration_repositories_place", "host", "repository_id"),
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("registration_id", ForeignKey("registrations.id"), nullable=False),
    Column("project_id", ForeignKey("projects.id")),
    Column("workflow_id", ForeignKey("workflows.id")),
    Column("events", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("created_by", String(36), nullable=False),
    Column("removed_at", String(32)),
    Index("ix_attachments_organization", "organization_id", "created_at", "id"),
    Index("ix_attachments_registration", "registration_id"),
    Index("ix_attachments_workflow", "workflow_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _sequence(),
    Column("id", String(36), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("event_sequence", ForeignKey("events.sequence"), nullable=False),
    Column("registration_id", ForeignKey("registrations.id"), nullable=False),
    # Id of the attachment, or what else the registration is asked for.
    Column("attachment_id", String(80), nullable=False),
    Column("part", String(32), nullable=False),
    Column("lane", Text, nullable=False),
    Column("replaces_older", Boolean, nullable=False),
    Column("content", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("since", String(32)),
    Column("next_attempt_at", String(32), nullable=False),
    Column("holder", String(36)),
    Column("leased_until", String(32)),
    Column("finished_at", String(32)),
    Column("outcome_code", String(64), nullable=False),
    Column("outcome_detail", Text, nullable=False),
    UniqueConstraint("event_sequence", "attachment_id", "part"),
    Index("ix_deliveries_organization", "organization_id", "sequence"),
    Index("ix_deliveries_state", "organization_id", "state", "sequence"),
    Index("ix_deliveries_registration", "registration_id", "sequence"),
    Index(
        "ix_deliveries_due",
        "registration_id",
        "next_attempt_at",
        sqlite_where=IS_PENDING,
    ),
    Index(
        "ix_deliveries_lane",
        "registration_id",
        "lane",
        "sequence",
        sqlite_where=IS_PENDING,
    ),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_sequence", ForeignKey("deliveries.sequence"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", String(32), nullable=False),
    Column("duration_milliseconds", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("holder", String(36), nullable=False),
    PrimaryKeyConstraint("delivery_sequence", "number"),
)

lane_memories = Table(
    "lane_memories",
    metadata,
    # What an integration keeps from one delivery of a lane to the next: the number of a check run, of a comment.
    Column("registration_id", ForeignKey("registrations.id"), nullable=False),
    Column("lane", Text, nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("memory", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("registration_id", "lane"),
)
