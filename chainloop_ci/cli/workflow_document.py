"""Reads the document of a workflow: every error at once with its position, or what is to be applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from chainloop_ci.api.apply import AppliedWorkflow
from chainloop_ci.api.sources import DEFAULT_GRACE_SECONDS, SourceRequest, check_source
from chainloop_ci.cli.source_options import parse_cadence, parse_grace
from chainloop_ci.cli.workflow_schema import workflow_schema, workflow_validator
from chainloop_ci.contract.nodes import Node, Tree, finding_at, plain
from chainloop_ci.contract.normalise import normalise
from chainloop_ci.contract.schema_findings import find_violations
from chainloop_ci.errors import Finding, UsageError

_SOURCE = ("spec", "source")
_FIELDS = {"source": "repository"}
"""Names of the request that the document spells otherwise."""


def read_workflow(tree: Tree) -> tuple[AppliedWorkflow | None, list[Finding]]:
    """Return the workflow of a document, None when anything is wrong with it, and everything that is wrong."""
    schema = workflow_schema()
    root, findings = normalise(tree.root, schema)
    document: Any = plain(root)
    findings = [*tree.findings, *findings, *find_violations(workflow_validator(), document, root, schema)]
    if findings:
        return None, findings
    spec = document["spec"]
    source = spec.get("source")
    request = _source(source, root, findings) if source is not None else None
    if findings:
        return None, findings
    workflow = AppliedWorkflow(
        name=document["metadata"]["name"],
        project=spec["project"],
        contract=spec.get("contract"),
        team=spec.get("team"),
        description=spec.get("description"),
        source=request,
    )
    return workflow, []


def _source(written: Mapping[str, Any], root: Node, findings: list[Finding]) -> SourceRequest:
    request = SourceRequest(
        source=written["repository"],
        ci_file=written.get("ciFile", ""),
        branch=written.get("branch") or None,
        event=written.get("event"),
        paths=tuple(written.get("paths", ())),
    )
    findings += (_placed(found, root) for found in check_source(request))
    try:
        cadence = written.get("cadence")
        request = replace(request, cadence_seconds=parse_cadence(cadence, "cadence") if cadence else None)
    except UsageError as error:
        findings.append(finding_at(root, (*_SOURCE, "cadence"), "out-of-bounds", error.message))
    try:
        grace = written.get("grace")
        return replace(request, grace_seconds=parse_grace(grace, "grace") if grace else DEFAULT_GRACE_SECONDS)
    except UsageError as error:
        findings.append(finding_at(root, (*_SOURCE, "grace"), "out-of-bounds", error.message))
        return request


def _placed(found: Finding, root: Node) -> Finding:
    """Return what is wrong with a request as what is wrong with the document that it was made of."""
    return finding_at(root, (*_SOURCE, *_steps(found.path or "")), found.code, found.message, found.hint)


def _steps(pointer: str) -> Iterator[str | int]:
    for part in pointer.split("/")[1:]:
        yield int(part) if part.isdigit() else _FIELDS.get(part, part)
