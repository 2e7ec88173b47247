"""Runs migrations on the connection that `server.store.schema` hands over."""

from __future__ import annotations

from alembic import context

from server.store.tables import metadata

_given = context.config.attributes
context.configure(
    connection=_given["connection"],
    target_metadata=metadata,
    transaction_per_migration=not _given["is_empty"],
    # True for SQLite too: our engine begins its transactions itself.
    transactional_ddl=True,
    # SQLite changes a table by copying it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
