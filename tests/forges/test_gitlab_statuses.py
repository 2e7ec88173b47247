"""The GitLab of tests: commit statuses and their state machine, with python-gitlab.

Each rule stands in corpus/gitlab-openapi/README.md, «Commit status behaviour».
"""

from __future__ import annotations

from typing import Any

import pytest
from gitlab.exceptions import GitlabCreateError, GitlabListError

from examples.forge.gitlab import FakeGitLab
from examples.forge.gitlab.life import MergeRefusedError
from examples.forge.gitlab.world import DEVELOPER, REPORTER, Project
from tests.forges.clients import gitlab_client

NAME = "chainloop/app/build"


@pytest.fixture
def scene(fake_gitlab: FakeGitLab) -> tuple[FakeGitLab, Project, str]:
    """Return a forge, a project, and the head of a branch of it."""
    project = fake_gitlab.project("group/app")
    return fake_gitlab, project, fake_gitlab.push(project, "feature", {"a.py": "1\n"})


def setter(forge: FakeGitLab, project: Project, sha: str, **token: Any) -> Any:
    """Return a function that sets a status with a token of its own."""
    client = gitlab_client(forge, forge.token(str(token), **token))
    statuses = client.projects.get(project.id, lazy=True).commits.get(sha, lazy=True).statuses

    def set_status(state: str, **options: Any) -> Any:
        return statuses.create({"state": state, "name": NAME, **options})

    return set_status


def refused(call: Any, *arguments: Any, **options: Any) -> tuple[int, Any]:
    """Return status and message of a refusal."""
    with pytest.raises(GitlabCreateError) as caught:
        call(*arguments, **options)
    return caught.value.response_code, caught.value.error_message


def test_a_status_on_a_bare_commit_makes_an_external_pipeline(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene

    made = setter(forge, project, sha)("running", target_url="https://cp.test/runs/1", description="3 of 5 missing")

    (pipeline,) = forge.pipelines(sha)
    assert (pipeline.source, pipeline.status, pipeline.ref) == ("external", "running", "feature")
    assert (made.pipeline_id, made.description, made.ref) == (pipeline.id, "3 of 5 missing", "feature")


def test_a_status_goes_into_the_newest_pipeline_or_the_one_that_is_named(
    scene: tuple[FakeGitLab, Project, str],
) -> None:
    forge, project, sha = scene
    old = forge.start_pipeline(project, sha, "feature")
    new = forge.start_pipeline(project, sha, "refs/merge-requests/1/head", "merge_request_event")
    set_status = setter(forge, project, sha)

    assert set_status("success").pipeline_id == new.id
    assert set_status("success", pipeline_id=old.id).pipeline_id == old.id
    assert set_status("failed", ref="feature").pipeline_id == old.id
    assert len(forge.pipelines(sha)) == 2
    assert refused(set_status, "success", pipeline_id=1) == (404, "404 Pipeline for pipeline_id, sha and ref Not Found")


@pytest.mark.parametrize(
    ("first", "second", "event"),
    [("pending", "pending", "enqueue"), ("running", "pending", "enqueue"), ("running", "running", "run")],
)
def test_the_same_state_again_is_refused(
    scene: tuple[FakeGitLab, Project, str], first: str, second: str, event: str
) -> None:
    forge, project, sha = scene
    set_status = setter(forge, project, sha)
    set_status(first)

    status, message = refused(set_status, second)

    assert (status, message.startswith(f"Cannot transition status via :{event} from :{first}")) == (400, True)
    assert [job.status for job in forge.statuses(sha)] == [first]


def test_skipped_is_not_reached_from_running(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    set_status = setter(forge, project, sha)
    set_status("running")

    assert refused(set_status, "skipped")[0] == 400


def test_a_finished_status_is_retried_and_the_old_one_hidden(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    set_status = setter(forge, project, sha)
    for state in ("running", "failed", "success", "success"):
        set_status(state)

    assert [(job.status, job.is_retried) for job in forge.statuses(sha)] == [
        ("failed", True),
        ("success", True),
        ("success", False),
    ]
    commit = gitlab_client(forge, forge.token("reader")).projects.get(project.id).commits.get(sha)
    assert [one.status for one in commit.statuses.list(get_all=True)] == ["success"]
    assert len(commit.statuses.list(get_all=True, all=True)) == 3
    assert commit.last_pipeline["status"] == "success"


def test_another_users_open_status_is_replaced(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    setter(forge, project, sha, user="one")("running")

    setter(forge, project, sha, user="another")("running")

    assert [(job.user, job.is_retried) for job in forge.statuses(sha)] == [("one", True), ("another", False)]


def test_a_locked_commit_is_a_conflict(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    forge.locked.add(sha)

    assert refused(setter(forge, project, sha), "success") == (
        409,
        "Another update to this commit status is in progress",
    )
    assert forge.pipelines(sha) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_url": "x" * 256}, "is too long (maximum is 255 characters)"),
        ({"target_url": "javascript:alert(1)"}, "is blocked"),
        ({"description": "x" * 256}, "is too long (maximum is 255 characters)"),
    ],
)
def test_fields_have_their_limits(
    scene: tuple[FakeGitLab, Project, str], options: dict[str, str], message: str
) -> None:
    forge, project, sha = scene

    status, said = refused(setter(forge, project, sha), "success", **options)

    assert (status, message in str(said[next(iter(options))])) == (400, True)
    assert forge.statuses(sha) == []


def test_an_unknown_state_is_refused(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene

    assert refused(setter(forge, project, sha), "error") == (400, "state does not have a valid value")


def test_a_name_that_a_job_has_is_taken(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    forge.start_pipeline(project, sha, "feature", jobs=[NAME])

    assert refused(setter(forge, project, sha), "success") == (400, {"name": ["has already been taken"]})


def test_who_may_not_write_is_refused(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    main = project.branches["main"]
    private = forge.project("group/private", is_private=True)

    assert refused(setter(forge, project, sha, level=REPORTER), "success") == (403, "403 Forbidden")
    assert refused(setter(forge, project, main, level=DEVELOPER), "success", ref="main") == (403, "403 Forbidden")
    assert refused(setter(forge, project, sha, scopes=("read_api",)), "success")[0] == 403
    assert refused(setter(forge, private, sha, level=0), "success") == (404, "404 Project Not Found")
    assert refused(setter(forge, project, "f" * 40), "success") == (404, "404 Commit Not Found")
    assert setter(forge, project, sha, level=DEVELOPER)("success").status == "success"


def test_a_full_pipeline_takes_no_more_when_it_is_named(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    full = forge.start_pipeline(project, sha, "feature")
    project.most_jobs = 1
    set_status = setter(forge, project, sha)

    assert refused(set_status, "success", pipeline_id=full.id) == (422, "The number of jobs has exceeded the limit")
    assert set_status("running").pipeline_id != full.id


def test_a_status_alone_can_open_a_gate_that_asks_for_a_pipeline(scene: tuple[FakeGitLab, Project, str]) -> None:
    """Why success is posted only into a pipeline that is there (R41)."""
    forge, project, sha = scene
    project.needs_pipeline = True
    request = forge.open_merge_request(project, "feature")
    with pytest.raises(MergeRefusedError, match="ci_must_pass"):
        forge.merge(request)

    setter(forge, project, sha)("success")

    assert forge.merge(request) == project.branches["main"]


def test_a_skipped_status_blocks_a_gate_that_asks_for_a_pipeline(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    project.needs_pipeline = True
    request = forge.open_merge_request(project, "feature")
    setter(forge, project, sha)("skipped")

    with pytest.raises(MergeRefusedError, match="ci_must_pass"):
        forge.merge(request)


def test_a_running_status_keeps_a_pipeline_running(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    pipeline = forge.start_pipeline(project, sha, "feature")
    setter(forge, project, sha)("running")

    forge.finish_pipeline(pipeline)

    assert pipeline.status == "running"
    setter(forge, project, sha)("success")
    assert pipeline.status == "success"


def test_the_log_names_tokens_and_never_holds_one(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, sha = scene
    setter(forge, project, sha)("success")

    (written,) = forge.writes("/statuses/")
    assert written.request.headers["private-token"] == f"token {written.who}"
    assert not any(secret in repr(forge.log) for secret in forge.tokens)


def test_statuses_of_an_unknown_commit_are_not_found(scene: tuple[FakeGitLab, Project, str]) -> None:
    forge, project, _ = scene
    commit = gitlab_client(forge, forge.token("reader")).projects.get(project.id).commits.get("f" * 40, lazy=True)

    with pytest.raises(GitlabListError, match="404 Commit Not Found"):
        commit.statuses.list(get_all=True)
