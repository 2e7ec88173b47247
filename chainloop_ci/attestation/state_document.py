"""The crafting state as a JSON document: the Go product's CraftingState (reference section 1.4), and back.

Scripts of users read that form. What only this implementation needs stands beside it under `chainloopCi`; a state that
was written by the Go product has no such object and is read all the same. Unknown fields are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from chainloop_ci.attestation.fields import Fields, present
from chainloop_ci.attestation.runner_document import ci_document, read_ci, read_runner_type
from chainloop_ci.attestation.state import (
    CasPin,
    CraftingState,
    GitHead,
    Remote,
    RunnerFacts,
    Session,
    WorkflowPin,
)
from chainloop_ci.attestation.state_materials import material_document, read_material
from chainloop_ci.attestation.times import render_time
from chainloop_ci.contract.types import Contract, ContractSchema, RunnerType
from chainloop_ci.contract.upcoming import Upcoming
from chainloop_ci.digests import Digest
from chainloop_ci.errors import ChainloopError, Finding, StateBrokenError

OWN_FIELD = "chainloopCi"
"""Name of the object that holds what only this implementation writes, in the crafting state and in the predicate."""

_CONTRACT_FIELDS = {ContractSchema.V1: "inputSchema", ContractSchema.V2: "schemaV2"}


_OURS = frozenset(("attestation", *_CONTRACT_FIELDS.values()))
_BEGINNING_BYTES = 256
_NOTHING = b"\0 \t\r\n"


def is_ours(raw: bytes) -> bool:
    """Tell whether a file holds a state or what a crash has left of one; any other file is somebody else's.

    A whole document has one of the objects that every state has. A torn one begins as we, or the Go product, begin; an
    empty file, or one of zeros, holds nothing of anybody.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return _is_torn(raw.strip(_NOTHING))
    return isinstance(document, dict) and not _OURS.isdisjoint(document)


def _is_torn(left: bytes) -> bool:
    beginning = b"".join(left[:_BEGINNING_BYTES].split())
    starts = [f'{{"{name}":{{'.encode() for name in _OURS]
    is_whole = len(left) <= _BEGINNING_BYTES
    return any(beginning.startswith(start) or (is_whole and start.startswith(beginning)) for start in starts)


def to_document(state: CraftingState) -> dict[str, object]:
    """Return the document form of a state."""
    from chainloop_ci.contract.document import to_document as contract_document

    return present(
        {
            _CONTRACT_FIELDS[state.contract.schema]: contract_document(state.contract),
            "attestation": attestation_document(state),
            "dryRun": state.dry_run,
            "uiDashboardUrl": state.session.view_url,
            OWN_FIELD: _own_document(state),
        }
    )


def from_document(document: Mapping[str, object]) -> CraftingState:
    """Return the state that a document describes.

    Raises:
        StateBrokenError: `findings` says everything that is broken.
    """
    findings: list[Finding] = []
    state = _read_state(Fields(document, findings))
    if findings or state is None:
        listed = "; ".join(map(str, findings[:5]))
        raise StateBrokenError(
            f"the crafting state cannot be read: {listed}",
            hint="drop it with `chainloop attestation reset`, or start again with `attestation init --replace`",
            findings=findings,
        )
    return state


def attestation_document(state: CraftingState) -> dict[str, object]:
    """Return the `attestation` object of a state: the part that the workflow subject's digest covers (decision 18)."""
    return present(
        {
            "initializedAt": render_time(state.initialized_at),
            "finishedAt": render_time(state.finished_at) if state.finished_at else None,
            "workflow": _workflow_document(state.pin),
            "materials": {name: material_document(state.materials[name]) for name in sorted(state.materials)},
            "annotations": dict(state.annotations),
            "envVars": {**state.runner.env, **state.env},
            "runnerUrl": state.runner.url,
            "runnerType": state.runner.type.value,
            "head": _head_document(state.head) if state.head else None,
            "runnerEnvironment": present(
                {
                    "workflowFilePath": state.runner.workflow_file_path,
                    "environment": state.runner.environment,
                    "authenticated": state.runner.authenticated,
                    "type": state.runner.type.value,
                    "url": state.runner.url,
                }
            ),
            "auth": present({"type": state.auth_type, "id": state.auth_id}),
            "casBackend": present(
                {
                    "casBackendId": state.cas.id,
                    "casBackendName": state.cas.name,
                    "fallback": state.cas.fallback,
                }
            ),
        }
    )


def _workflow_document(pin: WorkflowPin) -> dict[str, object]:
    version = {"version": pin.project_version, "prerelease": pin.project_version_prerelease}
    return present(
        {
            "name": pin.name,
            "project": pin.project,
            "version": present(version),
            "team": pin.team,
            "workflowId": pin.workflow_id,
            "workflowRunId": pin.run_id,
            # A 64-bit integer of protojson is a text.
            "schemaRevision": str(pin.contract_revision),
            "contractName": pin.contract_name,
            "organization": pin.organization,
        }
    )


def _head_document(head: GitHead) -> dict[str, object]:
    return present(
        {
            "hash": head.hash,
            "authorEmail": head.author_email,
            "authorName": head.author_name,
            "message": head.message,
            "date": render_time(head.date) if head.date else None,
            "remotes": [{"name": remote.name, "url": remote.url} for remote in head.remotes],
            "source": head.source or None,
        }
    )


def _own_document(state: CraftingState) -> dict[str, object]:
    session = state.session
    return present(
        {
            "contractDigest": str(state.pin.contract_digest),
            "controlPlane": session.control_plane,
            "runHandle": session.run_handle,
            "ci": ci_document(session.ci),
            "expiresAt": render_time(session.expires_at) if session.expires_at else None,
            "latestContractRevision": session.latest_contract_revision,
            "shared": session.shared,
            "attempt": session.attempt,
            "offline": session.offline,
            "casMaxBytes": state.cas.max_bytes,
            "calledWorkflow": state.runner.called_workflow,
            "runnerVariables": sorted(state.runner.env),
            "contractVariables": sorted(state.env),
            "skipUpload": sorted(name for name, entry in state.materials.items() if entry.skip_upload),
            "carried": sorted(state.carried),
            "removed": {name: str(state.removed[name]) for name in sorted(state.removed)},
            "upcoming": [_upcoming_document(item) for item in state.upcoming],
        }
    )


def _upcoming_document(item: Upcoming) -> dict[str, object]:
    from chainloop_ci.contract.document import to_document as contract_document

    return {
        "revision": item.revision,
        "enforcedFrom": render_time(item.enforced_from),
        "contract": contract_document(item.contract),
    }


def _read_state(document: Fields) -> CraftingState | None:
    attestation = document.child("attestation")
    own = document.child(OWN_FIELD)
    contract = _read_contract(document)
    skipped = set(own.words("skipUpload"))
    materials = {
        name: read_material(name, entry, name in skipped) for name, entry in attestation.named("materials").items()
    }
    initialized_at = attestation.time("initializedAt")
    if initialized_at is None:
        attestation.report("initializedAt", "expected the time of init, found none", "missing-field")
    runner, env = _read_runner(attestation, own)
    pin = _read_pin(attestation.child("workflow"), own)
    head = _read_head(attestation.child("head")) if "head" in attestation else None
    session = _read_session(document, own)
    finished_at = attestation.time("finishedAt")
    if contract is None or initialized_at is None or document.findings:
        return None
    return CraftingState(
        contract=contract,
        pin=pin,
        initialized_at=initialized_at,
        finished_at=finished_at,
        runner=runner,
        session=session,
        head=head,
        env=env,
        annotations=attestation.texts("annotations"),
        materials={name: material for name, material in materials.items() if material},
        cas=_read_cas(attestation.child("casBackend"), own),
        auth_type=attestation.child("auth").text("type", "AUTH_TYPE_UNSPECIFIED"),
        auth_id=attestation.child("auth").text("id"),
        dry_run=document.flag("dryRun"),
        removed=_read_removed(own.child("removed")),
        carried=frozenset(own.words("carried")),
        upcoming=tuple(item for entry in own.children("upcoming") if (item := _read_upcoming(entry))),
    )


def _read_contract(document: Fields) -> Contract | None:
    from chainloop_ci.contract.document import from_document as read_contract

    name = next((name for name in _CONTRACT_FIELDS.values() if name in document), None)
    if name is None:
        document.report("schemaV2", "expected the contract in `schemaV2` or `inputSchema`, found none", "missing-field")
        return None
    value = document.value(name)
    if not isinstance(value, dict):
        document.report(name, "expected the contract, found no object")
        return None
    try:
        return read_contract(value)
    except ChainloopError as error:
        document.report(name, f"the contract cannot be read: {error.message}")
        document.findings.extend(error.findings)
        return None


def _read_upcoming(entry: Fields) -> Upcoming | None:
    """Return a newer revision; one that cannot be read warns of nothing, and is no reason to stop (R38)."""
    from chainloop_ci.contract.document import from_document as read_contract

    revision, enforced_from = entry.number("revision"), entry.time("enforcedFrom")
    if revision is None or enforced_from is None:
        return None
    try:
        return Upcoming(revision, enforced_from, read_contract(entry.value("contract")))
    except ChainloopError:
        return None


def _read_removed(removed: Fields) -> dict[str, Digest]:
    return {name: digest for name in removed.names() if (digest := removed.digest(name))}


def _read_pin(workflow: Fields, own: Fields) -> WorkflowPin:
    version = workflow.child("version")
    return WorkflowPin(
        name=workflow.require_text("name"),
        project=workflow.text("project"),
        organization=workflow.text("organization"),
        contract_name=workflow.text("contractName"),
        contract_revision=workflow.number("schemaRevision") or 0,
        contract_digest=own.digest("contractDigest") or Digest(""),
        workflow_id=workflow.text("workflowId"),
        run_id=workflow.text("workflowRunId"),
        team=workflow.text("team"),
        project_version=version.text("version") or workflow.text("projectVersion"),
        project_version_prerelease=version.flag("prerelease"),
    )


def _read_runner(attestation: Fields, own: Fields) -> tuple[RunnerFacts, dict[str, str]]:
    environment = attestation.child("runnerEnvironment")
    runner_type = _read_runner_type(attestation, environment)
    variables = attestation.texts("envVars")
    of_runner = set(own.words("runnerVariables"))
    of_contract = set(own.words("contractVariables")) | (variables.keys() - of_runner)
    runner = RunnerFacts(
        type=runner_type,
        url=attestation.text("runnerUrl") or environment.text("url"),
        environment=environment.text("environment", "unknown"),
        env={name: value for name, value in variables.items() if name in of_runner},
        authenticated=environment.flag("authenticated"),
        workflow_file_path=environment.text("workflowFilePath"),
        called_workflow=own.text("calledWorkflow"),
    )
    return runner, {name: value for name, value in variables.items() if name in of_contract}


def _read_runner_type(attestation: Fields, environment: Fields) -> RunnerType:
    text = read_runner_type(attestation.text("runnerType") or environment.text("type"))
    try:
        return RunnerType(text)
    except ValueError:
        attestation.report("runnerType", f"expected a runner type, found {text[:80]!r}")
        return RunnerType.GENERIC


def _read_head(head: Fields) -> GitHead:
    return GitHead(
        hash=head.require_text("hash"),
        author_name=head.text("authorName"),
        author_email=head.text("authorEmail"),
        message=head.text("message"),
        date=head.time("date"),
        remotes=tuple(Remote(entry.text("name"), entry.text("url")) for entry in head.children("remotes")),
        source=head.text("source"),
    )


def _read_session(document: Fields, own: Fields) -> Session:
    return Session(
        control_plane=own.text("controlPlane"),
        run_handle=own.text("runHandle"),
        ci=read_ci(own.child("ci")),
        expires_at=own.time("expiresAt"),
        view_url=document.text("uiDashboardUrl"),
        latest_contract_revision=own.number("latestContractRevision"),
        shared=own.flag("shared"),
        attempt=own.number("attempt"),
        offline=own.flag("offline"),
    )


def _read_cas(backend: Fields, own: Fields) -> CasPin:
    return CasPin(
        id=backend.text("casBackendId"),
        name=backend.text("casBackendName"),
        max_bytes=own.number("casMaxBytes"),
        fallback=backend.flag("fallback"),
    )
