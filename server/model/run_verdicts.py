"""What one run says of its commit, on its own (R12, R15, R20, R30, R37, R38)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from types import MappingProxyType

from chainloop_ci.api.runs import RunState
from server.model import spans
from server.model import verdict_text as text
from server.model.verdict_facts import CountedRun, Override, Upcoming, VerdictSettings
from server.model.verdict_kinds import VerdictKind


class Standing(IntEnum):
    """Where a run stands; of several the lowest decides (R32)."""

    OPEN_REFUSED = 0
    OPEN = 1
    FAILED = 2
    WAITING = 3
    """It has ended, and the forge has not confirmed it (R20, R30)."""
    PASSED = 4


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """What is said of one run."""

    run: CountedRun
    kind: VerdictKind
    description: str
    standing: Standing


def judge_run(run: CountedRun, distrust: Override | None, settings: VerdictSettings, now: datetime) -> RunVerdict:
    """Return what a run says; without proof of its CI facts never a last word, passing or failing (R30)."""
    found = _distrusted(run, distrust, settings) if distrust else _STATES[run.state_at(now)](run, settings, now)
    if run.corroboration.is_proven or found.standing is Standing.OPEN:
        return found
    standing = Standing.OPEN if found.standing is Standing.OPEN_REFUSED else Standing.WAITING
    if run.late:
        return RunVerdict(run, VerdictKind.LATE, "late, not corroborated", standing)
    return RunVerdict(run, VerdictKind.CLAIMED, "commit claimed, not corroborated", standing)


def _distrusted(run: CountedRun, distrust: Override, settings: VerdictSettings) -> RunVerdict:
    why = f": {distrust.reason}" if settings.names_allowed and distrust.reason else ""
    return _failed(run, VerdictKind.DISTRUSTED, f"an operator distrusts this run{why}")


def _open(run: CountedRun, settings: VerdictSettings, now: datetime) -> RunVerdict:
    if run.refused:
        return replace(_refused(run, settings), standing=Standing.OPEN_REFUSED)
    if run.present_count is None or not run.required_count:
        return RunVerdict(run, VerdictKind.INITIALIZED, "attestation begun, waiting for push", Standing.OPEN)
    lacking = run.required_count - run.present_count
    if lacking > 0:
        said = text.materials_missing(lacking, run.required_count)
        return RunVerdict(run, VerdictKind.INITIALIZED, said, Standing.OPEN)
    return RunVerdict(run, VerdictKind.COMPLETE, "all materials present, waiting for push", Standing.OPEN)


def _refused(run: CountedRun, settings: VerdictSettings) -> RunVerdict:
    refused = run.refused
    if refused is None:
        raise ValueError(f"no store of run {run.id} was refused")
    if refused.contract_not_met:
        return _failed(run, VerdictKind.NOT_MET, _not_met(run, settings))
    said = refused.first_finding if settings.names_allowed and refused.first_finding else refused.code
    return _failed(run, VerdictKind.REFUSED, f"refused: {said}")


def _not_met(run: CountedRun, settings: VerdictSettings) -> str:
    names = (run.refused.missing if run.refused else ()) or run.missing
    if names:
        return text.missing(names, names_allowed=settings.names_allowed, required=run.required_count)
    if run.refused and run.refused.first_finding and settings.names_allowed:
        return run.refused.first_finding
    return f"contract not met: {text.count(run.refused.count if run.refused else 1, 'finding')}"


def _succeeded(run: CountedRun, settings: VerdictSettings, now: datetime) -> RunVerdict:
    if run.is_unverified:
        return _unverified(run)
    if run.gate_violations:
        return _failed(run, VerdictKind.GATE_VIOLATION, _gate(run, settings))
    if run.upcoming and now >= run.upcoming.enforced_from:
        return _failed(run, VerdictKind.NOT_MET, _now_required(run.upcoming, settings))
    if not run.has_requirements:
        return _passed(run, VerdictKind.NO_REQUIREMENTS, "contract requires nothing")
    if run.upcoming:
        return _passed(run, VerdictKind.UPCOMING, _will_be_required(run.upcoming, settings))
    if run.advisories:
        said = f"{run.advisories} advisory policy violation{'' if run.advisories == 1 else 's'}"
        return _passed(run, VerdictKind.ADVISORY, said)
    return _passed(run, VerdictKind.SUCCESS, _met(run))


def _met(run: CountedRun) -> str:
    materials = f"{run.required_count}/{run.required_count} materials, " if run.required_count else ""
    return f"{materials}signed, rev {run.revision}"


def _gate(run: CountedRun, settings: VerdictSettings) -> str:
    if settings.names_allowed and len(run.gate_violations) == 1:
        return f"policy {run.gate_violations[0]} blocks"
    if settings.names_allowed:
        return f"policies block: {text.list_names(run.gate_violations)}"
    return f"{len(run.gate_violations)} polic{'y blocks' if len(run.gate_violations) == 1 else 'ies block'}"


def _now_required(upcoming: Upcoming, settings: VerdictSettings) -> str:
    lacking = text.missing(upcoming.missing, names_allowed=settings.names_allowed)
    return f"{lacking}; required since {text.day(upcoming.enforced_from)} by rev {upcoming.revision}"


def _will_be_required(upcoming: Upcoming, settings: VerdictSettings) -> str:
    lacking = text.missing(upcoming.missing, names_allowed=settings.names_allowed)
    return f"met; required from {text.day(upcoming.enforced_from)} by rev {upcoming.revision}, {lacking}"


def _errored(run: CountedRun, settings: VerdictSettings, now: datetime) -> RunVerdict:
    if run.is_unverified:
        return _unverified(run)
    if run.refused:
        return _refused(run, settings)
    if run.missing:
        return _failed(run, VerdictKind.NOT_MET, _not_met(run, settings))
    said = run.reason if settings.names_allowed and run.reason else "the job failed before its attestation was stored"
    return _failed(run, VerdictKind.CRAFTING_ERROR, said)


def _unverified(run: CountedRun) -> RunVerdict:
    return _failed(run, VerdictKind.UNVERIFIED, "not signed by a registered key")


def _canceled(run: CountedRun, settings: VerdictSettings, now: datetime) -> RunVerdict:
    by = f" by {run.ended_by}" if settings.names_allowed and run.ended_by else ""
    why = f": {run.reason}" if settings.names_allowed and run.reason else ""
    return _failed(run, VerdictKind.CANCELED, f"run cancelled{by}{why}")


def _expired(run: CountedRun, settings: VerdictSettings, now: datetime) -> RunVerdict:
    life = timedelta(seconds=run.life_seconds)
    within = f"within {spans.exactly(life)}" if run.life_seconds else "before the run expired"
    refused = f"; last {_refused(run, settings).description}" if run.refused else ""
    return _failed(run, VerdictKind.EXPIRED, f"no push {within}{refused}")


def _failed(run: CountedRun, kind: VerdictKind, description: str) -> RunVerdict:
    return RunVerdict(run, kind, description, Standing.FAILED)


def _passed(run: CountedRun, kind: VerdictKind, description: str) -> RunVerdict:
    return RunVerdict(run, kind, description, Standing.PASSED)


_STATES: Mapping[RunState, Callable[[CountedRun, VerdictSettings, datetime], RunVerdict]] = MappingProxyType(
    {
        RunState.INITIALIZED: _open,
        RunState.SUCCESS: _succeeded,
        RunState.ERROR: _errored,
        RunState.CANCELED: _canceled,
        RunState.EXPIRED: _expired,
    }
)
