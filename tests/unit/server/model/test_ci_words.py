"""Words of GitHub and GitLab for CI runs and jobs; one that a newer version adds ends nothing."""

from __future__ import annotations

import pytest

from server.model.ci_words import github_conclusion, github_status, gitlab_conclusion, gitlab_status, gitlab_whole


@pytest.mark.parametrize(
    ("word", "ending", "status", "conclusion"),
    [
        ("queued", None, "queued", None),
        ("requested", None, "queued", None),
        ("waiting", None, "queued", None),
        ("pending", None, "queued", None),
        ("in_progress", None, "running", None),
        ("completed", "success", "ended", "success"),
        ("completed", "failure", "ended", "failure"),
        ("completed", "startup_failure", "ended", "failure"),
        ("completed", "action_required", "ended", "failure"),
        ("completed", "cancelled", "ended", "canceled"),
        ("completed", "stale", "ended", "canceled"),
        ("completed", "timed_out", "ended", "timed-out"),
        ("completed", "skipped", "ended", "skipped"),
        ("completed", "neutral", "ended", "skipped"),
        ("in_progress", "success", "running", None),
        ("of_a_newer_github", None, "queued", None),
        (None, None, "queued", None),
    ],
)
def test_words_of_github_have_one_meaning(
    word: str | None, ending: str | None, status: str, conclusion: str | None
) -> None:
    found = github_status(word)

    assert (found, github_conclusion(ending, found)) == (status, conclusion)


@pytest.mark.parametrize(
    ("word", "reason", "status", "conclusion"),
    [
        ("created", None, "queued", None),
        ("waiting_for_resource", None, "queued", None),
        ("manual", None, "queued", None),
        ("running", None, "running", None),
        ("canceling", None, "running", None),
        ("success", None, "ended", "success"),
        ("failed", "script_failure", "ended", "failure"),
        ("failed", ["job_execution_timeout"], "ended", "failure"),
        ("failed", "job_execution_timeout", "ended", "timed-out"),
        ("success", "job_execution_timeout", "ended", "success"),
        ("canceled", None, "ended", "canceled"),
        ("skipped", None, "ended", "skipped"),
        ("of_a_newer_gitlab", None, "queued", None),
        (None, None, "queued", None),
    ],
)
def test_words_of_gitlab_have_one_meaning(
    word: str | None, reason: object, status: str, conclusion: str | None
) -> None:
    assert (gitlab_status(word), gitlab_conclusion(word, reason)) == (status, conclusion)


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["success", "success"], "success"),
        (["success", "failed", "canceled"], "failed"),
        (["success", "canceled", "skipped"], "canceled"),
        (["success", "skipped"], "success"),
        (["skipped"], "skipped"),
        (["success", "failed?", "manual?"], "success"),
        (["manual?"], "success"),
        (["success", "manual"], None),
        (["success", "running?"], None),
        (["success", "created"], None),
        (["failed", "canceling"], None),
    ],
)
def test_a_pipeline_is_what_its_jobs_are_and_has_ended_when_all_have_that_must(
    words: list[str], whole: str | None
) -> None:
    statuses = [{"status": word.rstrip("?"), "allow_failure": word.endswith("?")} for word in words]

    assert gitlab_whole(statuses) == whole
