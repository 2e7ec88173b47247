"""One verdict on a commit from those of all workflows that have to attest it: `chainloop/compliance` (R33)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from server.model import verdict_text as text
from server.model.verdict import Verdict
from server.model.verdict_kinds import VerdictKind, severity

ROLL_UP_CONTEXT = "chainloop/compliance"
"""Name of the status; required checks are matched by it."""


@dataclass(frozen=True, slots=True)
class WorkflowVerdict:
    """The verdict of one of the workflows that are registered for the commit's repository, branch and event."""

    workflow: str
    """Its name, for people; `project/workflow` where a repository serves several projects."""
    verdict: Verdict


def roll_up(expected: Sequence[WorkflowVerdict], *, names_allowed: bool = True) -> Verdict:
    """Return the verdict of all expected workflows.

    It is pending until each has a final verdict, then it is the worst of them; without an expected workflow it fails.
    The order of `expected` changes nothing.
    """
    members = sorted(expected, key=lambda one: one.workflow)
    if not members:
        return Verdict(VerdictKind.NONE_EXPECTED, "no workflow is registered for this repository, branch and event")
    kind = _kind(members)
    deciding = next((one for one in members if one.verdict.kind is kind), None)
    return Verdict(
        kind,
        text.clip(_describe(members, kind, names_allowed=names_allowed)),
        deciding.verdict.run_id if deciding else None,
        tuple(run for one in members for run in one.verdict.counted_run_ids),
        holds_until=min((one.verdict.holds_until for one in members if one.verdict.holds_until), default=None),
    )


def _kind(members: Sequence[WorkflowVerdict]) -> VerdictKind:
    waiting = {one.verdict.kind for one in members if not one.verdict.is_final}
    if waiting == {VerdictKind.UNTRUSTED_HEAD}:
        # Nothing goes on by itself: the check run has to say who acts (R35).
        return VerdictKind.UNTRUSTED_HEAD
    if waiting:
        return VerdictKind.REPORTING
    return min((one.verdict.kind for one in members), key=severity)


def _describe(members: Sequence[WorkflowVerdict], kind: VerdictKind, *, names_allowed: bool) -> str:
    if kind is VerdictKind.NOT_APPLICABLE:
        return "no attestation required"
    failed = [one.workflow for one in members if one.verdict.is_final and not one.verdict.passes]
    waiting = [one.workflow for one in members if not one.verdict.is_final]
    if waiting:
        said = f"{len(members) - len(waiting)} of {len(members)}"
        act = "; needs a maintainer's attested run" if kind is VerdictKind.UNTRUSTED_HEAD else ""
        return said + _list("missing", waiting, names_allowed) + _list("failed", failed, names_allowed) + act
    compliant = sum(one.verdict.is_compliant for one in members)
    return f"{compliant} of {len(members)} compliant" + _list("failed", failed, names_allowed) + _others(members)


def _list(word: str, workflows: Sequence[str], names_allowed: bool) -> str:
    if not workflows:
        return ""
    if names_allowed:
        return f"{', ' if word == 'missing' else '; '}{word}: {text.list_names(workflows, 50)}"
    return f"{', ' if word == 'missing' else '; '}{len(workflows)} {word}"


def _others(members: Iterable[WorkflowVerdict]) -> str:
    """Name what passes without being compliant: nobody shall take it for that (R37)."""
    kinds = [one.verdict.kind for one in members]
    counted = ((kinds.count(kind), words) for kind, words in _NOT_COMPLIANT.items())
    return "".join(f"; {number} {words}" for number, words in counted if number)


_NOT_COMPLIANT = {
    VerdictKind.UNTRUSTED_HEAD_PASSES: "untrusted, let through by a setting",
    VerdictKind.OVERRIDDEN: "let through by an operator",
    VerdictKind.NO_REQUIREMENTS: "without requirements",
    VerdictKind.NOT_APPLICABLE: "not applicable",
}
