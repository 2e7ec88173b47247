"""The GitLab of tests: projects, files, merge requests, notes, checks, issues, hooks, tokens; with python-gitlab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gitlab.exceptions import GitlabAuthenticationError, GitlabError, GitlabGetError, GitlabHttpError

from examples.forge.gitlab import FakeGitLab
from examples.forge.gitlab.life import MergeRefusedError
from examples.forge.gitlab.world import DEVELOPER
from tests.forges.checked import checked_gitlab
from tests.forges.clients import gitlab_client

CI = ".gitlab-ci.yml"


@pytest.fixture
def client(fake_gitlab: FakeGitLab) -> Any:
    return gitlab_client(fake_gitlab, fake_gitlab.token("robot"))


def test_a_project_is_found_by_number_and_by_path(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/sub/app", id=42, is_private=True)
    fake_gitlab.project("stranger/app", fork_of=made)

    assert client.projects.get(42).path_with_namespace == "group/sub/app"
    assert client.projects.get("group/sub/app").id == 42
    assert client.projects.get("stranger/app").forked_from_project["id"] == 42
    assert [one.id for one in client.groups.get("group/sub", lazy=True).projects.list(get_all=True)] == [42]


def test_files_and_differences_are_read_at_any_ref(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app", {CI: "test: {}\n", "src/a.py": "1\n"})
    fake_gitlab.push(made, "feature", {CI: None, "src/b.py": "2\n"})
    project = client.projects.get(made.id)

    assert project.files.get(CI, ref="main").decode() == b"test: {}\n"
    with pytest.raises(GitlabGetError, match="404 File Not Found"):
        project.files.get(CI, ref="feature")
    tree = project.repository_tree(ref="feature", recursive=True, get_all=True)
    assert [(one["path"], one["type"]) for one in tree] == [("src", "tree"), ("src/a.py", "blob"), ("src/b.py", "blob")]
    changes = project.repository_compare("main", "feature")["diffs"]
    assert [(one["new_path"], one["new_file"], one["deleted_file"]) for one in changes] == [
        (CI, False, True),
        ("src/b.py", True, False),
    ]


def test_protected_branches_are_for_maintainers(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    developer = gitlab_client(fake_gitlab, fake_gitlab.token("developer", level=DEVELOPER))

    assert [one.name for one in client.projects.get(made.id).protectedbranches.list(get_all=True)] == ["main"]
    assert client.projects.get(made.id).branches.get("main").protected is True
    with pytest.raises(GitlabError, match="403 Forbidden"):
        developer.projects.get(made.id).protectedbranches.list(get_all=True)


def test_a_merge_request_of_a_fork_has_its_pipeline_in_the_fork(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    fork = fake_gitlab.project("stranger/app", fork_of=made)
    sha = fake_gitlab.push(fork, "feature", {"a": "1\n"})
    request = fake_gitlab.open_merge_request(made, "feature", source=fork)
    pipeline = fake_gitlab.start_pipeline(
        fork, sha, "refs/merge-requests/1/head", "merge_request_event", request=request
    )

    found = client.projects.get(made.id).mergerequests.get(1)

    assert (found.sha, found.source_project_id, found.target_project_id) == (sha, fork.id, made.id)
    assert (found.head_pipeline["id"], found.head_pipeline["project_id"]) == (pipeline.id, fork.id)
    assert [one.id for one in found.pipelines.list(get_all=True)] == [pipeline.id]
    assert [
        one["new_path"] for one in client.http_list(f"/projects/{made.id}/merge_requests/1/diffs", get_all=True)
    ] == ["a"]


def test_a_pipeline_has_its_jobs_and_no_statuses_among_them(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    sha = made.branches["main"]
    pipeline = fake_gitlab.start_pipeline(made, sha, "main", jobs=["attest", "lint"])
    client.projects.get(made.id).commits.get(sha).statuses.create({"state": "running", "name": "chainloop"})
    fake_gitlab.finish_job(pipeline, "attest", "failed")
    fake_gitlab.retry_job(pipeline, "attest")
    found = client.projects.get(made.id).pipelines.get(pipeline.id)

    assert [(one.name, one.status) for one in found.jobs.list(get_all=True)] == [
        ("lint", "running"),
        ("attest", "running"),
    ]
    assert len(found.jobs.list(get_all=True, include_retried=True)) == 3
    job = client.projects.get(made.id).jobs.get(pipeline.jobs[0].id)
    assert (job.status, job.failure_reason, job.pipeline["id"]) == ("failed", "script_failure", pipeline.id)
    assert [one.id for one in client.projects.get(made.id).pipelines.list(sha=sha, get_all=True)] == [pipeline.id]


def test_notes_are_kept_in_place_by_who_wrote_them(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    fake_gitlab.push(made, "feature", {"a": "1\n"})
    fake_gitlab.open_merge_request(made, "feature")
    request = client.projects.get(made.id).mergerequests.get(1)
    written = request.notes.create({"body": "3 of 5 materials missing"})

    written.body = "all there"
    written.save()

    assert [(one.body, one.author["username"]) for one in request.notes.list(get_all=True)] == [("all there", "robot")]
    other = gitlab_client(fake_gitlab, fake_gitlab.token("another", user="another"))
    with pytest.raises(GitlabError, match="403 Forbidden"):
        other.projects.get(made.id).mergerequests.get(1).notes.update(written.id, {"body": "forged"})


def test_an_external_check_is_answered_for_the_present_head_only(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    check = fake_gitlab.status_check(made, "chainloop", "http://127.0.0.1:1/")
    made.needs_status_checks = True
    old = fake_gitlab.push(made, "feature", {"a": "1\n"})
    request = fake_gitlab.open_merge_request(made, "feature")
    new = fake_gitlab.push(made, "feature", {"a": "2\n"})
    path = f"/projects/{made.id}/merge_requests/1/status_check_responses"
    answer: dict[str, Any] = {"external_status_check_id": check.id, "status": "passed"}

    with pytest.raises(GitlabHttpError) as caught:
        client.http_post(path, post_data={**answer, "sha": old})
    assert caught.value.response_code == 409
    with pytest.raises(MergeRefusedError, match="status_checks_must_pass"):
        fake_gitlab.merge(request)
    client.http_post(path, post_data={**answer, "sha": new})

    assert (
        client.http_list(f"/projects/{made.id}/merge_requests/1/status_checks", get_all=True)[0]["status"] == "passed"
    )
    fake_gitlab.merge(request)


def test_an_external_check_that_is_not_answered_fails_after_two_minutes() -> None:
    now = [datetime.now(UTC)]
    with checked_gitlab(clock=lambda: now[0]) as forge:
        made = forge.project("group/app")
        forge.status_check(made, "chainloop", "http://127.0.0.1:1/")
        forge.push(made, "feature", {"a": "1\n"})
        forge.open_merge_request(made, "feature")
        client = gitlab_client(forge, forge.token("robot"))
        path = f"/projects/{made.id}/merge_requests/1/status_checks"

        assert client.http_list(path, get_all=True)[0]["status"] == "pending"
        now[0] += timedelta(minutes=2, seconds=1)
        assert client.http_list(path, get_all=True)[0]["status"] == "failed"


def test_an_issue_is_opened_and_closed(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    project = client.projects.get(made.id)

    issue = project.issues.create({"title": "Newly required: sbom", "labels": ["chainloop"]})
    project.issues.update(issue.iid, {"state_event": "close"})

    assert project.issues.list(state="opened", get_all=True) == []
    assert [one.title for one in project.issues.list(labels=["chainloop"], get_all=True)] == ["Newly required: sbom"]


def test_a_token_tells_its_scopes_and_its_end(fake_gitlab: FakeGitLab) -> None:
    ends = datetime(2027, 1, 2, tzinfo=UTC)
    client = gitlab_client(fake_gitlab, fake_gitlab.token("robot", scopes=("read_repository",), expires_at=ends))

    token = client.personal_access_tokens.get("self")

    assert (token.name, token.scopes, token.expires_at) == ("robot", ["read_repository"], "2027-01-02")


def test_a_token_that_ended_says_why(fake_gitlab: FakeGitLab) -> None:
    old = fake_gitlab.token("old", expires_at=fake_gitlab.clock() - timedelta(seconds=1))
    revoked = fake_gitlab.token("revoked")
    fake_gitlab.revoke(revoked)

    for secret, words in (
        (old, "Token is expired"),
        (revoked, "Token was revoked"),
        ("glpat-never", "401 Unauthorized"),
    ):
        with pytest.raises(GitlabAuthenticationError) as caught:
            gitlab_client(fake_gitlab, secret).personal_access_tokens.get("self")
        assert words in caught.value.response_body.decode()


def test_lists_have_pages_that_headers_lead_through(fake_gitlab: FakeGitLab, client: Any) -> None:
    made = fake_gitlab.project("group/app")
    for number in range(45):
        fake_gitlab.start_pipeline(made, made.branches["main"], f"branch-{number}")

    assert len(client.projects.get(made.id).pipelines.list(get_all=True)) == 45
    assert [seen.request.query["page"] for seen in fake_gitlab.log if "page" in seen.request.query] == ["2", "3"]
