"""R41: success goes only into a pipeline that is there; what a status alone cannot say, a note says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from examples.forge.gitlab.life import MergeRefusedError
from server.model.deliveries import OutcomeKind
from server.model.integrations import BoundRepository
from server.model.verdict_kinds import SURFACES, GitlabState, VerdictKind
from tests.integration.server.gitlab.conftest import CONTEXT, Scene, start

PASSING = [kind for kind in VerdictKind if SURFACES[kind].gitlab is GitlabState.SUCCESS]
PENDING = [kind for kind in VerdictKind if SURFACES[kind].gitlab is GitlabState.RUNNING]
LATER = 8
"""The number of a try after which no pipeline is waited for any more."""


def is_mergeable(scene: Scene) -> bool:
    try:
        scene.forge.merge(scene.request)
    except MergeRefusedError:
        return False
    return True


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("attempt", [1, LATER])
def test_r41_a_passing_verdict_opens_no_gate_that_waits_for_a_pipeline(
    bare: Scene, kind: VerdictKind, attempt: int
) -> None:
    outcome = bare.tell(bare.content(kind), attempt=attempt)

    assert (outcome.kind, outcome.code) == (
        OutcomeKind.RETRY if attempt == 1 else OutcomeKind.SKIPPED,
        "no-pipeline",
    )
    assert bare.writes() == []
    assert not is_mergeable(bare)


@pytest.mark.parametrize("others", ["", "ci/jenkins"])
def test_r41_a_pipeline_that_holds_only_our_statuses_gets_no_success(bare: Scene, others: str) -> None:
    bare.tell(bare.content(VerdictKind.MISSING), attempt=LATER)
    assert bare.states() == ["failed"]
    if others:
        post(bare, others, "running")

    outcome = bare.tell(bare.content(VerdictKind.SUCCESS), attempt=LATER)

    assert outcome.code == ("201" if others else "note")
    assert bare.states() == (["failed", "success"] if others else ["failed"])
    assert not is_mergeable(bare)


def test_r41_a_failing_verdict_shows_also_without_a_pipeline(bare: Scene) -> None:
    first = bare.tell(bare.content(VerdictKind.MISSING))

    told = bare.tell(bare.content(VerdictKind.MISSING), attempt=3)

    assert (first.kind, first.code, told.kind) == (OutcomeKind.RETRY, "no-pipeline", OutcomeKind.DELIVERED)
    (pipeline,) = bare.forge.pipelines(bare.sha)
    assert (pipeline.source, pipeline.status, pipeline.ref) == ("external", "failed", "feature")


def test_r41_once_there_is_a_pipeline_the_verdict_is_right_everywhere(bare: Scene) -> None:
    bare.tell(bare.content(VerdictKind.MISSING), attempt=3)
    pipeline = start(bare)

    bare.tell_all(VerdictKind.INITIALIZED, VerdictKind.SUCCESS)

    assert bare.states() == ["failed", "success", "success"]
    assert not is_mergeable(bare)
    bare.forge.finish_pipeline(pipeline)
    assert is_mergeable(bare)


def test_r41_another_failing_verdict_takes_the_place_of_the_first(bare: Scene) -> None:
    bare.tell(bare.content(VerdictKind.MISSING), attempt=3)

    bare.tell(bare.content(VerdictKind.CANCELED), attempt=3)

    assert len(bare.forge.pipelines(bare.sha)) == 1
    assert bare.states() == ["failed", "canceled"]


@pytest.mark.parametrize("jobs", [(), ("skipped",), ("manual", "skipped")])
def test_r41_a_pipeline_that_runs_nothing_gets_no_success(bare: Scene, jobs: tuple[str, ...]) -> None:
    """`[ci skip]`, a broken CI file, or rules that no job meets: our success would be the pipeline's."""
    pipeline = bare.forge.start_pipeline(bare.project, bare.sha, "feature", jobs=map(str, range(len(jobs))))
    for job, status in zip(pipeline.jobs, jobs, strict=True):
        job.status = status
    pipeline.status = "skipped"

    passing = bare.tell(bare.content(VerdictKind.NOT_APPLICABLE), attempt=LATER)
    assert (passing.code, bare.writes(), is_mergeable(bare)) == ("no-pipeline", [], False)
    failing = bare.tell(bare.content(VerdictKind.MISSING), attempt=LATER)

    assert failing.kind is OutcomeKind.DELIVERED
    assert bare.forge.pipelines(bare.sha) == [pipeline]
    assert (bare.states(), is_mergeable(bare)) == (["failed"], False)


def test_r41_work_that_was_seen_once_is_not_looked_for_again(scene: Scene) -> None:
    scene.tell(scene.content(VerdictKind.INITIALIZED))
    scene.forge.log.clear()

    scene.tell(scene.content(VerdictKind.SUCCESS))

    assert scene.requests() == [
        f"GET /merge_requests/{scene.request.iid}/pipelines",
        f"POST /statuses/{scene.sha}",
    ]


@pytest.mark.parametrize("kind", PENDING)
def test_r41_what_is_pending_makes_no_pipeline(bare: Scene, kind: VerdictKind) -> None:
    outcome = bare.tell(bare.content(kind), attempt=LATER)

    assert outcome.code == ("note" if kind is VerdictKind.UNTRUSTED_HEAD else "no-pipeline")
    assert bare.forge.pipelines(bare.sha) == []


@pytest.mark.parametrize("kind", VerdictKind)
def test_r41_skipped_is_never_posted(scene: Scene, kind: VerdictKind) -> None:
    scene.tell(scene.content(kind))

    assert "skipped" not in scene.states()


def test_r31_where_only_the_merged_result_has_a_pipeline_a_note_says_it(bare: Scene) -> None:
    start(bare, sha=bare.request.merge_sha, ref=f"refs/merge-requests/{bare.request.iid}/merge")

    codes = bare.tell_all(VerdictKind.INITIALIZED, VerdictKind.SUCCESS, VerdictKind.NOT_MET)

    assert codes == ["merged-results", "note", "note"]
    (note,) = bare.notes()
    assert f"**failed** [`{CONTEXT}`]" in note
    assert bare.forge.statuses(bare.sha) == bare.forge.statuses(bare.request.merge_sha) == []


def test_a_full_pipeline_is_named_and_a_note_says_it(scene: Scene) -> None:
    scene.project.most_jobs = 1

    outcome = scene.tell(scene.content(VerdictKind.NOT_MET))

    assert (outcome.kind, outcome.code) == (OutcomeKind.DELIVERED, "note")
    assert "exceeded the limit" in outcome.detail
    assert len(scene.notes()) == 1
    # Without the pipeline's number GitLab would have made another one.
    assert len(scene.forge.pipelines(scene.sha)) == 1


def test_a_status_that_stands_in_a_full_pipeline_still_changes(scene: Scene) -> None:
    scene.project.most_jobs = 2
    scene.tell(scene.content(VerdictKind.INITIALIZED))

    assert scene.tell(scene.content(VerdictKind.SUCCESS)).code == "201"
    assert scene.states() == ["success"]


def test_the_last_resort_can_be_switched_off(bare: Scene) -> None:
    bare.settings["note"] = "never"

    outcome = bare.tell(bare.content(VerdictKind.UNTRUSTED_HEAD), attempt=LATER)

    assert (outcome.kind, outcome.code, bare.notes()) == (OutcomeKind.SKIPPED, "no-pipeline", [])


@pytest.fixture
def forked(bare: Scene) -> Scene:
    """Return a merge request of a fork that the registration does not list."""
    fork = bare.forge.project("mallory/app", fork_of=bare.project)
    bare.forge.push(fork, "theirs", {"c.py": "3\n"})
    request = bare.forge.open_merge_request(bare.project, "theirs", source=fork)
    return replace(bare, request=request)


def test_r44_a_fork_that_nobody_listed_is_not_written_to(forked: Scene) -> None:
    forked.forge.start_pipeline(forked.request.source, forked.sha, "theirs")

    outcome = forked.tell(forked.content(VerdictKind.UNTRUSTED_HEAD), attempt=LATER)

    assert outcome.code == "note"
    assert forked.forge.statuses(forked.sha) == []


def test_a_fork_that_is_listed_gets_the_status_before_the_target_does(forked: Scene) -> None:
    fork = forked.request.source
    theirs = forked.forge.start_pipeline(fork, forked.sha, "theirs")
    start(forked)
    listed = (*forked.target.repositories, BoundRepository(forked.forge.url, str(fork.id), fork.path))
    forked.target = replace(forked.target, repositories=listed)

    forked.tell(forked.content(VerdictKind.SUCCESS))

    assert [job.status for job in theirs.current if job.is_status] == ["success"]


def test_a_pipeline_of_a_fork_in_the_target_project_gets_the_status(forked: Scene) -> None:
    ours = start(forked)

    forked.tell(forked.content(VerdictKind.SUCCESS))

    assert [job.status for job in ours.current if job.is_status] == ["success"]


def test_the_head_of_a_fork_gets_no_pipeline_in_the_target(forked: Scene) -> None:
    outcome = forked.tell(forked.content(VerdictKind.MISSING), attempt=LATER)

    assert outcome.code == "note"
    assert forked.forge.pipelines(forked.sha) == []


def post(scene: Scene, name: str, state: str) -> Any:
    """Set a status of somebody else in the newest pipeline."""
    from tests.forges.clients import gitlab_client

    client = gitlab_client(scene.forge, scene.forge.token("another", user="jenkins"))
    commit = client.projects.get(scene.project.id).commits.get(scene.sha)
    return commit.statuses.create({"state": state, "name": name})
