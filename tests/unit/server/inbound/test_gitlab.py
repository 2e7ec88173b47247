"""Payloads in the form of GitLab's documentation, "Webhook events"."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.inbound.gitlab import STATUS_CHECK, parse
from server.model.forge_facts import LONG_AGO, ONLY_ATTEMPT, CiConclusion, CiStatus

SHA, BEFORE, MERGED = "a" * 40, "b" * 40, "c" * 40
PROJECT = {"id": 15, "path_with_namespace": "group/app"}


def build(**more):
    return {
        "id": 380, "stage": "test", "name": "unit", "status": "success", "created_at": "2026-11-30 05:23:28 UTC",
        "started_at": "2026-11-30 05:26:12 UTC", "finished_at": "2026-11-30 05:28:29 UTC",
        "runner": {"id": 1, "description": "shared-1"}, **more,
    }  # fmt: skip


def pipeline(status="success", builds=(), request=None, **more):
    attributes = {
        "id": 31, "sha": SHA, "source": "push", "status": status, "created_at": "2026-11-30 05:23:28 UTC",
        "finished_at": "2026-11-30 05:30:00 UTC", **more,
    }  # fmt: skip
    return {"object_attributes": attributes, "merge_request": request, "project": PROJECT, "builds": list(builds)}


def merge_request(**more):
    attributes = {
        "iid": 7, "state": "opened", "source_branch": "feature", "target_branch": "main", "source_project_id": 15,
        "target_project_id": 15, "last_commit": {"id": SHA}, "updated_at": "2026-11-30 05:23:28 UTC", **more,
    }  # fmt: skip
    return {"object_attributes": attributes, "project": PROJECT}


def push(**more):
    return {
        "ref": "refs/heads/main", "before": BEFORE, "after": SHA, "total_commits_count": 1, "ref_protected": True,
        "commits": [
            {"id": SHA, "timestamp": "2026-11-30T05:00:00+01:00", "added": ["a"], "modified": ["b"], "removed": []}
        ],
        "project": PROJECT, **more,
    }  # fmt: skip


def test_a_pipeline_is_a_ci_run_with_its_jobs():
    facts = parse("Pipeline Hook", pipeline("failed", [build(status="failed"), build(id=381, status="running")]))

    (run,) = facts.runs
    assert (run.ci_run_id, run.attempt, run.status, run.conclusion) == (
        "31", ONLY_ATTEMPT, CiStatus.ENDED, CiConclusion.FAILURE,
    )  # fmt: skip
    assert run.ended_at == datetime(2026, 11, 30, 5, 30, tzinfo=UTC)
    assert [(job.job.job_id, job.job.status) for job in facts.jobs] == [
        ("380", CiStatus.ENDED),
        ("381", CiStatus.RUNNING),
    ]


def test_r31_the_head_of_a_merge_request_pipeline_is_the_merge_requests():
    request = {"iid": 7, "source_project_id": 99, "target_project_id": 15, "last_commit": {"id": SHA}}

    (run,) = parse("Pipeline Hook", pipeline(sha=MERGED, request=request)).runs

    assert run.head_sha == SHA
    assert run.is_fork


def test_a_pipeline_that_goes_on_after_a_retry_is_newer_than_its_end():
    (ended,) = parse("Pipeline Hook", pipeline("failed", [build()])).runs
    retried = build(id=390, status="running", created_at="2026-11-30 06:00:00 UTC", started_at=None, finished_at=None)

    (going_on,) = parse("Pipeline Hook", pipeline("running", [build(), retried], finished_at=None)).runs

    assert going_on.told_at > ended.told_at


@pytest.mark.parametrize(
    "word", ["created", "waiting_for_resource", "preparing", "pending", "manual", "scheduled", "x"]
)
def test_what_has_not_begun_is_queued(word):
    (run,) = parse("Pipeline Hook", pipeline(word)).runs

    assert (run.status, run.conclusion, run.ended_at) == (CiStatus.QUEUED, None, None)


def test_a_job_event_and_a_pipelines_list_say_the_same_of_a_job():
    alone = {f"build_{name}": value for name, value in build().items() if name != "runner"}

    (own,) = parse("Job Hook", {**alone, "pipeline_id": 31, "sha": SHA, "runner": build()["runner"]}).jobs
    (listed,) = parse("Pipeline Hook", pipeline(builds=[build()])).jobs

    assert own.job == listed.job
    assert own.told_at == listed.told_at


@pytest.mark.parametrize(
    ("more", "is_open", "is_fork"),
    [({}, True, False), ({"state": "merged"}, False, False), ({"source_project_id": 99}, True, True)],
    ids=["open", "merged", "of a fork"],
)
def test_a_merge_request_is_the_head_of_a_pull_request(more, is_open, is_fork):
    (seen,) = parse("Merge Request Hook", merge_request(**more)).heads

    assert (seen.head.pull_request, seen.head.base_branch, seen.head.event) == ("7", "main", "pull_request")
    assert (seen.head.is_open, seen.head.is_fork) == (is_open, is_fork)


def test_a_push_says_what_changed_when_all_commits_are_in_it():
    (seen,) = parse("Push Hook", push()).heads
    (cut,) = parse("Push Hook", push(total_commits_count=30)).heads
    (new,) = parse("Push Hook", push(before="0" * 40)).heads

    assert seen.head.changed_paths == ("a", "b")
    assert seen.before == BEFORE
    assert seen.head.told_at == datetime(2026, 11, 30, 4, tzinfo=UTC)
    assert cut.head.changed_paths is None
    assert (new.head.changed_paths, new.head.is_branch_new) == (None, True)


def test_a_deleted_branch_closes_its_head():
    (seen,) = parse("Push Hook", push(after="0" * 40, commits=[], total_commits_count=0)).heads

    assert (seen.head.sha, seen.head.is_open, seen.head.told_at) == (BEFORE, False, LONG_AGO)


def test_a_status_check_is_asked_for_by_its_number():
    facts = parse(STATUS_CHECK, {**merge_request(), "external_approval_rule": {"id": 3, "name": "chainloop"}})

    (note,) = facts.notes
    assert note.facts == {"sha": SHA, "pullRequest": "7", "checkId": "3", "name": "chainloop"}


@pytest.mark.parametrize("event", ["Issue Hook", "Note Hook", "Tag Push Hook", ""])
def test_other_events_say_nothing(event):
    assert parse(event, {**merge_request(), **push()}).is_empty


def test_a_job_that_ran_out_of_time_says_so():
    said = {
        "build_id": 380,
        "pipeline_id": 31,
        "build_status": "failed",
        "build_failure_reason": "job_execution_timeout",
    }

    assert parse("Job Hook", said).jobs[0].job.conclusion is CiConclusion.TIMED_OUT
