"""What GitLab's words for pipelines and jobs mean. Source: GitLab Docs, "Pipelines API" and "Jobs API"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chainloop_ci.attestation.times import parse_time
from server.model.forge_answers import JobAnswer

_CONCLUSIONS = {"success": "success", "failed": "failure", "canceled": "canceled", "skipped": "skipped"}
_RUNNING = frozenset({"running", "canceling"})
"""Whatever else there is (created, preparing, pending, waiting, scheduled, manual) has not begun."""
_OPTIONAL = frozenset({"failed", "manual"})
_WORST_FIRST = ("failed", "canceled", "success", "skipped")
_TIMEOUTS = frozenset({"job_execution_timeout", "stuck_or_timeout_failure", "job_token_expired"})


def status_of(word: str) -> str:
    """Return `queued`, `running` or `ended`."""
    return "ended" if word in _CONCLUSIONS else "running" if word in _RUNNING else "queued"


def conclusion_of(word: str, failure_reason: object = None) -> str | None:
    """Return how something ended; None: it has not."""
    if word == "failed" and failure_reason in _TIMEOUTS:
        return "timed-out"
    return _CONCLUSIONS.get(word)


def whole_of(statuses: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the state that the statuses of jobs give a pipeline; None: one of them has not ended.

    Source: GitLab Docs, "CI/CD YAML syntax", `allow_failure`: a job that may fail or need not be started stops none.
    """
    words = {each["status"] for each in statuses if not (each.get("allow_failure") and each["status"] in _OPTIONAL)}
    if not words <= _CONCLUSIONS.keys():
        return None
    return next((word for word in _WORST_FIRST if word in words), "success")


def time_of(document: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time of a document."""
    text = document.get(name)
    return parse_time(text) if isinstance(text, str) and text else None


def job_of(document: Mapping[str, Any]) -> JobAnswer:
    """Return a job as the API tells it."""
    status = status_of(document["status"])
    runner = document.get("runner") or {}
    return JobAnswer(
        id=str(document["id"]),
        name=document["name"],
        status=status,
        conclusion=conclusion_of(document["status"], document.get("failure_reason")),
        started_at=time_of(document, "started_at"),
        ended_at=time_of(document, "finished_at") if status == "ended" else None,
        runner_name=runner.get("description"),
    )
