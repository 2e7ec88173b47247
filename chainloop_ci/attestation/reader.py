"""Read a statement from its signed bytes: Statement v0.1 and v1, predicate v0.1 (2022) and v0.2.

The bytes are parsed once and strictly (R10); unknown fields are ignored. Source: reference sections 5.1, 5.2 and 16.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from chainloop_ci.attestation.fields import Fields
from chainloop_ci.attestation.predicate import PREDICATE_TYPE
from chainloop_ci.attestation.runner_document import read_ci, read_runner_type
from chainloop_ci.attestation.state import GitHead, Remote
from chainloop_ci.attestation.state_document import OWN_FIELD
from chainloop_ci.attestation.statement import STATEMENT_TYPE
from chainloop_ci.attestation.strict_json import MAX_DOCUMENT_BYTES, parse_strict
from chainloop_ci.attestation.subject import GIT_HEAD
from chainloop_ci.attestation.times import parse_time
from chainloop_ci.attestation.view import MaterialView, PolicyView, RunnerView, StatementView, SubjectView
from chainloop_ci.contract.annotations import MATERIAL_PREFIX
from chainloop_ci.contract.limits import MAX_MATERIALS
from chainloop_ci.errors import Finding, Findings, JsonInvalidError, StatementInvalidError

OLD_PREDICATE_TYPE = "chainloop.dev/attestation/v0.1"
"""The predicate of 2022, still read."""

STATEMENT_TYPES = (STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1")
"""The statement forms that are read."""

MAX_PARTS = 500_000
"""Texts, commas and brackets of a statement: 1 000 materials with 50 annotations each have fewer."""

_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_NAME, _TYPE, _SIZE, _CAS, _INLINE = (MATERIAL_PREFIX + name for name in ("name", "type", "size", "cas", "cas.inline"))


def read_statement(payload: bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> StatementView:
    """Return what a statement says.

    Raises:
        StatementInvalidError: `findings` lists everything that cannot be read.
        LimitExceededError: more than `max_bytes`.
    """
    findings = Findings()
    try:
        document = Fields(parse_strict(payload, max_bytes=max_bytes, max_parts=MAX_PARTS), findings)
    except JsonInvalidError as error:
        raise _refusal(error.findings) from error
    _check_types(document)
    if findings:
        raise _refusal(findings)
    view = _read(document)
    if findings:
        raise _refusal(findings)
    return view


def _refusal(findings: Sequence[Finding]) -> StatementInvalidError:
    listed = "; ".join(map(str, findings[:5]))
    more = f", and {len(findings) - 5} more" if len(findings) > 5 else ""
    return StatementInvalidError(
        f"the signed payload is not a statement that can be read: {listed}{more}", findings=findings
    )


def _check_types(document: Fields) -> None:
    statement_type, predicate_type = document.text("_type"), document.text("predicateType")
    if statement_type not in STATEMENT_TYPES:
        document.report("_type", f"expected {STATEMENT_TYPE}, found {statement_type[:120]!r}", "statement-type")
    if predicate_type not in (PREDICATE_TYPE, OLD_PREDICATE_TYPE):
        document.report("predicateType", f"expected {PREDICATE_TYPE}, found {predicate_type[:120]!r}", "predicate-type")


def _read(document: Fields) -> StatementView:
    predicate = document.child("predicate")
    metadata, own = predicate.child("metadata"), predicate.child(OWN_FIELD)
    # Outputs, and two more: the workflow and the commit.
    subject_fields = _few(document, "subject", MAX_MATERIALS + 2)
    subjects = tuple(_read_subject(entry) for entry in subject_fields)
    materials = _read_materials(document, predicate, subjects)
    _check_outputs(document, subjects, materials)
    return StatementView(
        statement_type=document.text("_type"),
        predicate_type=document.text("predicateType"),
        workflow_name=metadata.text("workflowName") or metadata.require_text("name"),
        run_id=metadata.text("workflowRunID"),
        name=metadata.text("name"),
        workflow_id=metadata.text("workflowID"),
        project=metadata.text("project"),
        project_version=metadata.text("projectVersion"),
        project_version_prerelease=metadata.flag("projectVersionPrerelease"),
        team=metadata.text("team"),
        organization=metadata.text("organization"),
        contract_name=metadata.text("contractName"),
        contract_revision=metadata.number("contractVersion"),
        contract_digest=own.digest("contractDigest"),
        initialized_at=metadata.time("initializedAt"),
        finished_at=metadata.time("finishedAt"),
        builder_id=predicate.child("builder").text("id"),
        runner=_read_runner(predicate),
        ci=read_ci(own.child("ci")) if "ci" in own else None,
        head=_read_head(subject_fields),
        subjects=subjects,
        materials=materials,
        env=predicate.texts("env"),
        annotations=predicate.texts("annotations"),
        auth_type=predicate.child("auth").text("type"),
        auth_id=predicate.child("auth").text("id"),
        cas_id=predicate.child("casBackend").text("casBackendID"),
        cas_name=predicate.child("casBackend").text("casBackendName"),
        policy=_read_policy(predicate),
    )


def _read_runner(predicate: Fields) -> RunnerView:
    return RunnerView(
        type=read_runner_type(predicate.text("runnerType")),
        url=predicate.text("runnerURL"),
        environment=predicate.text("runnerEnvironment"),
        authenticated=predicate.flag("runnerAuthenticated"),
        workflow_file_path=predicate.text("runnerWorkflowFilePath"),
        called_workflow=predicate.child(OWN_FIELD).text("calledWorkflow"),
    )


def _read_policy(predicate: Fields) -> PolicyView:
    return PolicyView(
        strategy=predicate.text("policyCheckBlockingStrategy"),
        evaluations=predicate.number("policyEvaluationsCount") or 0,
        violations=predicate.number("policyViolationsCount") or 0,
        has_violations=predicate.flag("policyHasViolations"),
        has_gated_violations=predicate.flag("policyHasGatedViolations"),
        blocked=predicate.flag("policyAttBlocked"),
        bypassed=predicate.flag("policyBlockBypassEnabled"),
    )


def _read_subject(subject: Fields) -> SubjectView:
    name = subject.require_text("name")
    annotations = _scalar_annotations(subject)
    return SubjectView(
        name=name,
        digests=subject.texts("digest"),
        annotations=annotations,
        material_name=annotations.get(_NAME),
    )


def _scalar_annotations(holder: Fields) -> dict[str, str]:
    """Return annotations as texts; those of the commit hold a list of remotes, which is read elsewhere."""
    annotations = holder.child("annotations")
    kept = {
        name: annotations.value(name) for name in annotations.names() if not isinstance(annotations.value(name), list)
    }
    return Fields({"annotations": kept}, holder.findings, holder.path).texts("annotations")


def _read_head(subjects: list[Fields]) -> GitHead | None:
    fields = next((entry for entry in subjects if entry.text("name") == GIT_HEAD), None)
    if fields is None:
        return None
    digest, annotations = fields.child("digest"), fields.child("annotations")
    commit = digest.text("sha1") or digest.text("sha256")
    if not _COMMIT.match(commit):
        digest.report("sha1", f"expected a commit's 40 or 64 hexadecimal digits, found {commit[:80]!r}")
    date = annotations.text("date")
    try:
        moment = parse_time(date) if date else None
    except ValueError:
        moment = None  # the author's clock is nobody's to check; the text stays among the subject's annotations
    return GitHead(
        hash=commit,
        author_name=annotations.text("author.name"),
        author_email=annotations.text("author.email"),
        message=annotations.text("message"),
        date=moment,
        remotes=tuple(Remote(entry.text("name"), entry.text("url")) for entry in annotations.children("remotes")),
        source=annotations.text("source"),
    )


def _read_materials(document: Fields, predicate: Fields, subjects: tuple[SubjectView, ...]) -> tuple[MaterialView, ...]:
    entries = _few(predicate, "materials", MAX_MATERIALS)
    if document.text("predicateType") == PREDICATE_TYPE:
        outputs = {subject.material_name for subject in subjects}
        materials = tuple(_read_material(entry, outputs) for entry in entries)
    else:
        materials = tuple(_read_old_material(entry, subjects) for entry in entries)
    for name, count in Counter(entry.name for entry in materials).items():
        # Which of the two was meant cannot be told, so neither is.
        if count > 1:
            predicate.report("materials", f"the material {name[:80]!r} stands {count} times", "duplicate-material")
    return materials


def _few(holder: Fields, name: str, limit: int) -> list[Fields]:
    """Return the objects of an array; what has more than any attestation is not looked into (T30)."""
    entries = holder.children(name)
    if len(entries) > limit:
        holder.report(name, f"expected at most {limit} entries in {name!r}, found {len(entries)}", "too-many-entries")
        return []
    return entries


def _check_outputs(document: Fields, subjects: tuple[SubjectView, ...], materials: tuple[MaterialView, ...]) -> None:
    """Refuse a statement that calls one digest its output and lists another under the same name."""
    digests = {entry.name: entry.digest for entry in materials}
    for subject in subjects:
        if subject.material_name is None:
            continue
        if "sha256:" + subject.digests.get("sha256", "") != digests.get(subject.material_name):
            message = f"the subject {subject.name[:80]!r} is not the material {subject.material_name[:80]!r}"
            document.report("subject", message, "subject-mismatch")


def _read_material(fields: Fields, outputs: set[str | None]) -> MaterialView:
    notes = fields.child("annotations")
    name, kind = notes.require_text(_NAME), notes.require_text(_TYPE)
    shown = _scalar_annotations(fields)
    size = shown.get(_SIZE, "")
    return MaterialView(
        name=name,
        type=kind,
        digest=fields.child("digest").digest("sha256", prefix="sha256:"),
        filename=fields.text("name") or None,
        content=fields.binary("content"),
        # Only the JSON true counts as storage; a text of that name says nothing and stays an annotation.
        annotations={
            key: value
            for key, value in shown.items()
            if key not in (_NAME, _TYPE) and not (key in (_CAS, _INLINE) and isinstance(notes.value(key), bool))
        },
        uploaded=notes.value(_CAS) is True,
        inline=notes.value(_INLINE) is True,
        output=name in outputs,
        size_bytes=int(size) if size.isascii() and size.isdigit() and len(size) <= 16 else None,
    )


def _read_old_material(fields: Fields, subjects: tuple[SubjectView, ...]) -> MaterialView:
    holder = fields.child("material")
    source = holder.child("slsa")
    digest = source.child("digest").digest("sha256", prefix="sha256:")
    filename = source.text("uri") or None
    content = holder.text("stringVal").encode("utf-8") if "stringVal" in holder else None
    output = any(
        subject.name == filename and "sha256:" + subject.digests.get("sha256", "") == digest for subject in subjects
    )
    return MaterialView(
        name=fields.require_text("name"),
        type=fields.require_text("type"),
        digest=digest,
        filename=filename,
        content=content,
        output=output,
    )
