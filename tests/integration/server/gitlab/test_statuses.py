"""Commit statuses: every row of table 3.3, and the state machine that GitLab puts them through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples.forge.faults import Faults
from server.model.deliveries import OutcomeKind
from server.model.verdict_kinds import SURFACES, GitlabState, VerdictKind
from tests.forges.clients import gitlab_client
from tests.integration.server.gitlab.conftest import CONTEXT, URL, Scene, start

RUNNING = [kind for kind in VerdictKind if SURFACES[kind].gitlab is GitlabState.RUNNING]
FINAL = [kind for kind in VerdictKind if SURFACES[kind].gitlab is not GitlabState.RUNNING]


@pytest.mark.parametrize("kind", VerdictKind)
def test_each_kind_of_verdict_is_one_status_in_the_pipeline_of_the_merge_request(
    scene: Scene, kind: VerdictKind
) -> None:
    outcome = scene.tell(scene.content(kind))

    assert outcome.kind is OutcomeKind.DELIVERED
    assert scene.writes() == [f"POST /statuses/{scene.sha}"]
    assert scene.pipeline in scene.forge.pipelines(scene.sha)
    assert len(scene.forge.pipelines(scene.sha)) == 1
    job = scene.shown()
    assert (job.status, job.description, job.target_url) == (SURFACES[kind].gitlab.value, f"it is {kind}", URL)


@pytest.mark.parametrize("last", FINAL)
def test_each_final_verdict_follows_a_run_that_was_told_of(scene: Scene, last: VerdictKind) -> None:
    codes = scene.tell_all(VerdictKind.EXPECTED, VerdictKind.INITIALIZED, VerdictKind.COMPLETE, last)

    assert codes == ["201"] * 4
    # GitLab refuses `running` on what runs: it is not even asked.
    assert len(scene.writes()) == 2
    assert scene.states() == [SURFACES[last].gitlab.value]


@pytest.mark.parametrize("first", FINAL)
def test_a_verdict_can_change_after_it_was_final(scene: Scene, first: VerdictKind) -> None:
    scene.tell_all(first, VerdictKind.INITIALIZED, VerdictKind.SUCCESS, VerdictKind.NOT_MET)

    assert scene.shown().status == "failed"
    assert scene.states() == [SURFACES[first].gitlab.value, "success", "failed"]


def test_what_gitlab_shows_already_is_not_told_again(scene: Scene) -> None:
    content = scene.content(VerdictKind.SUCCESS)
    scene.tell(content)

    assert scene.tell(replace(content, version=2)).code == "unchanged"
    assert len(scene.writes()) == 1


def test_an_older_verdict_does_not_replace_a_newer_one(scene: Scene) -> None:
    older, newer = scene.content(VerdictKind.SUCCESS), scene.content(VerdictKind.BLOCKED)
    scene.tell(newer)

    assert scene.tell(older, attempt=2).code == "older"
    assert scene.states() == ["failed"]


def test_running_on_what_runs_already_is_read_back_and_taken_for_told(scene: Scene) -> None:
    """Another dispatcher told it, and died before it could write that down."""
    content = scene.content(VerdictKind.INITIALIZED)
    scene.tell(content)
    scene.memories.clear()

    outcome = scene.tell(content)

    assert outcome.kind is OutcomeKind.DELIVERED
    assert scene.requests()[-2:] == [f"POST /statuses/{scene.sha}", f"GET /repository/commits/{scene.sha}/statuses"]
    assert scene.states() == ["running"]


def test_a_final_state_whose_answer_was_lost_is_not_a_second_job(scene: Scene) -> None:
    content = scene.content(VerdictKind.SUCCESS)
    scene.forge.faults.lost_answer, scene.forge.faults.only = 1.0, "POST .*/statuses/"

    lost = scene.tell(content)
    scene.forge.faults.lost_answer = 0.0
    told = scene.tell(content, attempt=2)

    assert (lost.kind, lost.blames_target) == (OutcomeKind.RETRY, True)
    assert told.kind is OutcomeKind.DELIVERED
    assert scene.states() == ["success"]


def test_a_locked_commit_is_tried_again_soon_and_blames_nobody(scene: Scene) -> None:
    content = scene.content(VerdictKind.SUCCESS)
    scene.forge.locked.add(scene.sha)

    locked = scene.tell(content)
    scene.forge.locked.clear()

    assert (locked.kind, locked.code, locked.blames_target) == (OutcomeKind.RETRY, "409", False)
    assert locked.retry_after is not None
    assert locked.retry_after.total_seconds() <= 1
    assert scene.tell(content, attempt=2).kind is OutcomeKind.DELIVERED


def test_a_verdict_that_somebody_overwrote_is_told_again(scene: Scene) -> None:
    """R40: any Developer can set our context."""
    content = scene.content(VerdictKind.NOT_MET)
    scene.tell(content)
    forger = gitlab_client(scene.forge, scene.forge.token("forger", user="mallory"))
    statuses = forger.projects.get(scene.project.id).commits.get(scene.sha).statuses
    statuses.create({"state": "success", "name": CONTEXT})

    scene.tell(replace(content, version=2, is_repeat=True))

    assert scene.states() == ["failed", "success", "failed"]
    assert scene.shown().user == "robot"


def test_a_newer_pipeline_gets_the_last_word_and_the_older_one_is_not_left_running(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.INITIALIZED))
    older = scene.pipeline
    newer = start(scene, "web")

    scene.tell_all(VerdictKind.COMPLETE, VerdictKind.SUCCESS)

    for pipeline in (older, newer):
        assert pipeline is not None
        assert [job.status for job in pipeline.current if job.is_status] == ["success"]


def test_a_status_is_for_the_head_and_not_for_what_is_merged_on_trial(scene: Scene) -> None:
    """R31."""
    start(scene, sha=scene.request.merge_sha, ref=f"refs/merge-requests/{scene.request.iid}/merge")

    scene.tell(scene.content(VerdictKind.SUCCESS))

    assert scene.states() == ["success"]
    assert scene.forge.statuses(scene.request.merge_sha) == []


def test_a_commit_of_a_branch_gets_its_status_in_the_pipeline_of_the_branch(scene: Scene) -> None:
    sha = scene.forge.push(scene.project, "main", {"b.py": "2\n"})
    pipeline = scene.forge.start_pipeline(scene.project, sha, "main")

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS, sha=sha, branch="main", pull_request=None))

    assert outcome.kind is OutcomeKind.DELIVERED
    assert [job.status for job in pipeline.current if job.is_status] == ["success"]


def test_a_description_is_cut_to_what_fits(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.NOT_MET, description="missing: " + "sbom-\N{PACKAGE} " * 60))

    description = scene.shown().description
    assert description is not None
    assert len(description) <= 140
    assert description.endswith("…")


def test_a_link_that_gitlab_would_refuse_is_left_out(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.SUCCESS, target_url=f"https://chainloop.test/{'x' * 255}"))

    assert (scene.shown().status, scene.shown().target_url) == ("success", None)


def test_an_older_name_of_a_context_gets_the_same_verdict(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.SUCCESS, prior_contexts=("chainloop/app/old",)))

    assert scene.states() == ["success"]
    assert scene.shown("chainloop/app/old").description == f"now {CONTEXT}: it is success"


def test_a_job_that_has_the_name_of_a_context_is_said_by_name(scene: Scene) -> None:
    scene.forge.start_pipeline(scene.project, scene.sha, "feature", jobs=["test", CONTEXT])

    outcome = scene.tell(scene.content(VerdictKind.SUCCESS))

    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "name-taken")
    assert CONTEXT in outcome.detail


def test_what_was_done_before_a_failure_is_not_done_again(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.INITIALIZED))
    start(scene, "web")
    content = scene.content(VerdictKind.SUCCESS)
    # With this seed the first of the two pipelines is written to, and the second one is not.
    faults = scene.forge.faults = Faults(seed=15, server_error=0.4, only="POST .*/statuses/")
    failed = scene.tell(content)
    assert sorted(scene.states()) == ["running", "success"]
    faults.server_error = 0.0
    scene.forge.log.clear()

    told = scene.tell(content, attempt=2)

    assert (failed.kind, told.kind) == (OutcomeKind.RETRY, OutcomeKind.DELIVERED)
    assert len(scene.writes()) == 1
    assert sorted(scene.states()) == ["success", "success"]
