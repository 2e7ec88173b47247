"""Problems: the one form of every refusal on the wire (RFC 9457, design decision 10)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated

from chainloop_ci.api.record import about, to_dict
from chainloop_ci.errors import Finding
from chainloop_ci.records import record

TYPE_PREFIX = "urn:chainloop:problem:"
MAX_FINDING_TEXT = 1000
"""Longest text of a finding, in characters; what was sent may be quoted in it."""
MAX_FINDINGS_BYTES = 64 * 1024
"""All findings of one answer, or of one refusal in the database, as JSON (T30)."""


@record
class ProblemFinding:
    """One of the things that are wrong."""

    code: Annotated[str, about("Stable, kebab-case.")]
    message: Annotated[str, about("One sentence for a person.")]
    path: Annotated[str | None, about("JSON pointer or field of the statement.")] = None
    line: Annotated[int | None, about("From 1.")] = None
    column: Annotated[int | None, about("From 1.")] = None
    hint: Annotated[str | None, about("What to do.")] = None


@record
class Problem:
    """Why a request was refused, and what to do."""

    type: Annotated[str, about("`urn:chainloop:problem:<code>`.")]
    title: Annotated[str, about("The kind of problem, in words.")]
    status: Annotated[int, about("The HTTP status.")]
    detail: Annotated[str, about("What was expected, what was found.")]
    code: Annotated[str, about("Stable, kebab-case; the same as in the command's output.")]
    hint: Annotated[str | None, about("What to do.")] = None
    request_id: Annotated[str | None, about("Names this request in the server's log.")] = None
    findings: Annotated[tuple[ProblemFinding, ...], about("Everything that is wrong, at once.")] = ()


def problem_findings(findings: Iterable[Finding]) -> tuple[ProblemFinding, ...]:
    """Return findings as they are sent and stored: texts cut, and no more of them than `MAX_FINDINGS_BYTES` hold."""
    kept: list[ProblemFinding] = []
    left = MAX_FINDINGS_BYTES - 256  # the last one, which says that others were left out
    for finding in findings:
        item = _problem_finding(finding)
        left -= len(json.dumps(to_dict(item))) + 2
        if left < 0:
            kept.append(ProblemFinding("more-findings", "more is wrong; the others are not listed"))
            break
        kept.append(item)
    return tuple(kept)


def _problem_finding(finding: Finding) -> ProblemFinding:
    return ProblemFinding(
        finding.code,
        _cut(finding.message) or "",
        _cut(finding.path),
        finding.line,
        finding.column,
        _cut(finding.hint),
    )


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_FINDING_TEXT else f"{text[: MAX_FINDING_TEXT - 1]}…"
