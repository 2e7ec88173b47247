"""A run with everything that the server knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import ContentPlace, RunDetail, RunMaterial
from chainloop_ci.attestation.bundle import read_bundle
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.errors import ServerFaultError
from server.model.overrides import StoredOverride
from server.model.runs import Run
from server.model.trust import limits_of_trust, verification_today
from server.services.run_access import get_pinned_contract
from server.store import attestations, overrides, refusals, runs, verification_keys, workflows
from server.store.attestations import StoredAttestation, StoredMaterial


@dataclass(frozen=True, slots=True)
class _Said:
    """What the stored statement says."""

    materials: tuple[RunMaterial, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    finished_at: datetime | None = None


def describe_run(connection: Connection, run: Run, now: datetime) -> RunDetail:
    """Return the details of a run; what the attestation says is read from its stored bytes."""
    workflow = workflows.find(connection, run.organization_id, run.workflow_id)
    if workflow is None:
        raise ServerFaultError(f"the workflow of workflow run {run.id} is gone")
    contract = get_pinned_contract(connection, run)
    attestation = attestations.find_of_run(connection, run.organization_id, run.id)
    stored = attestations.list_materials(connection, run.organization_id, run.id) if attestation else {}
    said = _read(attestation, stored) if attestation else _Said()
    key_id = attestation.key_id if attestation else None
    signer = verification_keys.find(connection, run.organization_id, key_id) if key_id else None
    found = verification_today(attestation.verification, signer) if attestation else None
    has_policies = bool(contract.policies or contract.policy_groups)
    return RunDetail(
        run=run.api(now, has_requirements=contract.has_requirements),
        workflow=workflow.api(now),
        verification=found,
        verified=bool(attestation and attestation.verified and not (signer and signer.revoked_at)),
        materials=said.materials,
        env=said.env,
        annotations=said.annotations,
        refusals=refusals.list_store_refusals(connection, run.organization_id, run.id),
        policies="not evaluated" if has_policies else "",
        limits_of_trust=limits_of_trust(found, signer) if found else (),
        address=run.created_address,
        successor=runs.find_successor_id(connection, run),
        crafted_at=said.finished_at,
        stored_at=attestation.stored_at if attestation else None,
        overrides=tuple(item.api(now) for item in _find_overrides(connection, run, now)),
        new_requirements=attestation.new_requirements if attestation else (),
    )


def _find_overrides(connection: Connection, run: Run, now: datetime) -> list[StoredOverride]:
    found = overrides.in_force(connection, run.organization_id, [run.workflow_id], run.commit, now)
    if run.distrusted_at is None:
        return found
    return [*found, *overrides.list_distrust(connection, run.organization_id, run.id)]


def read_stored_statement(attestation: StoredAttestation) -> StatementView:
    """Return what a stored attestation says; its bytes were checked when they came."""
    return read_statement(read_bundle(attestation.bundle).payload)


def _read(attestation: StoredAttestation, stored: Mapping[str, StoredMaterial]) -> _Said:
    view = read_stored_statement(attestation)
    materials = []
    for entry in view.materials:
        found = stored.get(entry.name)
        materials.append(
            RunMaterial(
                name=entry.name,
                type=entry.type,
                digest=entry.digest or "",
                filename=entry.filename or "",
                value=entry.value,
                annotations=dict(entry.annotations),
                output=entry.output,
                stored=found.stored if found else ContentPlace.NOT_STORED,
                content_check=found.content_check if found else ContentPlace.NOT_STORED.value,
            )
        )
    return _Said(tuple(materials), dict(view.env), dict(view.annotations), view.finished_at)
