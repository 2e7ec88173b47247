"""Which organization has which blob, and which run brought it (R7, R8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from chainloop_ci.api.runs import Artifact
from chainloop_ci.digests import Digest
from server.model.principal import Reach
from server.store.reach import within_table
from server.store.tables import artifacts, organizations, run_artifacts, workflow_runs
from server.store.times import from_text, to_text


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
    held = (artifacts.c.digest == digest) & (artifacts.c.backend == backend)
    return connection.execute(select(artifacts.c.digest).where(held).limit(1)).first() is not None


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
    values = {
        "run_id": entry.run_id,
        "organization_id": entry.organization_id,
        "digest": entry.digest,
        "uploaded": entry.uploaded,
        "filename": entry.filename,
        "at": to_text(entry.at),
    }
    connection.execute(insert(run_artifacts).values(**values))
    return True


def list_of_run(connection: Connection, organization_id: str, run_id: str) -> dict[Digest, HeldArtifact]:
    """Return the blobs that a run uploaded or refers to, by digest."""
    query = (
        select(artifacts, run_artifacts.c.uploaded)
        .join(
            run_artifacts,
            (run_artifacts.c.digest == artifacts.c.digest)
            & (run_artifacts.c.organization_id == artifacts.c.organization_id),
        )
        .where(run_artifacts.c.organization_id == organization_id, run_artifacts.c.run_id == run_id)
    )
    return {Digest(row.digest): HeldArtifact(_record(row), bool(row.uploaded)) for row in connection.execute(query)}


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
