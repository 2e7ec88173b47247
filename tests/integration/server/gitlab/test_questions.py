"""What GitLab is asked: the pipeline that a run claims (R30, R31), and what a head changes (R34, R35)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.api.record import from_dict, to_dict
from examples.forge.gitlab.world import Pipeline
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import CI_RUN, HEAD, CiRunAnswer, FileAnswer, FileState, HeadAnswer, HeadQuestion
from server.model.integrations import BoundRepository
from server.model.verdict_kinds import VerdictKind
from tests.integration.server.gitlab.conftest import Scene, start

HOUR = timedelta(hours=1)


def ask(scene: Scene, pipeline: Pipeline | str, *, may_end: bool = False, **options: Any) -> Outcome:
    number = pipeline if isinstance(pipeline, str) else str(pipeline.id)
    content: dict[str, Any] = {
        "runId": "r", "host": scene.forge.url, "repository": "GROUP/app", "ciRunId": number,
    }  # fmt: skip
    content |= {"mayEnd": True} if may_end else {}
    return scene.deliver(CI_RUN, "ci-run:r", content, **options)


def answer(scene: Scene, pipeline: Pipeline) -> CiRunAnswer:
    outcome = ask(scene, pipeline)
    assert outcome.kind is OutcomeKind.DELIVERED
    return from_dict(CiRunAnswer, outcome.answer)


def test_a_pipeline_of_a_branch_is_told_as_it_is(scene: Scene) -> None:
    pipeline = scene.forge.start_pipeline(scene.project, scene.sha, "feature", jobs=("attest", "test"))
    scene.forge.finish_job(pipeline, "test", "failed")

    found = answer(scene, pipeline)

    assert (found.ci_run_id, found.attempt, found.unknown) == (str(pipeline.id), None, False)
    assert (found.path, found.event, found.status, found.conclusion) == (".gitlab-ci.yml", "push", "running", None)
    assert (found.head_sha, found.head_branch, found.pull_requests) == (scene.sha, "feature", ())
    assert found.repository_id == found.head_repository_id == str(scene.project.id)
    assert (found.is_protected, found.ended_at) == (False, None)
    assert found.started_at is not None
    jobs = {job.name: job for job in found.jobs}
    assert (jobs["attest"].status, jobs["attest"].ended_at) == ("running", None)
    assert (jobs["test"].status, jobs["test"].conclusion) == ("ended", "failure")
    assert jobs["test"].ended_at is not None


def test_an_ended_pipeline_has_an_end_and_the_jobs_that_were_retried(scene: Scene) -> None:
    pipeline = scene.forge.start_pipeline(scene.project, scene.sha, "feature")
    first = scene.forge.finish_job(pipeline, "attest", "canceled")
    scene.forge.retry_job(pipeline, "attest")
    scene.forge.finish_pipeline(pipeline)

    found = answer(scene, pipeline)

    assert (found.status, found.conclusion, found.ended_at is not None) == ("ended", "success", True)
    assert [(job.id == str(first.id), job.conclusion) for job in found.jobs] == [(True, "canceled"), (False, "success")]


def held(scene: Scene) -> Pipeline:
    """Return a pipeline that a status of ours keeps running."""
    assert scene.pipeline is not None
    scene.tell_all(VerdictKind.INITIALIZED)
    return scene.pipeline


def test_r46_a_pipeline_that_our_own_status_keeps_running_has_ended_with_its_jobs(scene: Scene) -> None:
    pipeline = held(scene)
    scene.forge.finish_job(pipeline, "attest", "canceled")

    found = answer(scene, pipeline)

    assert pipeline.status == "running"
    assert (found.status, found.conclusion) == ("ended", "canceled")
    assert found.ended_at == found.jobs[0].ended_at is not None


def test_r46_a_pipeline_goes_on_while_another_job_has_still_to_run(scene: Scene) -> None:
    pipeline = held(scene)
    later = replace(pipeline.jobs[0], id=pipeline.jobs[0].id + 1, name="deploy", status="created", started_at=None)
    pipeline.jobs.append(later)
    scene.forge.finish_job(pipeline, "attest", "failed")

    found = answer(scene, pipeline)
    asked_for_the_end = [ask(scene, pipeline, may_end=True, attempt=number).code for number in (1, 4, 5)]

    assert (found.status, found.conclusion, found.ended_at) == ("running", None, None)
    # What stands behind a job that failed is skipped a moment later.
    assert asked_for_the_end == ["not-ended", "not-ended", "200"]


def test_a_protected_branch_is_said_to_be_one(scene: Scene) -> None:
    sha = scene.project.branches["main"]

    assert answer(scene, scene.forge.start_pipeline(scene.project, sha, "main")).is_protected is True


def test_r31_the_head_of_a_merged_result_is_the_commit_that_was_merged_on_trial(scene: Scene) -> None:
    head, merge = scene.sha, scene.request.merge_sha
    pipeline = start(scene, sha=merge, ref=f"refs/merge-requests/{scene.request.iid}/merge")
    scene.forge.push(scene.project, "feature", {"a.py": "2\n"})

    found = answer(scene, pipeline)

    assert (found.head_sha, found.head_branch, found.pull_requests) == (head, "feature", (scene.request.iid,))


def test_r35_a_pipeline_for_a_fork_names_the_forks_project(scene: Scene) -> None:
    fork = scene.forge.project("mallory/app", fork_of=scene.project)
    scene.forge.push(fork, "main", {"c.py": "3\n"})
    request = scene.forge.open_merge_request(scene.project, "main", source=fork)
    theirs = replace(scene, request=request)

    found = answer(theirs, start(theirs))

    assert (found.repository_id, found.head_repository_id) == (str(scene.project.id), str(fork.id))
    # Its branch is called as our protected one is.
    assert (found.head_branch, found.is_protected) == ("main", False)


def test_r30_a_pipeline_of_another_project_is_not_known_in_this_one(scene: Scene) -> None:
    other = scene.forge.project("group/other")
    theirs = scene.forge.start_pipeline(other, other.branches["main"], "main")

    early, late = ask(scene, theirs), ask(scene, theirs, at=scene.clock() - HOUR)

    assert (early.kind, early.answer) == (OutcomeKind.RETRY, None)
    assert (late.kind, late.code) == (OutcomeKind.SKIPPED, "unknown")
    assert late.answer == to_dict(CiRunAnswer(str(theirs.id), unknown=True))


@pytest.mark.parametrize("number", ["../../1", "1?x=", "", "0x10"])
def test_what_is_no_number_of_a_pipeline_is_asked_of_nobody(scene: Scene, number: str) -> None:
    outcome = ask(scene, number or "-")

    assert (outcome.kind, outcome.code, scene.requests()) == (OutcomeKind.SKIPPED, "unknown", [])


@pytest.mark.parametrize("part", [CI_RUN, HEAD])
def test_r44_a_project_that_is_not_listed_is_not_asked(scene: Scene, part: str) -> None:
    scene.target = replace(scene.target, repositories=(BoundRepository("https://gitlab.com", "1", "group/app"),))

    outcome = ask(scene, "1") if part == CI_RUN else ask_head(scene)

    assert (outcome.kind, outcome.code, scene.requests()) == (OutcomeKind.SKIPPED, "repository-not-bound", [])


def ask_head(scene: Scene, at: Any = None, **options: Any) -> Outcome:
    given = {"sha": scene.sha, "branch": "feature", "base_branch": "main", "pull_request": scene.request.iid}
    question = HeadQuestion("s", scene.place, **{**given, "ci_files": (".gitlab-ci.yml",), **options})
    return scene.deliver(HEAD, "head", to_dict(question), at=at)


def head(scene: Scene, **options: Any) -> HeadAnswer:
    outcome = ask_head(scene, **options)
    assert outcome.kind is OutcomeKind.DELIVERED
    return from_dict(HeadAnswer, outcome.answer)


def test_a_merge_request_is_told_by_its_files_and_both_sides_of_its_ci_file(scene: Scene) -> None:
    scene.forge.commit(scene.project, "main", {".gitlab-ci.yml": "attest: {}\n"})
    scene.forge.push(scene.project, "feature", {".gitlab-ci.yml": "attest: {when: never}\n", "a.py": None})

    found = head(scene)

    assert found.ci_files == {".gitlab-ci.yml": FileAnswer("attest: {}\n", "attest: {when: never}\n", FileState.ACTIVE)}
    assert found.changed_paths == (".gitlab-ci.yml",)
    assert (found.is_fork, found.is_protected, found.author) == (False, False, "tanuki")
    assert found.head_repository_id == str(scene.project.id)
    assert found.is_public is not scene.project.is_private


def test_r34_a_ci_file_that_a_merge_request_takes_away_is_there_on_the_other_side(scene: Scene) -> None:
    scene.forge.commit(scene.project, "main", {".gitlab-ci.yml": "attest: {}\n"})

    assert head(scene).ci_files[".gitlab-ci.yml"] == FileAnswer("attest: {}\n", None, FileState.ACTIVE)


def test_r34_a_tag_of_the_target_branchs_name_is_not_taken_for_it(scene: Scene) -> None:
    scene.forge.commit(scene.project, "main", {".gitlab-ci.yml": "attest: {}\n"})
    evil = scene.forge.push(scene.project, "evil", {".gitlab-ci.yml": "attest: {when: never}\n"})
    scene.forge.tag(scene.project, "main", evil)

    assert head(scene).ci_files[".gitlab-ci.yml"].base == "attest: {}\n"


def test_a_renamed_file_counts_under_both_names(scene: Scene) -> None:
    sha = scene.forge.push(scene.project, "feature", {"a.py": None, "b.py": "1\n"})

    assert set(head(scene, sha=sha).changed_paths or ()) == {"b.py"}
    before = scene.project.network.commits[sha].parents[0]
    assert set(head(scene, pull_request=None, base_branch=None, before=before).changed_paths or ()) == {"a.py", "b.py"}


def test_a_head_that_moved_on_is_compared_with_the_target(scene: Scene) -> None:
    old = scene.sha
    scene.forge.push(scene.project, "feature", {"z.py": "2\n"})

    assert head(scene, sha=old).changed_paths == ("a.py",)


def test_files_that_gitlab_does_not_list_to_the_end_are_not_known(scene: Scene) -> None:
    scene.forge.push(scene.project, "feature", {f"f{number}": "x" for number in range(3001)})

    assert head(scene).changed_paths is None


def test_a_push_is_told_by_what_it_brought(scene: Scene) -> None:
    before = scene.project.branches["main"]
    sha = scene.forge.push(scene.project, "main", {"m.py": "1\n"})

    found = head(scene, sha=sha, branch="main", base_branch=None, pull_request=None, before=before)

    assert (found.changed_paths, found.is_fork, found.is_protected) == (("m.py",), False, True)
    assert found.author is None


def test_the_first_push_of_a_branch_has_no_other_side(scene: Scene) -> None:
    found = head(scene, base_branch=None, pull_request=None)

    assert found.changed_paths is None


def test_a_fork_is_said_to_be_one_and_never_protected(scene: Scene) -> None:
    fork = scene.forge.project("mallory/app", fork_of=scene.project)
    scene.forge.push(fork, "main", {"c.py": "3\n"})
    theirs = replace(scene, request=scene.forge.open_merge_request(scene.project, "main", source=fork))

    found = head(theirs, branch="main")

    assert (found.is_fork, found.head_repository_id, found.is_protected) == (True, str(fork.id), False)
    assert found.changed_paths == ("c.py",)


@pytest.mark.parametrize(
    "options", [{"pull_request": 99}, {"pull_request": None, "base_branch": None, "sha": "f" * 40}]
)
def test_a_head_that_gitlab_does_not_know_is_asked_for_an_hour(scene: Scene, options: dict[str, Any]) -> None:
    early, late = ask_head(scene, **options), ask_head(scene, at=scene.clock() - HOUR, **options)

    assert (early.kind, late.kind) == (OutcomeKind.RETRY, OutcomeKind.SKIPPED)
    assert late.answer == to_dict(HeadAnswer(unknown=True))


def test_a_server_error_is_no_answer(scene: Scene) -> None:
    scene.forge.faults.server_error = 1.0

    asked = (ask(scene, "1", at=scene.clock() - HOUR), ask_head(scene, at=scene.clock() - HOUR))

    assert [(outcome.kind, outcome.answer) for outcome in asked] == [(OutcomeKind.RETRY, None)] * 2
