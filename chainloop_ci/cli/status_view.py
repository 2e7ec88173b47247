"""The status of an attestation: tables for people, a document for scripts.

Labels and column heads are those of the 2022 transcript, with more rows; the document is a superset of the Go product's
(`AttestationStatusResult`, reference section 1.3), whose keys mix cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from chainloop_ci.attestation.state import CraftedMaterial, WorkflowPin
from chainloop_ci.attestation.state_materials import SIZE_ANNOTATION
from chainloop_ci.attestation.times import render_time
from chainloop_ci.cli.table import RULE, Row, Table
from chainloop_ci.contract.types import Contract, RunnerType
from chainloop_ci.contract.upcoming import NewRequirement
from chainloop_ci.crafting.status import AttestationStatus, MaterialStatus, find_expiry
from chainloop_ci.errors import RunnerMismatchError


def render_date(moment: datetime) -> str:
    """Return a time as tables show it (RFC 822): `28 Oct 22 21:02 UTC`."""
    return f"{moment:%d %b %y %H:%M} UTC"


def runner_text(runner_type: str, *, authenticated: bool = False) -> str:
    """Return a runner type as tables show it, with what it rests on (design decision 9)."""
    proof = "authenticated" if authenticated else "claimed"
    if runner_type == RunnerType.GENERIC:
        return f"{RunnerMismatchError.NOWHERE} ({runner_type}, {proof})"
    return f"{runner_type} ({proof})"


# --- tables


def status_tables(status: AttestationStatus, *, full: bool, advice: Callable[[str], str] = str) -> list[Table]:
    """Return what `init` and `status` show; `advice` words what to do as the job types it."""
    state = status.state
    tables = [_summary(status, advice), _materials(status, full)]
    if full and (rows := _annotation_rows(status)):
        tables.append(Table(rows, title="Annotations", header=("Material", "Name", "Value")))
    if state.env:
        tables.append(Table(list(state.env.items()), title="Env Variables"))
    if full and state.runner.env:
        tables.append(Table(list(state.runner.env.items()), title="Runner Context"))
    if status.missing:
        rows = [(finding.message, advice(finding.hint or "")) for finding in status.missing]
        tables.append(Table(rows, title="Missing", header=("What", "What to type"), whole=frozenset({1})))
    if status.new_requirements:
        tables.append(_new_requirements(status.new_requirements, advice))
    return tables


def _new_requirements(found: Sequence[NewRequirement], advice: Callable[[str], str]) -> Table:
    rows = [
        (render_date(item.enforced_from), str(item.revision), item.message, advice(item.hint or "")) for item in found
    ]
    header = ("From", "Revision", "What", "What to type")
    return Table(rows, title="Will be required", header=header, whole=frozenset({3}))


def _summary(status: AttestationStatus, advice: Callable[[str], str]) -> Table:
    state, pin = status.state, status.state.pin
    newest = state.session.latest_contract_revision
    revision = str(pin.contract_revision) + (
        f" (newest: {newest})" if newest and newest > pin.contract_revision else ""
    )
    rows = (
        ("Workflow", pin.workflow_id),
        ("Name", pin.name),
        ("Team", pin.team),
        ("Project", pin.project),
        ("Contract Revision", revision),
        ("Contract", pin.contract_name),
        ("Project Version", pin.project_version),
        ("Organization", pin.organization),
        ("Attestation ID", pin.run_id),
        ("Attestation Digest", status.digest),
        ("Runner Type", runner_text(state.runner.type, authenticated=state.runner.authenticated)),
        ("Runner URL", state.runner.url),
        ("Commit", state.head.hash if state.head else ""),
        ("Annotations", ", ".join(f"{name}={value}" for name, value in sorted(state.annotations.items()))),
        ("Dry Run", "yes: nothing is stored" if state.dry_run else ""),
        ("Expires At", advice(_expiry(status))),
        ("Contract Met", _verdict(status)),
        ("Attestation View URL", status.view_url),
    )
    always = ("Name", "Project", "Contract Revision")
    filled = [row for row in rows if row[1] or row[0] in always]
    return Table([("Initialized At", render_date(state.initialized_at)), RULE, *filled])


def _expiry(status: AttestationStatus) -> str:
    expires_at = find_expiry(status.state)
    if expires_at is None:
        return ""
    over = ": expired; begin again with `chainloop attestation init --replace`" if status.expired else ""
    return render_date(expires_at) + over


def _verdict(status: AttestationStatus) -> str:
    if status.missing:
        return f"No: {len(status.missing)} missing or wrong"
    # R37: a contract that asks for nothing is not met by anybody.
    return "Yes" if status.state.contract.has_requirements else "no requirements"


def _materials(status: AttestationStatus, full: bool) -> Table:
    grouped = any(line.entry and line.entry.group for line in status.materials)
    header = ("Name", "Type", "Set", "Required", "Is output", *(("Group",) * grouped), *(("Value",) * full))
    rows = [_material_row(line, grouped, full) for line in status.materials]
    return Table(rows, title="Materials", header=header)


def _material_row(line: MaterialStatus, grouped: bool, full: bool) -> Row:
    group = (line.entry.group or "") if line.entry else ""
    return (
        line.name,
        line.type,
        "Yes" if line.material else "No",
        "Yes" if line.required else "No",
        "x" if line.output else "",
        *((group,) * grouped),
        *((render_value(line.material) if line.material else "",) * full),
    )


def render_value(material: CraftedMaterial) -> str:
    """Return a material's value as tables show it: the text, or `name@sha256:…`."""
    return material.value if material.value is not None else f"{material.filename or ''}@{material.digest}"


def _annotation_rows(status: AttestationStatus) -> list[Row]:
    return [
        (line.name, name, value or "[NOT SET]")
        for line in status.materials
        for name, value in sorted(_annotations(line).items())
    ]


# --- document


def status_document(status: AttestationStatus) -> dict[str, object]:
    """Return what `-o json` prints."""
    state, pin, runner = status.state, status.state.pin, status.state.runner
    expires_at = find_expiry(state)
    return {
        "attestationID": pin.run_id,
        "initializedAt": render_time(state.initialized_at),
        "workflowMeta": _workflow_document(pin),
        "materials": [_line_document(line) for line in status.materials],
        "envVars": dict(state.env),
        "runnerContext": {
            "EnvVars": dict(runner.env),
            "JobURL": runner.url,
            "RunnerType": runner.type.value,
            "RawRunner": {},
            "Environment": runner.environment,
            "Authenticated": runner.authenticated,
        },
        "dryRun": state.dry_run,
        "annotations": _pairs(state.annotations),
        "isPushed": status.pushed,
        "has_policy_violations": False,
        "must_block_on_policy_violations": False,
        "timestamp_authority": "",
        "attestation_view_url": status.view_url,
        "digest": status.digest,
        "terminal_output": None,
        "compliance": {
            "met": status.compliant,
            "hasRequirements": state.contract.has_requirements,
            "missing": [finding.to_dict() for finding in status.missing],
            "newRequirements": [requirement_document(item) for item in status.new_requirements],
        },
        "commit": state.head.hash if state.head else None,
        "expiresAt": render_time(expires_at) if expires_at else None,
        "expired": status.expired,
        "contractRevisionLatest": state.session.latest_contract_revision,
    }


def requirement_document(item: NewRequirement) -> dict[str, object]:
    """Return what a newer contract revision asks for, as scripts read it (R38)."""
    fields = {"code": item.code, "message": item.message, "path": item.path, "hint": item.hint}
    given = {name: text for name, text in fields.items() if text}
    return {"revision": item.revision, "enforcedFrom": render_time(item.enforced_from), **given}


def _workflow_document(pin: WorkflowPin) -> dict[str, object]:
    version = {"version": pin.project_version, "prerelease": pin.project_version_prerelease}
    return {
        "WorkflowID": pin.workflow_id,
        "Name": pin.name,
        "Team": pin.team,
        "Project": pin.project,
        "ContractRevision": str(pin.contract_revision),
        "ContractName": pin.contract_name,
        "Organization": pin.organization,
        "ProjectVersion": version if pin.project_version else None,
    }


def _line_document(line: MaterialStatus) -> dict[str, object]:
    material, entry = line.material, line.entry
    image = material.image if material else None
    return {
        "name": line.name,
        "value": "" if material is None else material.value if material.value is not None else material.filename or "",
        "hash": str(material.digest) if material else "",
        "tag": image.tag if image else "",
        "filename": material.filename or "" if material and image is None else "",
        "type": line.type.value,
        "annotations": _pairs(_annotations(line)),
        "uploadedToCAS": bool(material and material.uploaded),
        "embeddedInline": bool(material and material.inline is not None),
        "Set": material is not None,
        "IsOutput": line.output,
        "Required": line.required,
        "SkipUpload": line.skip_upload,
        "group": (entry.group or "") if entry else "",
    }


def material_document(material: CraftedMaterial, contract: Contract) -> dict[str, object]:
    """Return one added material as `add -o json` prints it: as `status` does."""
    return _line_document(MaterialStatus(material.name, material.type, contract.find_material(material.name), material))


def _annotations(line: MaterialStatus) -> dict[str, str]:
    declared = {entry.name: entry.value for entry in line.entry.annotations} if line.entry else {}
    if line.material is None:
        return declared
    size = {} if line.material.size_bytes is None else {SIZE_ANNOTATION: str(line.material.size_bytes)}
    return {**declared, **line.material.annotations, **size}


def _pairs(annotations: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": annotations[name]} for name in sorted(annotations)]
