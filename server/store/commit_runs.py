"""Queries of the runs about one commit, with what a verdict needs of them and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from server.model.runs import Run
from server.store import run_lists
from server.store.reach import tested
from server.store.tables import attestations, run_materials, verification_keys, workflow_runs

MAX_RUNS = 1000
"""The newest runs of a workflow on a commit that a verdict looks at: GitHub takes no more statuses of one either."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed the attestation of a run."""

    verified: bool
    """A registered key, when it was stored."""
    is_revoked: bool
    """That key was revoked since."""


def list_of_commit(connection: Connection, organization_id: str, workflow_id: str, sha: str) -> list[Run]:
    """Return the runs whose CI job was on the commit, else whose attestation is of it; newest first."""
    place = {"organization": organization_id, "workflow": workflow_id, "commit": sha}
    found = {sequence for query in (_by_job(), _attested()) for sequence in connection.execute(query, place).scalars()}
    return run_lists.load(connection, organization_id, sorted(found, reverse=True)[:MAX_RUNS])


def list_with_digest(
    connection: Connection, organization_id: str, workflow_id: str, digest: str, *, limit: int
) -> list[Run]:
    """Return the newest runs of a workflow among whose attested materials is a digest; newest first."""
    material = run_materials.c
    query = (
        select(material.run_sequence)
        .join(workflow_runs, workflow_runs.c.sequence == material.run_sequence)
        .where(
            material.organization_id == organization_id,
            material.digest == digest,
            # Tested, never the way to the rows: a workflow has more runs than a digest has.
            *tested([workflow_runs.c.workflow_id == workflow_id]),
        )
        .distinct()
        .order_by(material.run_sequence.desc())
        .limit(limit)
    )
    return run_lists.load(connection, organization_id, list(connection.execute(query).scalars()))


def list_signers(connection: Connection, organization_id: str, run_ids: Sequence[str]) -> dict[str, Signer]:
    """Return who signed the attestations of these runs, by run."""
    same_key = (
        verification_keys.c.organization_id == attestations.c.organization_id,
        verification_keys.c.id == attestations.c.key_id,
    )
    query = (
        select(attestations.c.run_id, attestations.c.verified, verification_keys.c.revoked_at)
        .select_from(attestations.outerjoin(verification_keys, same_key[0] & same_key[1]))
        .where(attestations.c.organization_id == organization_id, attestations.c.run_id.in_(run_ids))
    )
    return {row.run_id: Signer(row.verified, row.revoked_at is not None) for row in connection.execute(query)}


@cache
def _by_job() -> Select[Any]:
    """Return the query; made once like the one below, since the dispatcher asks it for every event of a commit."""
    return _of_commit(workflow_runs.c.ci_head_sha == bindparam("commit"))


@cache
def _attested() -> Select[Any]:
    """Return the query of runs whose CI system named no commit: a statement overrules nothing that a job said."""
    columns = workflow_runs.c
    return _of_commit(columns.attested_commit == bindparam("commit"), columns.ci_head_sha.is_(None))


def _of_commit(*conditions: ColumnElement[bool]) -> Select[Any]:
    columns = workflow_runs.c
    own = (columns.organization_id == bindparam("organization"), columns.workflow_id == bindparam("workflow"))
    return select(columns.sequence).where(*own, *conditions).order_by(columns.sequence.desc()).limit(MAX_RUNS)
