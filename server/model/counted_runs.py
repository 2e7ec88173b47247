"""Which runs count for the verdict of a workflow on a commit (R16–R18, R30, R32)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from server.model.verdict_facts import CountedRun, Slot


def select_counted(
    runs: Sequence[CountedRun], *, distrusted: frozenset[str] = frozenset(), proven_only: bool = False
) -> tuple[CountedRun, ...]:
    """Return the latest run per CI event and job, whatever the order of `runs`; the newest first.

    A run that the forge contradicts says nothing of this commit: else anybody with a token could redden another's
    pull request, or hold it up (R30). The same holds for a distrusted one whose commit is only claimed.
    """
    kept = [
        run for run in runs if _is_about_commit(run, distrusted) and (run.corroboration.is_proven or not proven_only)
    ]
    kept = _without_superseded(_without_predecessors(kept))
    by_slot: dict[Slot, list[CountedRun]] = {}
    for run in kept:
        by_slot.setdefault(run.slot, []).append(run)
    latest = (_latest(members) for members in by_slot.values())
    return tuple(sorted(latest, key=lambda run: run.sequence, reverse=True))


def _is_about_commit(run: CountedRun, distrusted: frozenset[str]) -> bool:
    return run.corroboration.is_proven or not (run.corroboration.is_contradicted or run.id in distrusted)


def _without_predecessors(runs: Sequence[CountedRun]) -> list[CountedRun]:
    succeeded = {run.predecessor_id for run in runs}
    return [run for run in runs if run.id not in succeeded]


def _without_superseded(runs: Sequence[CountedRun]) -> list[CountedRun]:
    # One that nothing came after is a cancelled run like any other: a word of the client hides nothing.
    newest = max((run.sequence for run in runs), default=0)
    return [run for run in runs if not run.is_superseded or run.sequence == newest]


def _latest(runs: Iterable[CountedRun]) -> CountedRun:
    members = list(runs)
    current = [run for run in members if not any(_is_later_attempt(other, run) for other in members)]
    return max(current, key=lambda run: run.sequence)


def _is_later_attempt(other: CountedRun, run: CountedRun) -> bool:
    """R18: an attempt orders only what is proven of both, and only within one CI run."""
    if not (other.corroboration.is_proven and run.corroboration.is_proven):
        return False
    if not run.ci_run_id or other.ci_run_id != run.ci_run_id:
        return False
    return other.ci_attempt is not None and run.ci_attempt is not None and other.ci_attempt > run.ci_attempt
