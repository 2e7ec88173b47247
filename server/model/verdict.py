"""The verdict of one workflow on one commit: one pure function of everything that is known (R30–R39).

It does not depend on the order in which things became known, nor on what was said before: whoever judges the same
facts at the same time says the same. Decision record: `docs/adr`, «The verdict of a commit».
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chainloop_ci.api.runs import RunState
from server.model import spans
from server.model import verdict_text as text
from server.model.awaited_jobs import count_awaited
from server.model.counted_runs import select_counted
from server.model.run_verdicts import RunVerdict, Standing, judge_run
from server.model.verdict_facts import (
    MAX_CI_WAIT,
    ApplicabilityKind,
    CommitContext,
    CountedRun,
    HeadFacts,
    Override,
    OverrideKind,
)
from server.model.verdict_kinds import COMPLIANT, SURFACES, Surfaces, VerdictKind, is_passing, is_pending, severity


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a commit, by one workflow or by all of them."""

    kind: VerdictKind
    description: str
    """At most 140 code points, fit for the repository's readers."""
    run_id: str | None = None
    """The run that decided; None: none did, and there is no page of a run."""
    counted_run_ids: tuple[str, ...] = ()
    """The runs that it follows from; the newest first."""
    holds_until: datetime | None = field(default=None, compare=False)
    """When time alone may change it; None: never."""

    @property
    def surfaces(self) -> Surfaces:
        """Return what each surface shows."""
        return SURFACES[self.kind]

    @property
    def is_final(self) -> bool:
        """Tell whether it is the last word, until something happens."""
        return not is_pending(self.kind)

    @property
    def passes(self) -> bool:
        """Tell whether a required status lets the commit through."""
        return is_passing(self.kind)

    @property
    def is_compliant(self) -> bool:
        """Tell whether a verified attestation meets what is enforced; passing is less (R37)."""
        return self.kind in COMPLIANT


def judge(context: CommitContext, now: datetime) -> Verdict:
    """Return the verdict of a workflow on a commit as of `now`."""
    overrides = [override for override in context.overrides if override.is_in_force(now)]
    runs = _counted(context, overrides)
    kind, description, run_id = (
        _by_operator(context, overrides, runs) or _by_runs(context, overrides, runs, now) or _by_head(context, now)
    )
    return Verdict(
        kind,
        text.clip(description),
        run_id,
        tuple(run.id for run in runs),
        holds_until=min((moment for moment in _moments(context, now) if moment > now), default=None),
    )


_Said = tuple[VerdictKind, str, str | None]


def _counted(context: CommitContext, overrides: Sequence[Override]) -> tuple[CountedRun, ...]:
    # Where the head itself decides, a client's word does not change that; what the forge confirms does.
    proven_only = context.applicability.kind is not ApplicabilityKind.APPLICABLE
    return select_counted(context.runs, distrusted=frozenset(_distrusts(overrides)), proven_only=proven_only)


def _distrusts(overrides: Sequence[Override]) -> dict[str, Override]:
    return {entry.run_id: entry for entry in overrides if entry.kind is OverrideKind.DISTRUST and entry.run_id}


def _by_operator(context: CommitContext, overrides: Sequence[Override], runs: Sequence[CountedRun]) -> _Said | None:
    """R39; a block wins over an override: who stops a workflow means all of it."""
    newest = runs[0].id if runs else None
    for kind, verdict, said in _OPERATORS:
        for entry in overrides:
            if entry.kind is kind:
                until = f" until {text.day(entry.until)}" if entry.until else ""
                why = f": {entry.reason}" if context.settings.names_allowed and entry.reason else ""
                return verdict, f"{said}{until}{why}", newest
    return None


_OPERATORS = (
    (OverrideKind.BLOCK, VerdictKind.BLOCKED, "the workflow is blocked by an operator"),
    (OverrideKind.OVERRIDE, VerdictKind.OVERRIDDEN, "let through by an operator"),
)


def _by_runs(
    context: CommitContext, overrides: Sequence[Override], runs: Sequence[CountedRun], now: datetime
) -> _Said | None:
    """R32: the worst of the latest run per CI event and job."""
    if not runs:
        return None
    distrusts = _distrusts(overrides)
    found = [judge_run(run, distrusts.get(run.id), context.settings, now) for run in runs]
    # `runs` has the newest first: of equals that one speaks.
    worst = min(found, key=lambda one: (one.standing, severity(one.kind)))
    awaited = count_awaited(context.ci_runs, runs, now) if worst.standing is Standing.PASSED else 0
    if awaited:
        return VerdictKind.PARTIAL, f"{len(runs)} of {len(runs) + awaited} jobs attested", worst.run.id
    return worst.kind, _describe(worst, found), worst.run.id


def _describe(worst: RunVerdict, found: Sequence[RunVerdict]) -> str:
    if len(found) == 1:
        return worst.description
    alike = sum(one.standing is worst.standing and one.kind is worst.kind for one in found)
    failed = sum(one.standing is Standing.FAILED for one in found)
    also = f"; {failed} failed" if failed and worst.standing <= Standing.OPEN else ""
    return f"{alike} of {len(found)} jobs: {text.clip(worst.description, text.MAX_DESCRIPTION - 40)}{also}"


def _by_head(context: CommitContext, now: datetime) -> _Said:
    """Say what holds without a run that counts: R31, R34, R35."""
    kind, reason = context.applicability.kind, context.applicability.reason
    if kind is ApplicabilityKind.NOT_APPLICABLE:
        return VerdictKind.NOT_APPLICABLE, _because("no attestation required", reason), None
    if kind is ApplicabilityKind.NOT_YET:
        return VerdictKind.EXPECTED, "waiting for an attestation, or a change request that needs none", None
    if kind is ApplicabilityKind.MISSING:
        return VerdictKind.MISSING, _because("no attestation", reason), None
    if kind is ApplicabilityKind.UNTRUSTED_HEAD:
        return _by_untrusted_head(context)
    if context.head is None:
        return _without_head(context)
    if now < _due_at(context, context.head, now):
        return VerdictKind.EXPECTED, "waiting for an attestation", None
    return VerdictKind.MISSING, _because(f"no attestation within {_grace(context.head)}", reason), None


def _by_untrusted_head(context: CommitContext) -> _Said:
    reason = context.applicability.reason
    if context.settings.untrusted_heads_pass:
        said = "not attested; an admin's setting lets such heads through, which opens the gate"
        return VerdictKind.UNTRUSTED_HEAD_PASSES, _because(said, reason), None
    return VerdictKind.UNTRUSTED_HEAD, _because("needs a maintainer's attested run", reason), None


def _without_head(context: CommitContext) -> _Said:
    if context.runs:
        return VerdictKind.CLAIMED, "commit claimed, not corroborated: the forge does not confirm it", None
    return VerdictKind.EXPECTED, "no run of the workflow is known", None


def _because(said: str, reason: str) -> str:
    return f"{said}: {reason}" if reason else said


def _grace(head: HeadFacts) -> str:
    return spans.exactly(timedelta(seconds=head.grace_seconds))


def _due_at(context: CommitContext, head: HeadFacts, now: datetime) -> datetime:
    """Return from when on an attestation that did not come is missing: after the last CI run that could make one."""
    running = (run.seen_at + MAX_CI_WAIT for run in context.ci_runs if run.is_running(now))
    ended = (run.ended_at for run in context.ci_runs if run.ended_at)
    return max((head.seen_at, *running, *ended)) + timedelta(seconds=head.grace_seconds)


def _moments(context: CommitContext, now: datetime) -> Iterator[datetime]:
    """Return when time alone may change the verdict: looked at again too often is harmless, too late is not."""
    for override in context.overrides:
        if override.until:
            yield override.until
    for run in context.runs:
        if run.state is RunState.INITIALIZED:
            yield run.expires_at
        if run.upcoming:
            yield run.upcoming.enforced_from
    for ci_run in context.ci_runs:
        yield ci_run.seen_at + MAX_CI_WAIT
    if context.head:
        yield _due_at(context, context.head, now)
