"""Which organization has which blob, and which run brought it (R7, R8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Exists,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)

from chainloop_ci.api.runs import Artifact
from chainloop_ci.digests import Digest
from server.model.paging import Key
from server.model.principal import Reach
from server.model.runs import Run
from server.store.reach import within_table
from server.store.tables import artifacts, organizations, run_artifacts, run_materials, workflow_runs
from server.store.times import from_text, optional_time, to_text


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """A row of `artifacts`."""

    organization_id: str
    digest: Digest
    size_bytes: int
    filename: str
    backend: str
    created_at: datetime
    created_by: str

    def api(self) -> Artifact:
        """Return the wire form."""
        return Artifact(self.digest, self.size_bytes, self.filename, self.created_at)


@dataclass(frozen=True, slots=True)
class HeldArtifact:
    """A blob that a run may count on."""

    stored: StoredArtifact
    uploaded: bool
    """True: this run uploaded the bytes; False: it only refers to them, and gets to know nothing of them (R7)."""


@dataclass(frozen=True, slots=True)
class SweepCandidate:
    """An upload that no sweep has found in an attestation yet, with what decides whether it stays (R8)."""

    artifact: StoredArtifact
    last_uploaded_at: datetime
    is_referenced: bool
    """Whether an attestation of its organization names it."""
    runs_ended_at: datetime | None
    """The latest end of the runs that have it: in the future for an open one; None: no run has it."""

    @property
    def key(self) -> Key:
        """Return its place in the order of `list_candidates`."""
        return (to_text(self.last_uploaded_at), self.artifact.organization_id, self.artifact.digest)


@dataclass(frozen=True, slots=True)
class RunArtifact:
    """A row of `run_artifacts`."""

    run_id: str
    organization_id: str
    digest: Digest
    uploaded: bool
    """True: this run uploaded the bytes; False: it only refers to them."""
    filename: str
    at: datetime


def find(connection: Connection, organization_id: str, digest: str) -> StoredArtifact | None:
    """Return the organization's blob of that digest, or None."""
    own = artifacts.c.organization_id == organization_id
    row = connection.execute(select(artifacts).where(own, artifacts.c.digest == digest)).first()
    return _record(row) if row else None


def is_held(connection: Connection, backend: str, digest: str) -> bool:
    """Tell whether any organization has the blob in that back end: then its bytes have to stay."""
    return bool(list_held(connection, backend, [digest]))


def list_held(connection: Connection, backend: str, digests: Sequence[str]) -> set[str]:
    """Return those of the digests that any organization has in that back end."""
    held = (artifacts.c.digest.in_(digests), artifacts.c.backend == backend)
    return set(connection.execute(select(artifacts.c.digest).where(*held).distinct()).scalars())


def add(connection: Connection, artifact: StoredArtifact) -> None:
    """Insert a blob that was uploaded completely, and count its bytes on the organization's quota."""
    values = {
        "organization_id": artifact.organization_id,
        "digest": artifact.digest,
        "size_bytes": artifact.size_bytes,
        "filename": artifact.filename,
        "backend": artifact.backend,
        "created_at": to_text(artifact.created_at),
        "created_by": artifact.created_by,
        "last_uploaded_at": to_text(artifact.created_at),
    }
    connection.execute(insert(artifacts).values(**values))
    counted = update(organizations).where(organizations.c.id == artifact.organization_id)
    connection.execute(counted.values(used_bytes=organizations.c.used_bytes + artifact.size_bytes))


def add_to_run(connection: Connection, entry: RunArtifact) -> bool:
    """Write down that a run uploaded a blob, or refers to it; tell whether that is new.

    An upload after a reference counts as an upload; a reference after an upload changes nothing.
    """
    own = (run_artifacts.c.organization_id == entry.organization_id, run_artifacts.c.run_id == entry.run_id)
    matches = (*own, run_artifacts.c.digest == entry.digest)
    known = connection.execute(select(run_artifacts.c.uploaded).where(*matches)).first()
    if known and (known.uploaded or not entry.uploaded):
        return False
    if known:
        connection.execute(update(run_artifacts).where(*matches).values(uploaded=True))
        return True
    run = workflow_runs.c
    sequence = select(run.sequence).where(run.organization_id == entry.organization_id, run.id == entry.run_id)
    values = {
        "run_id": entry.run_id,
        "run_sequence": sequence.scalar_subquery(),
        "organization_id": entry.organization_id,
        "digest": entry.digest,
        "uploaded": entry.uploaded,
        "filename": entry.filename,
        "at": to_text(entry.at),
    }
    connection.execute(insert(run_artifacts).values(**values))
    return True


def pass_on(connection: Connection, run: Run, successor: Run) -> None:
    """Give the successor of a run everything that the run uploaded or refers to (R16)."""
    mine = run_artifacts.c
    kept = select(
        literal(successor.id),
        literal(successor.sequence),
        mine.organization_id,
        mine.digest,
        mine.uploaded,
        mine.filename,
        mine.at,
    ).where(mine.organization_id == run.organization_id, mine.run_id == run.id)
    columns = ("run_id", "run_sequence", "organization_id", "digest", "uploaded", "filename", "at")
    connection.execute(insert(run_artifacts).from_select(columns, kept))


def touch(connection: Connection, organization_id: str, digest: str, now: datetime) -> None:
    """Write down that a blob was uploaded once more: its time of grace begins anew (R8)."""
    own = (artifacts.c.organization_id == organization_id, artifacts.c.digest == digest)
    connection.execute(update(artifacts).where(*own).values(last_uploaded_at=to_text(now)))


def largest_of_run(connection: Connection, organization_id: str, run_id: str) -> int:
    """Return the size of the largest blob that a run has uploaded; 0: it uploaded none."""
    same = (run_artifacts.c.organization_id == artifacts.c.organization_id) & (
        run_artifacts.c.digest == artifacts.c.digest
    )
    own = (run_artifacts.c.organization_id == organization_id, run_artifacts.c.run_id == run_id)
    query = select(func.max(artifacts.c.size_bytes)).join(run_artifacts, same).where(*own, run_artifacts.c.uploaded)
    return int(connection.execute(query).scalar() or 0)


def is_uploaded_by(connection: Connection, organization_id: str, run_id: str, digest: str) -> bool:
    """Tell whether a run has uploaded the blob itself."""
    own = (run_artifacts.c.organization_id == organization_id, run_artifacts.c.run_id == run_id)
    query = select(run_artifacts.c.digest).where(*own, run_artifacts.c.digest == digest, run_artifacts.c.uploaded)
    return connection.execute(query).first() is not None


def list_candidates(connection: Connection, *, before: datetime, after: Key | None, limit: int) -> list[SweepCandidate]:
    """Return uploads of all organizations that were sent before `before` and are in no attestation as far as known."""
    order = (artifacts.c.last_uploaded_at, artifacts.c.organization_id, artifacts.c.digest)
    query = (
        select(artifacts, _is_referenced().label("is_referenced"), _runs_ended_at().label("runs_ended_at"))
        # In the words of the partial index.
        .where(text("artifacts.referenced_at IS NULL"), artifacts.c.last_uploaded_at < to_text(before))
        .order_by(*order)
        .limit(limit)
    )
    if after:
        # The first column by itself too: SQLite walks the index by it only.
        query = query.where(artifacts.c.last_uploaded_at >= after[0], tuple_(*order) > tuple_(*after))
    return [
        SweepCandidate(
            artifact=_record(row),
            last_uploaded_at=from_text(row.last_uploaded_at),
            is_referenced=bool(row.is_referenced),
            runs_ended_at=optional_time(row.runs_ended_at),
        )
        for row in connection.execute(query)
    ]


def mark_referenced(connection: Connection, found: Iterable[StoredArtifact], now: datetime) -> None:
    """Write down that attestations name these blobs, so that no sweep looks at them again."""
    for artifact in found:
        own = (artifacts.c.organization_id == artifact.organization_id, artifacts.c.digest == artifact.digest)
        connection.execute(update(artifacts).where(*own).values(referenced_at=to_text(now)))


def remove(connection: Connection, found: Iterable[StoredArtifact]) -> None:
    """Delete blobs from their organizations and give back their quota; the bytes go after the transaction.

    Which runs brought them stays written down.
    """
    for artifact in found:
        own = (artifacts.c.organization_id == artifact.organization_id, artifacts.c.digest == artifact.digest)
        connection.execute(delete(artifacts).where(*own))
        given = update(organizations).where(organizations.c.id == artifact.organization_id)
        connection.execute(given.values(used_bytes=organizations.c.used_bytes - artifact.size_bytes))


def _is_referenced() -> Exists:
    return (
        select(run_materials.c.run_id)
        .where(
            run_materials.c.organization_id == artifacts.c.organization_id,
            run_materials.c.digest == artifacts.c.digest,
        )
        .correlate(artifacts)
        .exists()
    )


def _runs_ended_at() -> ScalarSelect[Any]:
    ended = func.coalesce(workflow_runs.c.finished_at, workflow_runs.c.expires_at)
    return (
        select(func.max(ended))
        .select_from(run_artifacts.join(workflow_runs, workflow_runs.c.id == run_artifacts.c.run_id))
        .where(
            run_artifacts.c.organization_id == artifacts.c.organization_id,
            run_artifacts.c.digest == artifacts.c.digest,
        )
        .correlate(artifacts)
        .scalar_subquery()
    )


def list_of_run(connection: Connection, organization_id: str, run_id: str) -> dict[Digest, HeldArtifact]:
    """Return the blobs that a run uploaded or refers to, by digest."""
    rows = connection.execute(_list_of_run(), {"organization": organization_id, "run": run_id})
    return {Digest(row.digest): HeldArtifact(_record(row), bool(row.uploaded)) for row in rows}


@cache
def _list_of_run() -> Select[Any]:
    """Return the query of a run's blobs; made once, every store asks it."""
    same = (run_artifacts.c.digest == artifacts.c.digest) & (
        run_artifacts.c.organization_id == artifacts.c.organization_id
    )
    own = (run_artifacts.c.organization_id == bindparam("organization"), run_artifacts.c.run_id == bindparam("run"))
    return select(artifacts, run_artifacts.c.uploaded).join(run_artifacts, same).where(*own)


def is_within(connection: Connection, reach: Reach, digest: str, *, uploaded_only: bool) -> bool:
    """Tell whether a run within reach uploaded the blob or, unless `uploaded_only`, refers to it (R8)."""
    query = (
        select(run_artifacts.c.run_id)
        .join(workflow_runs, workflow_runs.c.id == run_artifacts.c.run_id)
        .where(
            run_artifacts.c.organization_id == reach.organization_id,
            run_artifacts.c.digest == digest,
            *within_table(reach, workflow_runs),
        )
        .limit(1)
    )
    if uploaded_only:
        query = query.where(run_artifacts.c.uploaded)
    return connection.execute(query).first() is not None


def _record(row: Row[Any]) -> StoredArtifact:
    return StoredArtifact(
        organization_id=row.organization_id,
        digest=Digest(row.digest),
        size_bytes=row.size_bytes,
        filename=row.filename,
        backend=row.backend,
        created_at=from_text(row.created_at),
        created_by=row.created_by,
    )
