"""Whether a workflow has to attest a commit: from its registered filter and the target branch's files (R34, R35).

What the pull request's own copy of the CI file says never excuses it; where that copy keeps the CI from running, the
attestation is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.model.ci_files import Change, CiFile, Fires
from server.model.path_patterns import TooMuchEffortError, selects_github
from server.model.verdict_facts import APPLICABLE, Applicability, ApplicabilityKind

_MERGE_GROUP = "merge_group"


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """For which changes a workflow is registered; an empty list takes every change.

    Patterns are those of GitHub's filters, for every forge: `*`, `**`, `!`, the last one that matches decides.
    """

    branches: Sequence[str] = ()
    """Of the target: the base branch of a pull request, the pushed branch of a push."""
    events: Sequence[str] = ()
    paths: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class HeadTrust:
    """Why a head's own job may have no secrets (R35)."""

    is_fork: bool = False
    is_bot_without_secrets: bool = False
    """Dependabot: its runs get secrets of their own, which hold no token of ours."""
    lacks_protected_token: bool = False
    """GitLab: an unprotected ref, while the token is a protected variable."""

    @property
    def reason(self) -> str:
        """Return why the head is not trusted; empty: it is."""
        reasons = (
            (self.is_fork, "the head is in a fork"),
            (self.is_bot_without_secrets, "a bot's job, which gets no secrets"),
            (self.lacks_protected_token, "an unprotected ref, which gets no protected token"),
        )
        return next((words for holds, words in reasons if holds), "")


TRUSTED = HeadTrust()


def is_expected(registered: SourceFilter, change: Change) -> bool:
    """Tell whether the workflow is in the set of roll-up and gate: by repository, branch and event alone (R33)."""
    if registered.branches and not _selects(registered.branches, (change.target_branch,), change):
        return False
    return not registered.events or change.event in registered.events


def find_applicability(
    registered: SourceFilter,
    change: Change,
    target: CiFile,
    proposed: CiFile | None = None,
    trust: HeadTrust = TRUSTED,
) -> Applicability:
    """Return whether the workflow has to attest the change.

    Args:
        registered: what an operator registered it for.
        change: what the forge says of the head.
        target: the CI file on the target branch; for a push, before it.
        proposed: the CI file on the head; None: it is the target's, or not known.
        trust: whether the head's job can have secrets.
    """
    if excuse := _excuse(registered, change, target):
        return Applicability(ApplicabilityKind.NOT_APPLICABLE, excuse)
    if obstacle := _obstacle(change, target, proposed):
        return Applicability(ApplicabilityKind.MISSING, obstacle)
    if trust.reason:
        return Applicability(ApplicabilityKind.UNTRUSTED_HEAD, trust.reason)
    if hint := _hint(change, target):
        return Applicability(ApplicabilityKind.APPLICABLE, hint)
    return APPLICABLE


def _excuse(registered: SourceFilter, change: Change, target: CiFile) -> str:
    """Return why nothing is required; empty: something is."""
    if not is_expected(registered, change):
        return f"not registered for {change.event} on {change.target_branch}"
    if (
        registered.paths
        and change.changed_paths is not None
        and not _selects(registered.paths, change.changed_paths, change)
    ):
        return "no change in the registered paths"
    if not _runs_not(target, change) or _must_run(registered, change, target):
        return ""
    return "no change that the target branch's CI file runs on"


def _selects(patterns: Sequence[str], texts: Sequence[str], change: Change) -> bool:
    """Tell whether any of the texts is taken; what takes too long to find out is."""
    try:
        return any(selects_github(patterns, text, change.effort) for text in texts)
    except TooMuchEffortError:
        return True


def _must_run(registered: SourceFilter, change: Change, target: CiFile) -> bool:
    """Tell whether a trigger that the CI file lacks is a fault, not an excuse."""
    if target.has_trigger is None or target.has_trigger(change.event):
        return False
    # R31: what runs on pull requests has to run in the merge queue.
    queued = change.event == _MERGE_GROUP and target.has_trigger("pull_request")
    return queued or change.event in registered.events


def _obstacle(change: Change, target: CiFile, proposed: CiFile | None) -> str:
    """Return what keeps the CI from running; empty: nothing that is known for sure."""
    if not target.is_enabled:
        return "the CI workflow is disabled"
    if proposed is None:
        return "" if target.exists else "there is no CI file"
    if not proposed.exists:
        return "this change deletes or renames the CI file" if target.exists else "there is no CI file"
    if not proposed.is_enabled:
        return "the CI workflow is disabled"
    if proposed.is_off:
        return "every job of this change's CI file is switched off"
    if _runs_not(proposed, change) and target.fires is not None and not _runs_not(target, change):
        return "this change's CI file does not run on it"
    return ""


def _runs_not(file: CiFile, change: Change) -> bool:
    return file.fires is not None and file.fires(change) is Fires.NO


def _hint(change: Change, target: CiFile) -> str:
    """Return what to say when no attestation comes: the target branch's file has the fault, too."""
    if _runs_not(target, change) and target.has_trigger is not None and not target.has_trigger(change.event):
        return f"the CI file has no {change.event} trigger"
    return ""
