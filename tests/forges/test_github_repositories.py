"""The GitHub of tests: repositories, files, differences, pull requests, Actions, issues; as PyGithub reads them."""

from __future__ import annotations

from typing import Any

import pytest
from github import GithubException, UnknownObjectException

from examples.forge.github import FakeGitHub
from tests.forges.clients import PUBLIC_PEM, github_client

CI = ".github/workflows/ci.yml"


@pytest.fixture
def client(fake_github: FakeGitHub) -> Any:
    return github_client(fake_github, fake_github.token("robot"))


def test_a_repository_is_found_by_name_and_by_number(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app", is_private=True, id=42)
    fork = fake_github.repository("stranger/app", fork_of=made)

    assert client.get_repo(42).full_name == "octo-org/app"
    assert (client.get_repo("octo-org/app").complete().private, client.get_repo("octo-org/app").complete().id) == (
        True,
        42,
    )
    assert client.get_repo("stranger/app").complete().parent.id == made.id
    assert client.get_repo("stranger/app").complete().fork is fork.is_fork is True
    assert [one.full_name for one in client.get_organization("octo-org").get_repos()] == ["octo-org/app"]


def test_files_are_read_at_any_ref(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app", {CI: "on: push\n", "src/a.py": "1\n"})
    fake_github.push(made, "feature", {CI: None, "src/a.py": "2\n"})
    repository = client.get_repo("octo-org/app")

    assert repository.get_contents(CI).decoded_content == b"on: push\n"
    assert repository.get_contents("src/a.py", ref="feature").decoded_content == b"2\n"
    assert [one.path for one in repository.get_contents("src")] == ["src/a.py"]
    with pytest.raises(UnknownObjectException):
        repository.get_contents(CI, ref="feature").complete()
    assert [one.path for one in repository.get_git_tree("feature", recursive=True).tree] == ["src/a.py"]


def test_a_comparison_begins_at_the_merge_base(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app", {"a": "1\n", "old": "the same bytes\n"})
    fake_github.push(made, "feature", {"b": "2\n", "old": None, "new": "the same bytes\n"})
    fake_github.push(made, "main", {"c": "3\n"})

    found = client.get_repo("octo-org/app").compare("main", "feature")

    assert (found.status, found.ahead_by, found.behind_by) == ("diverged", 1, 1)
    assert [(one.filename, one.status, one.previous_filename) for one in found.files] == [
        ("b", "added", None),
        ("new", "renamed", "old"),
    ]


def test_the_files_of_a_pull_request_have_pages(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app")
    fake_github.push(made, "feature", {f"file-{number:03}": "x\n" for number in range(70)})
    fake_github.open_pull_request(made, "feature")

    pull = client.get_repo("octo-org/app").get_pull(1)

    assert len([one.filename for one in pull.get_files()]) == 70
    assert (pull.changed_files, pull.commits, pull.base.ref) == (70, 1, "main")
    assert [one.number for one in client.get_repo("octo-org/app").get_commit(pull.head.sha).get_pulls()] == [1]


def test_required_checks_name_the_app_that_must_set_them(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app")
    app = fake_github.app("chainloop", PUBLIC_PEM, {"checks": "write"})
    fake_github.protect(made, "main", {"chainloop/app/build": app, "lint": None})
    fake_github.protect(made, "main", {"chainloop/compliance": app}, by_ruleset=True)
    branch = client.get_repo("octo-org/app").get_branch("main")

    required = branch.get_required_status_checks()

    assert [(one.context, one.app_id) for one in required.checks] == [("chainloop/app/build", app.id), ("lint", None)]
    _, rules = client.requester.requestJsonAndCheck("GET", "/repos/octo-org/app/rules/branches/main")
    assert rules[0]["parameters"]["required_status_checks"] == [
        {"context": "chainloop/compliance", "integration_id": app.id}
    ]
    made.protections.clear()
    with pytest.raises(GithubException, match="Branch not protected"):
        branch.get_protection()


def test_every_attempt_of_a_run_can_be_read(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app", {CI: "on: push\n"})
    run = fake_github.start_run(made, CI, made.branches["main"], jobs=["attest", "lint"])
    fake_github.finish_job(run, "lint")
    fake_github.finish_run(run, "failure")
    fake_github.rerun(run, only_failed=True)

    found = client.get_repo("octo-org/app").get_workflow_run(run.id)

    assert (found.status, found.run_attempt, found.path, found.head_sha) == ("in_progress", 2, CI, run.sha)
    assert [(job.name, job.status) for job in found.jobs()] == [("attest", "in_progress")]
    assert len(list(found.jobs("all"))) == 3
    _, first = client.requester.requestJsonAndCheck("GET", f"/repos/octo-org/app/actions/runs/{run.id}/attempts/1")
    assert (first["status"], first["conclusion"], first["run_attempt"]) == ("completed", "failure", 1)
    with pytest.raises(UnknownObjectException):
        client.requester.requestJsonAndCheck("GET", f"/repos/octo-org/app/actions/runs/{run.id}/attempts/999999")


def test_runs_are_found_by_commit_and_by_workflow(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app", {CI: "on: push\n"})
    first = fake_github.start_run(made, CI, made.branches["main"])
    sha = fake_github.push(made, "main", {"a": "1\n"})
    second = fake_github.start_run(made, CI, sha)
    fake_github.finish_run(first)
    repository = client.get_repo("octo-org/app")

    assert [one.id for one in repository.get_workflow_runs(head_sha=sha)] == [second.id]
    assert [one.id for one in repository.get_workflow("ci.yml").get_runs()] == [second.id, first.id]
    assert [one.id for one in repository.get_workflow_runs(status="success")] == [first.id]
    assert [one.path for one in repository.get_workflows()] == [CI]


def test_a_workflow_of_the_default_branch_is_known_before_it_runs(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app", {CI: "on: push\n"})
    fake_github.push(made, "feature", {".github/workflows/other.yml": "on: push\n"})

    assert [one.path for one in client.get_repo("octo-org/app").get_workflows()] == [CI]


def test_the_api_answers_without_its_prefix_too(fake_github: FakeGitHub) -> None:
    fake_github.repository("octo-org/app", id=7)
    plain = github_client(fake_github, fake_github.token("robot"), base_url=fake_github.url)

    assert plain.get_repo("octo-org/app").complete().id == 7


def test_comments_are_kept_in_place(fake_github: FakeGitHub, client: Any) -> None:
    made = fake_github.repository("octo-org/app")
    fake_github.push(made, "feature", {"a": "1\n"})
    fake_github.open_pull_request(made, "feature")
    pull = client.get_repo("octo-org/app").get_pull(1)

    comment = pull.create_issue_comment("3 of 5 materials missing")
    comment.edit("all there")

    assert [(one.body, one.user.login) for one in pull.get_issue_comments()] == [("all there", "robot")]
    comment.delete()
    assert list(pull.get_issue_comments()) == []


def test_an_issue_is_opened_and_closed(fake_github: FakeGitHub, client: Any) -> None:
    fake_github.repository("octo-org/app")
    repository = client.get_repo("octo-org/app")

    issue = repository.create_issue("Newly required: sbom", "how to add it", labels=["chainloop"])
    issue.edit(state="closed")

    assert list(repository.get_issues()) == []
    assert [one.title for one in repository.get_issues(state="closed", labels=["chainloop"])] == [
        "Newly required: sbom"
    ]
    with pytest.raises(GithubException, match="too long"):
        repository.create_issue("x", "y" * 65537)
