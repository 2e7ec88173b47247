"""Queries of the operator's `doctor`: over all organizations, reading only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, exists, select, text

from chainloop_ci.api.runs import RunState
from chainloop_ci.digests import Digest
from server.store.tables import attestations, metadata, workflow_runs


def check_file(engine: Engine) -> list[str]:
    """Return what is wrong with the database's file, as far as its engine tells, and with its references."""
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            return list(_dangling(connection))
    with engine.connect() as connection:
        integrity = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
        dangling = [
            f"table {row[0]}, row {row[1]}: refers to a row of {row[2]} that is not there"
            for row in connection.execute(text("PRAGMA foreign_key_check"))
        ]
    return [item for item in integrity if item != "ok"] + dangling


def _dangling(connection: Connection) -> Iterator[str]:
    """Return the rows that refer to none; an engine that enforces references lets none in, a restore may."""
    for table in metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            name, referred = constraint.referred_table.name, constraint.referred_table.alias()
            pairs = [(element.parent, referred.c[element.column.name]) for element in constraint.elements]
            query = select(*table.primary_key.columns, *(own for own, _ in pairs)).where(
                *(own.is_not(None) for own, _ in pairs), ~exists().where(*(own == other for own, other in pairs))
            )
            for row in connection.execute(query):
                key = ", ".join(str(part) for part in row)
                yield f"table {table.name}, row {key}: refers to a row of {name} that is not there"


def check_tables(engine: Engine) -> Iterator[str]:
    """Return where the tables differ from those that this server works with."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        for difference in compare_metadata(context, metadata):
            yield " ".join(str(part) for part in _flat(difference))


def illegal_runs(connection: Connection) -> list[str]:
    """Return the ids of runs whose columns contradict each other, the oldest first."""
    runs, opened = workflow_runs.c, RunState.INITIALIZED.value
    unknown = runs.state.not_in([state.value for state in RunState])
    unended = (runs.state.not_in([opened, RunState.EXPIRED.value])) & runs.finished_at.is_(None)
    ended_open = (runs.state == opened) & (runs.finished_at.is_not(None) | runs.attestation_digest.is_not(None))
    unattested = (runs.state == RunState.SUCCESS.value) & runs.attestation_digest.is_(None)
    query = select(runs.id).where(unknown | unended | ended_open | unattested).order_by(runs.sequence)
    return list(connection.execute(query).scalars())


def missing_attestations(connection: Connection) -> list[str]:
    """Return the ids of runs whose attestation's bytes are not there."""
    runs = workflow_runs.c
    joined = workflow_runs.outerjoin(attestations, attestations.c.run_id == runs.id)
    absent = runs.attestation_digest.is_not(None) & attestations.c.digest.is_(None)
    return list(connection.execute(select(runs.id).select_from(joined).where(absent)).scalars())


def list_bundles(connection: Connection) -> Iterator[tuple[Digest, bytes]]:
    """Return every stored attestation with its bytes, one at a time."""
    for row in connection.execute(select(attestations.c.digest, attestations.c.bundle)):
        yield Digest(row.digest), row.bundle


def _flat(difference: Any) -> Iterator[Any]:
    """Return the parts of what alembic says of one difference; those of a column come as a list of tuples."""
    for part in difference:
        if isinstance(part, tuple | list):
            yield from _flat(part)
        else:
            yield part
