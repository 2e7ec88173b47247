"""The tables of what forges list; `server.store.tables` has them too. Changed only together with a migration."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table, Text

from server.store.metadata import metadata

inventories = Table(
    "inventories",
    metadata,
    Column("registration_id", ForeignKey("registrations.id"), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("host", Text, nullable=False),
    # Of the list that is under way; null: none is.
    Column("begun_at", String(32)),
    # Where it goes on, in the integration's words.
    Column("next_page", Text, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("tried_at", String(32)),
    Column("finding", Text, nullable=False),
    # When the last list that was ended had begun; null: none was.
    Column("listed_at", String(32)),
    Column("is_complete", Boolean, nullable=False),
)

forge_repositories = Table(
    "forge_repositories",
    metadata,
    # Whose credential shows it.
    Column("registration_id", ForeignKey("registrations.id"), nullable=False),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("host", Text, nullable=False),
    # The forge's own number.
    Column("repository_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    # As in `sources`: what all spellings of one repository share.
    Column("address_key", Text, nullable=False),
    Column("is_archived", Boolean, nullable=False),
    Column("is_fork", Boolean, nullable=False),
    Column("first_seen_at", String(32), nullable=False),
    # When the list was begun that had it last.
    Column("seen_at", String(32), nullable=False),
    PrimaryKeyConstraint("registration_id", "repository_id"),
    Index("ix_forge_repositories_place", "organization_id", "address_key", "repository_id", "registration_id"),
)
