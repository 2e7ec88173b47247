"""Queries of crafting states that the jobs of a run share. The bytes are the client's, sealed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from chainloop_ci.digests import Digest
from server.model.runs import Run
from server.store.run_state_tables import run_states
from server.store.tables import workflow_runs
from server.store.times import to_text


@dataclass(frozen=True, slots=True)
class StoredState:
    """The bytes of a state, and the run that they were sealed for."""

    run_id: str
    digest: Digest
    raw: bytes


def find_digest(connection: Connection, organization_id: str, run_id: str) -> Digest | None:
    """Return the digest of a run's own state, or None."""
    digest = connection.execute(_find_digest(), {"organization": organization_id, "run": run_id}).scalar()
    return Digest(digest) if digest else None


def find_newest(connection: Connection, run: Run) -> StoredState | None:
    """Return the state of a run, or of the nearest before it that has one (R16)."""
    first = run.first_run_id or run.id
    asked = {"organization": run.organization_id, "first": first, "sequence": run.sequence}
    row = connection.execute(_find_newest() if run.first_run_id else _find_own(), asked).first()
    return StoredState(row.run_id, Digest(row.digest), row.body) if row else None


def count_present(connection: Connection, organization_id: str, run_ids: Iterable[str]) -> dict[str, int]:
    """Return how many required materials the states of these runs have, as the client counts them; by run."""
    columns = run_states.c
    own = (columns.organization_id == organization_id, columns.run_id.in_(list(run_ids)))
    query = select(columns.run_id, columns.present_count).where(*own, columns.present_count.is_not(None))
    return {row.run_id: row.present_count for row in connection.execute(query)}


def save(
    connection: Connection,
    run: Run,
    raw: bytes,
    digest: Digest,
    now: datetime,
    *,
    present: int | None,
    is_new: bool,
) -> None:
    """Keep the state of a run in the place of its last one."""
    facts = {
        "digest": digest,
        "size_bytes": len(raw),
        "body": raw,
        "updated_at": to_text(now),
        "present_count": present,
    }
    own = (run_states.c.run_id == run.id, run_states.c.organization_id == run.organization_id)
    if is_new:
        row = {"run_id": run.id, "organization_id": run.organization_id, **facts}
        connection.execute(insert(run_states).values(**row))
    else:
        connection.execute(update(run_states).where(*own).values(**facts))


def sum_bytes(connection: Connection, organization_id: str, *, except_run: str | None = None) -> int:
    """Return how many bytes the states of an organization have; that of one run may be excepted."""
    own = [run_states.c.organization_id == organization_id]
    if except_run:
        own.append(run_states.c.run_id != except_run)
    return int(connection.execute(select(func.sum(run_states.c.size_bytes)).where(*own)).scalar() or 0)


def list_forgettable(connection: Connection, before: datetime, *, limit: int) -> list[str]:
    """Return the runs of all organizations that have a state and ended before `before`."""
    return list(connection.execute(select_forgettable(before).limit(limit)).scalars())


def select_forgettable(before: datetime) -> Select[Any]:
    """Return the query of runs whose state nobody goes on with any more.

    A subquery and not a join: there are few states and perhaps a million runs, and a join may begin with those.
    """
    ended = func.coalesce(workflow_runs.c.finished_at, workflow_runs.c.expires_at)
    of_run = select(ended).where(workflow_runs.c.id == run_states.c.run_id).correlate(run_states).scalar_subquery()
    return select(run_states.c.run_id).where(of_run < to_text(before))


def remove(connection: Connection, run_ids: list[str]) -> None:
    """Forget the states of runs."""
    connection.execute(delete(run_states).where(run_states.c.run_id.in_(run_ids)))


@cache
def _find_digest() -> Select[Any]:
    own = run_states.c.organization_id == bindparam("organization")
    return select(run_states.c.digest).where(run_states.c.run_id == bindparam("run"), own)


@cache
def _find_own() -> Select[Any]:
    own = run_states.c.organization_id == bindparam("organization")
    return _select().where(run_states.c.run_id == bindparam("first"), own)


@cache
def _find_newest() -> Select[Any]:
    runs = workflow_runs.c
    own = run_states.c.organization_id == bindparam("organization")
    chain = (runs.first_run_id == bindparam("first")) | (runs.id == bindparam("first"))
    query = _select().join(workflow_runs, runs.id == run_states.c.run_id)
    return query.where(own, chain, runs.sequence <= bindparam("sequence")).order_by(runs.sequence.desc()).limit(1)


def _select() -> Select[Any]:
    return select(run_states.c.run_id, run_states.c.digest, run_states.c.body)
