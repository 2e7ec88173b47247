"""The in-toto statement. It is rendered to bytes once; those bytes are what is signed, stored and read from then on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from chainloop_ci.attestation.predicate import PREDICATE_TYPE, render_predicate
from chainloop_ci.attestation.state import CraftingState
from chainloop_ci.attestation.state_document import attestation_document
from chainloop_ci.attestation.strict_json import parse_strict
from chainloop_ci.attestation.subject import render_subjects
from chainloop_ci.errors import Finding, JsonInvalidError, StatementInvalidError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
"""The in-toto statement form that is written."""


def render_statement(state: CraftingState, *, finished_at: datetime, builder_id: str) -> bytes:
    """Return the statement of a finished attestation: compact UTF-8 JSON in a stable order.

    Raises:
        StatementInvalidError: a value that no strict reader would accept (R10), such as two variables whose names
            differ in case only, or a text that is not Unicode: found here, before anything is signed.
    """
    finished = replace(state, finished_at=finished_at)
    predicate = render_predicate(finished, finished_at=finished_at, builder_id=builder_id)
    findings = _unreadable("/attestation", attestation_document(finished)) or _unreadable("/predicate", predicate)
    if findings:
        raise _refusal(findings)
    document = {
        "_type": STATEMENT_TYPE,
        "subject": render_subjects(finished),
        "predicateType": PREDICATE_TYPE,
        "predicate": _ordered(predicate),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _unreadable(place: str, document: object) -> list[Finding]:
    """Return what the strict reader of the control plane would refuse.

    Bytes of the environment that are not UTF-8 reach Python as lone surrogates (PEP 383); escaped they survive until
    the reader names them.
    """
    try:
        parse_strict(json.dumps(document).encode("ascii"))
    except JsonInvalidError as error:
        return [replace(finding, path=place + (finding.path or "")) for finding in error.findings]
    return []


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


def _refusal(findings: list[Finding]) -> StatementInvalidError:
    listed = "; ".join(map(str, findings[:5]))
    return StatementInvalidError(
        f"the statement cannot be signed: {listed}",
        hint="rename or remove the value that is named",
        findings=findings,
    )
