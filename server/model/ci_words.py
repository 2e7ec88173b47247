"""What the words of GitHub and GitLab for CI runs and jobs mean, in webhooks and in answers of their APIs.

Sources: GitHub Docs, REST pages «Workflow runs» and «Workflow jobs»; GitLab Docs, "Pipelines API" and "Jobs API".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from server.model.forge_facts import CiConclusion, CiStatus

_GITHUB_STATUSES = {"in_progress": CiStatus.RUNNING, "completed": CiStatus.ENDED}
"""Whatever else there is (queued, requested, waiting, pending) has not begun."""
_GITHUB_CONCLUSIONS = {
    "success": CiConclusion.SUCCESS,
    "failure": CiConclusion.FAILURE,
    "startup_failure": CiConclusion.FAILURE,
    "action_required": CiConclusion.FAILURE,
    "cancelled": CiConclusion.CANCELED,
    "stale": CiConclusion.CANCELED,
    "timed_out": CiConclusion.TIMED_OUT,
    "skipped": CiConclusion.SKIPPED,
}
_GITLAB_CONCLUSIONS = {
    "success": CiConclusion.SUCCESS,
    "failed": CiConclusion.FAILURE,
    "canceled": CiConclusion.CANCELED,
    "skipped": CiConclusion.SKIPPED,
}
_GITLAB_RUNNING = frozenset({"running", "canceling"})
"""Whatever else there is (created, preparing, pending, waiting, scheduled, manual) has not begun."""
_GITLAB_OPTIONAL = frozenset({"failed", "manual"})
_GITLAB_WORST_FIRST = ("failed", "canceled", "success", "skipped")
_GITLAB_TIMEOUTS = frozenset({"job_execution_timeout", "stuck_or_timeout_failure", "job_token_expired"})


def github_status(word: str | None) -> CiStatus:
    """Return how far a workflow run or job is."""
    return _GITHUB_STATUSES.get(word or "", CiStatus.QUEUED)


def github_conclusion(word: str | None, status: CiStatus) -> CiConclusion | None:
    """Return how a workflow run or job ended; None: it has not."""
    if status is not CiStatus.ENDED:
        return None
    # What is left (neutral) stops nobody, and nothing was done.
    return _GITHUB_CONCLUSIONS.get(word or "", CiConclusion.SKIPPED)


def gitlab_status(word: str | None) -> CiStatus:
    """Return how far a pipeline or job is."""
    if word in _GITLAB_CONCLUSIONS:
        return CiStatus.ENDED
    return CiStatus.RUNNING if word in _GITLAB_RUNNING else CiStatus.QUEUED


def gitlab_whole(statuses: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the word that the statuses of jobs give a pipeline; None: one of them has not ended.

    Source: GitLab Docs, "CI/CD YAML syntax", `allow_failure`: a job that may fail or need not be started stops none.
    """
    words = {
        each["status"] for each in statuses if not (each.get("allow_failure") and each["status"] in _GITLAB_OPTIONAL)
    }
    if not words <= _GITLAB_CONCLUSIONS.keys():
        return None
    return next((word for word in _GITLAB_WORST_FIRST if word in words), "success")


def gitlab_conclusion(word: str | None, failure_reason: object = None) -> CiConclusion | None:
    """Return how a pipeline or job ended; None: it has not."""
    if word == "failed" and isinstance(failure_reason, str) and failure_reason in _GITLAB_TIMEOUTS:
        return CiConclusion.TIMED_OUT
    return _GITLAB_CONCLUSIONS.get(word or "")
