"""A run for people and for scripts.

Labels and column heads are those of the 2022 transcript, with more rows; the document is a superset of the Go product's
(`workflowRun`, `workflow`, `attestation`, `verified`: reference section 1.5), whose keys mix cases.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from chainloop_ci.api.record import to_dict
from chainloop_ci.api.runs import RunDetail, RunMaterial, WorkflowRun
from chainloop_ci.api.workflows import ContractRevision, Workflow
from chainloop_ci.attestation.bundle import Bundle, read_bundle
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.view import MaterialView, StatementView
from chainloop_ci.cli.listing import date
from chainloop_ci.cli.status_view import runner_text
from chainloop_ci.cli.table import RULE, Row, Table
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.runners.types import CiIdentity

_BESIDE = (
    *("verification", "refusals", "policies", "limitsOfTrust", "address", "craftedAt", "storedAt"),
    *("newRequirements", "overrides"),
)
"""Parts of the detail that the document has under their own names."""
_TAG = f"{MATERIAL_PREFIX}image.tag"


class RunView:
    """A run, and its attestation read from the exact stored bytes.

    Without them (nothing was stored, or they may not be read) the run shows what the control plane says is in it.
    """

    def __init__(self, detail: RunDetail, raw: bytes | None) -> None:
        self.detail = detail
        self.raw = raw

    @cached_property
    def bundle(self) -> Bundle | None:
        """Return the bundle, None when nothing was stored."""
        return None if self.raw is None else read_bundle(self.raw)

    @cached_property
    def statement(self) -> StatementView | None:
        """Return what the bundle says, None when nothing was stored."""
        return None if self.bundle is None else read_statement(self.bundle.payload)

    @property
    def content_checks(self) -> dict[str, str]:
        """Return what the control plane did with each material's content: `checked`, `not checked: …`."""
        return {material.name: material.content_check for material in self.detail.materials}

    @property
    def contract(self) -> tuple[str, int]:
        """Return name and revision of the contract that the run is pinned to."""
        return self.detail.run.contract, self.detail.run.contract_revision


def state_text(run: WorkflowRun) -> str:
    """Return the state as tables show it; a contract that asks for nothing is met by nobody (R37).

    A late run (R20) and a distrusted one (R39) are called so in whatever state.
    """
    notes = ["no requirements"] if run.state == "success" and not run.has_requirements else []
    notes += ["late"] if run.late else []
    notes += ["distrusted"] if run.distrusted else []
    return f"{run.state} ({', '.join(notes)})" if notes else run.state.value


def commit_of(run: WorkflowRun) -> str:
    """Return the commit that a run is about; a control plane of an older version says only what the CI system named."""
    return run.commit or (run.ci.head_sha if run.ci else None) or ""


# --- tables ----------------------------------------------------------------------------------------------------------


def describe_tables(view: RunView) -> list[Table]:
    """Return what `describe` shows."""
    detail = view.detail
    tables = [Table(_summary(view), title="Workflow")]
    if job := _ci_rows(detail.run.ci):
        tables.append(Table(job, title="CI job, as the job told it"))
    materials = view.statement.materials if view.statement else detail.materials
    if materials:
        tables.append(_materials(view, materials))
    if detail.annotations:
        tables.append(Table(sorted(detail.annotations.items()), title="Annotations", header=("Name", "Value")))
    env = view.statement.env if view.statement else detail.env
    if env:
        rows: list[Row] = [*env.items()]
        tables.append(Table(rows, title="Environment Variables", header=("Name", "Value")))
    if detail.verification is not None:
        rows = [(name, line["result"], line["reason"]) for name, line in to_dict(detail.verification).items()]
        tables.append(Table(rows, title="Verification by the control plane", header=("What", "Result", "Why")))
    if detail.refusals:
        rows = [
            (date(refusal.at), finding.code, " ".join(filter(None, (finding.path, finding.message))))
            for refusal in detail.refusals
            for finding in refusal.findings
        ]
        tables.append(Table(rows, title="Refused attestations", header=("At", "Code", "Finding")))
    if detail.new_requirements:
        rows = [(date(new.enforced_from), str(new.revision), new.message) for new in detail.new_requirements]
        tables.append(Table(rows, title="What newer revisions require besides", header=("From", "Revision", "What")))
    if detail.overrides:
        rows = [
            (item.kind, date(item.set_at), date(item.until), item.set_by_name, item.reason) for item in detail.overrides
        ]
        header = ("Kind", "Since", "Until", "By", "Reason")
        tables.append(Table(rows, title="Decisions of operators", header=header))
    if detail.limits_of_trust:
        tables.append(Table([(line,) for line in detail.limits_of_trust], title="What this does not prove"))
    return tables


def _summary(view: RunView) -> list[Row]:
    run, workflow = view.detail.run, view.detail.workflow
    return [
        ("ID", workflow.id),
        ("Name", workflow.name),
        ("Team", workflow.team),
        ("Project", workflow.project),
        RULE,
        ("Workflow Run", ""),
        RULE,
        ("ID", run.id),
        ("Initialized At", date(run.created_at)),
        *_given(*_of_run(view.detail)),
        RULE,
        ("Statement", ""),
        RULE,
        *_given(*_of_statement(view)),
    ]


def _of_run(detail: RunDetail) -> list[Row]:
    run = detail.run
    is_newest = run.contract_revision_latest <= run.contract_revision
    newest = "" if is_newest else f" (newest: {run.contract_revision_latest})"
    return [
        ("Finished At", date(run.finished_at)),
        ("State", state_text(run)),
        *(_late_rows(detail) if run.late else ()),
        ("Reason", run.reason),
        ("Expires At", date(run.expires_at) if run.state == "initialized" else ""),
        ("Contract", f"{run.contract} (revision {run.contract_revision}){newest}"),
        ("Project Version", run.project_version),
        ("Runner Type", runner_text(run.runner_type)),
        ("Runner Link", run.runner_url),
        ("Runner Environment", run.runner_environment if run.runner_environment != "unknown" else ""),
        ("Commit", commit_of(run)),
        ("Begun With", run.token_name),
        ("Begun From", detail.address),
        ("Goes On With", run.successor_of or ""),
        ("Gone On With By", detail.successor or ""),
        ("Policies", detail.policies),
    ]


def _of_statement(view: RunView) -> list[Row]:
    runner = view.statement.runner if view.statement else None
    return [
        ("Digest", view.detail.run.attestation_digest or ""),
        ("Payload Type", view.bundle.payload_type if view.bundle else ""),
        ("Workflow File", runner.workflow_file_path if runner else ""),
        ("Called Workflow", runner.called_workflow if runner else ""),
        ("Verified", str(view.detail.verified).lower()),
        ("View URL", view.detail.run.view_url),
    ]


def _late_rows(detail: RunDetail) -> list[Row]:
    """Return what a late run is told apart by (R20): what its job says of the time, and what is known."""
    rows: list[Row] = []
    if detail.crafted_at:
        rows.append(("Crafted At", f"{date(detail.crafted_at)}, by the job's clock"))
    if detail.stored_at:
        rows.append(("Stored At", f"{date(detail.stored_at)}, by the control plane's clock"))
    return rows


def _ci_rows(ci: CiIdentity | None) -> list[Row]:
    """Return what the CI system said of the job; empty off CI."""
    if ci is None or ci.provider == "none":
        return []
    return _given(
        ("CI System", ci.provider),
        ("Server", ci.server_url or ""),
        ("Repository", ci.repository or ""),
        ("Event", ci.event or ""),
        ("Ref", ci.ref or ""),
        ("Head Commit", ci.head_sha or ""),
        ("Pull Request", ci.pull_request or ""),
        ("CI Run", ci.run_id or ""),
        ("Attempt", "" if ci.run_attempt is None else str(ci.run_attempt)),
        ("Job", ci.job or ""),
        ("Matrix Leg", ci.job_index or ""),
        ("Runner Name", ci.runner_name or ""),
    )


def _materials(view: RunView, materials: Sequence[MaterialView | RunMaterial]) -> Table:
    checks = view.content_checks
    is_known = any(checks.values())  # a control plane of an older version says nothing
    rows: list[Row] = [
        (item.name, item.type, material_value(item), *((checks.get(item.name, ""),) * is_known)) for item in materials
    ]
    return Table(rows, title="Materials", header=("Name", "Type", "Value", *(("Content",) * is_known)))


def _given(*rows: Row) -> list[Row]:
    return [row for row in rows if row[1]]


def material_value(material: MaterialView | RunMaterial) -> str:
    """Return what a table shows of a material: its text, or its file with the digest."""
    if material.value is not None:
        return material.value
    return f"{material.filename or ''}@{material.digest}" if material.digest else material.filename or ""


# --- documents -------------------------------------------------------------------------------------------------------


def list_document(run: WorkflowRun) -> dict[str, Any]:
    """Return one run of a list."""
    workflow = {"name": run.workflow, "id": run.workflow_id, "team": run.team, "project": run.project}
    return _run_document(run, workflow)


def describe_document(view: RunView, contract: ContractRevision) -> dict[str, Any]:
    """Return what `describe -o json` prints."""
    workflow = _workflow_document(view.detail.workflow)
    own = to_dict(view.detail)
    return {
        "workflowRun": {
            **_run_document(view.detail.run, workflow),
            "contractVersion": _contract_document(contract),
        },
        "workflow": workflow,
        "attestation": None if view.bundle is None else _attestation_document(view, view.bundle),
        "verified": view.detail.verified,
        **{name: own[name] for name in _BESIDE if name in own},
    }


def _run_document(run: WorkflowRun, workflow: Mapping[str, Any]) -> dict[str, Any]:
    version = {"id": "", "version": run.project_version, "prerelease": False, "markAsRelease": False}
    return {
        **to_dict(run),
        "workflow": workflow,
        "contractRevisionUsed": run.contract_revision,
        "contractRevisionLatest": run.contract_revision_latest,
        "projectVersion": version,
        "policyStatus": "not evaluated",
    }


def _workflow_document(workflow: Workflow) -> dict[str, Any]:
    return to_dict(workflow)


def _contract_document(contract: ContractRevision) -> dict[str, Any]:
    body = contract.document.get("spec", contract.document)
    flat = {name: value for name, value in body.items() if name != "schemaVersion"} if isinstance(body, dict) else {}
    return {
        "id": contract.digest,
        "name": contract.name,
        "revision": contract.revision,
        "description": "",
        "createdAt": to_dict(contract)["createdAt"],
        "bodyV1": {"schema_version": "v1", **flat},
        "rawBody": {
            "body": base64.b64decode(contract.raw_body).decode("utf-8", "replace"),
            "format": f"FORMAT_{contract.format.name}",
        },
        "document": contract.document,
    }


def _attestation_document(view: RunView, bundle: Bundle) -> dict[str, Any]:
    statement = view.statement
    return {
        "envelope": {
            "payloadType": bundle.payload_type,
            "payload": base64.b64encode(bundle.payload).decode(),
            "signatures": [
                {"keyid": item.key_id, "sig": base64.b64encode(item.value).decode()} for item in bundle.signatures
            ],
        },
        "bundle": base64.b64encode(view.raw or b"").decode(),
        "materials": [
            {**material_document(item), "contentCheck": view.content_checks.get(item.name, "")}
            for item in (statement.materials if statement else ())
        ],
        "envvars": named_values(statement.env if statement else {}),
        "annotations": named_values(statement.annotations if statement else {}),
        "digest": bundle.digest,
        "policy_evaluation_status": {
            "strategy": statement.policy.strategy if statement else "",
            "bypassed": statement is not None and statement.policy.bypassed,
            "blocked": statement is not None and statement.policy.blocked,
            "has_violations": statement is not None and statement.policy.has_violations,
            "has_gated_violations": statement is not None and statement.policy.has_gated_violations,
        },
        "attestation_view_url": view.detail.run.view_url,
    }


def material_document(material: MaterialView) -> dict[str, Any]:
    """Return a material with the keys of the Go product."""
    raw = {} if material.value is None else {"raw_value": base64.b64encode(material.content or b"").decode()}
    stored = {f"{MATERIAL_PREFIX}cas": "true"} if material.uploaded else {}
    facts = {f"{MATERIAL_PREFIX}name": material.name, f"{MATERIAL_PREFIX}type": material.type}
    return {
        "name": material.name,
        "value": material.value or "",
        **raw,
        "hash": material.digest or "",
        "tag": material.annotations.get(_TAG, ""),
        "filename": material.filename or "",
        "type": material.type,
        "annotations": named_values({**material.annotations, **stored, **facts}),
        "uploadedToCAS": material.uploaded,
        "embeddedInline": material.inline,
        "isOutput": material.output,
    }


def named_values(texts: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a map as the Go product writes it: objects with `name` and `value`, sorted."""
    return [{"name": name, "value": texts[name]} for name in sorted(texts)]
