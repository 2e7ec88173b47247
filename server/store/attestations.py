"""Stored attestations: the exact bytes that were received, what the server found out about them, their materials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from chainloop_ci.api.record import from_dict, to_dict
from chainloop_ci.api.runs import ContentPlace, Verification
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.digests import Digest
from server.model.principal import Reach
from server.store.reach import within_table
from server.store.tables import attestations, run_materials, workflow_runs
from server.store.times import from_text, to_text


@dataclass(frozen=True, slots=True)
class StoredAttestation:
    """A row of `attestations`."""

    organization_id: str
    digest: Digest
    run_id: str
    bundle: bytes
    stored_at: datetime
    key_id: str | None
    verified: bool
    verification: Verification
    new_requirements: tuple[NewRequirement, ...] = ()
    """What newer contract revisions asked for when it was stored, and its own did not (R38)."""


@dataclass(frozen=True, slots=True)
class StoredMaterial:
    """A row of `run_materials`: what a list or a describe needs without reading the statement."""

    name: str
    type: str
    digest: str
    stored: ContentPlace
    content_check: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Which run, in which scope, has an attestation."""

    run_id: str
    project_id: str
    workflow_id: str


def add(
    connection: Connection,
    attestation: StoredAttestation,
    materials: tuple[StoredMaterial, ...],
    *,
    run_sequence: int,
) -> None:
    """Insert an attestation with its materials; `run_sequence` is its run's place in the server's order."""
    values = {
        "organization_id": attestation.organization_id,
        "digest": attestation.digest,
        "run_id": attestation.run_id,
        "bundle": attestation.bundle,
        "stored_at": to_text(attestation.stored_at),
        "key_id": attestation.key_id,
        "verified": attestation.verified,
        "verification": json.dumps(to_dict(attestation.verification)),
        "new_requirements": json.dumps([to_dict(item) for item in attestation.new_requirements]),
    }
    connection.execute(insert(attestations), values)
    if materials:
        owner = {
            "run_id": attestation.run_id,
            "organization_id": attestation.organization_id,
            "run_sequence": run_sequence,
        }
        names = ("name", "type", "digest", "stored", "content_check")
        rows = [{**owner, **{name: getattr(entry, name) for name in names}} for entry in materials]
        connection.execute(insert(run_materials), rows)


def find_of_run(connection: Connection, organization_id: str, run_id: str) -> StoredAttestation | None:
    """Return the attestation of a run, or None."""
    row = connection.execute(_select(organization_id).where(attestations.c.run_id == run_id)).first()
    return _record(row) if row else None


def find(connection: Connection, organization_id: str, digest: str) -> tuple[StoredAttestation, Holder] | None:
    """Return an attestation by its digest, with the scope of its run, or None."""
    query = (
        _select(organization_id)
        .add_columns(workflow_runs.c.project_id, workflow_runs.c.workflow_id)
        .join(workflow_runs, workflow_runs.c.id == attestations.c.run_id)
        .where(attestations.c.digest == digest)
    )
    row = connection.execute(query).first()
    return (_record(row), Holder(row.run_id, row.project_id, row.workflow_id)) if row else None


def list_materials(connection: Connection, organization_id: str, run_id: str) -> dict[str, StoredMaterial]:
    """Return the materials of a run by name."""
    own = (run_materials.c.organization_id == organization_id, run_materials.c.run_id == run_id)
    rows = connection.execute(select(run_materials).where(*own))
    return {
        row.name: StoredMaterial(row.name, row.type, row.digest, ContentPlace(row.stored), row.content_check)
        for row in rows
    }


def find_inline_holder(connection: Connection, reach: Reach, digest: str) -> str | None:
    """Return the oldest run within reach whose attestation holds the content of `digest` in itself."""
    query = (
        select(workflow_runs.c.id)
        .join(run_materials, run_materials.c.run_id == workflow_runs.c.id)
        .where(
            run_materials.c.organization_id == reach.organization_id,
            run_materials.c.digest == digest,
            run_materials.c.stored == ContentPlace.INLINE.value,
            *within_table(reach, workflow_runs),
        )
        .order_by(workflow_runs.c.sequence)
        .limit(1)
    )
    row = connection.execute(query).first()
    return str(row.id) if row else None


def _select(organization_id: str) -> Select[Any]:
    return select(attestations).where(attestations.c.organization_id == organization_id)


def _record(row: Row[Any]) -> StoredAttestation:
    return StoredAttestation(
        organization_id=row.organization_id,
        digest=Digest(row.digest),
        run_id=row.run_id,
        bundle=row.bundle,
        stored_at=from_text(row.stored_at),
        key_id=row.key_id,
        verified=row.verified,
        verification=from_dict(Verification, json.loads(row.verification)),
        new_requirements=tuple(from_dict(NewRequirement, item) for item in json.loads(row.new_requirements)),
    )
