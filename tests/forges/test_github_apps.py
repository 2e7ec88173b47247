"""The GitHub of tests: Apps, installations and their tokens, check runs, deployment protection rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from github import GithubException, UnknownObjectException

from examples.forge.github import FakeGitHub
from examples.forge.github.world import App, Installation, Repository
from tests.forges.checked import checked_github
from tests.forges.clients import PUBLIC_PEM, app_client, github_client, receiver

RIGHTS = {"checks": "write", "statuses": "write", "deployments": "write", "actions": "read"}


@pytest.fixture
def scene(fake_github: FakeGitHub) -> tuple[FakeGitHub, Repository, App, Installation]:
    """Return a forge with an App in one of two repositories of an organization."""
    repository = fake_github.repository("octo-org/app", is_private=True)
    fake_github.repository("octo-org/other", is_private=True)
    app = fake_github.app("chainloop", PUBLIC_PEM, RIGHTS)
    return fake_github, repository, app, fake_github.install(app, "octo-org", [repository], users=("octocat",))


def installed(forge: FakeGitHub, app: App, one: Installation, **options: Any) -> Any:
    """Return a client with a token of an installation."""
    path = f"/app/installations/{one.id}/access_tokens"
    _, document = app_client(forge, app.id).requester.requestJsonAndCheck("POST", path, input=options)
    return github_client(forge, document["token"])


def test_an_installation_has_its_repositories_and_no_others(
    scene: tuple[FakeGitHub, Repository, App, Installation],
) -> None:
    forge, repository, app, one = scene
    client = installed(forge, app, one)

    _, found = client.requester.requestJsonAndCheck("GET", "/installation/repositories")

    assert [each["id"] for each in found["repositories"]] == [repository.id]
    with pytest.raises(UnknownObjectException):
        client.get_repo("octo-org/other").complete()
    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        client.get_user().login  # noqa: B018  # the client asks when it is read


def test_a_token_ends_after_an_hour() -> None:
    now = [datetime.now(UTC)]
    with checked_github(clock=lambda: now[0]) as forge:
        repository = forge.repository("octo-org/app")
        app = forge.app("chainloop", PUBLIC_PEM, RIGHTS)
        client = installed(forge, app, forge.install(app, "octo-org"))
        commit = client.get_repo("octo-org/app").get_commit(repository.branches["main"])
        commit.create_status("pending")

        now[0] += timedelta(hours=1)

        with pytest.raises(GithubException, match="Bad credentials"):
            commit.create_status("success")


def test_a_token_may_have_fewer_rights_but_not_more(scene: tuple[FakeGitHub, Repository, App, Installation]) -> None:
    forge, repository, app, one = scene
    weak = installed(forge, app, one, permissions={"checks": "write"})

    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        weak.get_repo("octo-org/app").get_commit(repository.branches["main"]).create_status("success")
    with pytest.raises(GithubException, match="not granted to this installation"):
        installed(forge, app, one, permissions={"administration": "write"})
    with pytest.raises(GithubException, match="does not exist or is not accessible"):
        installed(forge, app, one, repositories=["other"])


def test_a_person_lists_the_installations_that_are_theirs(
    scene: tuple[FakeGitHub, Repository, App, Installation],
) -> None:
    forge, _, app, one = scene
    theirs = github_client(forge, forge.token("theirs", "user", login="octocat", app=app))
    strangers = github_client(forge, forge.token("a stranger's", "user", login="stranger", app=app))
    classic = github_client(forge, forge.token("classic"))

    assert [each.id for each in theirs.get_user().get_installations()] == [one.id]
    assert list(strangers.get_user().get_installations()) == []
    with pytest.raises(GithubException, match="access token authorized to a GitHub App"):
        list(classic.get_user().get_installations())


def test_another_apps_installation_is_not_found(scene: tuple[FakeGitHub, Repository, App, Installation]) -> None:
    forge, _, _, one = scene
    other = forge.app("other", PUBLIC_PEM, RIGHTS)

    with pytest.raises(UnknownObjectException):
        installed(forge, other, one)


def test_a_check_run_lives_in_place(scene: tuple[FakeGitHub, Repository, App, Installation]) -> None:
    forge, found, app, one = scene
    repository = installed(forge, app, one).get_repo("octo-org/app")
    sha = found.branches["main"]

    run = repository.create_check_run("chainloop/app/build", sha, external_id="ours", status="in_progress")
    run.edit(conclusion="neutral", output={"title": "5/5", "summary": "all there"})

    (listed,) = repository.get_commit(sha).get_check_runs(check_name="chainloop/app/build")
    assert (listed.id, listed.status, listed.conclusion, listed.external_id) == (run.id, "completed", "neutral", "ours")
    assert listed.output.title == "5/5"
    assert [suite.app.id for suite in repository.get_commit(sha).get_check_suites()] == [app.id]


def test_a_completed_check_run_needs_a_conclusion(scene: tuple[FakeGitHub, Repository, App, Installation]) -> None:
    forge, found, app, one = scene
    repository = installed(forge, app, one).get_repo("octo-org/app")

    with pytest.raises(GithubException) as caught:
        repository.create_check_run("x", found.branches["main"], status="completed")

    assert caught.value.status == 422
    assert found.check_runs == {}


def test_one_request_takes_fifty_annotations_and_the_next_adds_to_them(
    scene: tuple[FakeGitHub, Repository, App, Installation],
) -> None:
    forge, found, app, one = scene
    repository = installed(forge, app, one).get_repo("octo-org/app")
    line = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "missing: sbom"}
    output: dict[str, Any] = {"title": "t", "summary": "s"}

    run = repository.create_check_run("x", found.branches["main"], output={**output, "annotations": [line] * 50})
    run.edit(output={**output, "annotations": [line]})

    assert len(list(run.get_annotations())) == 51
    with pytest.raises(GithubException, match="No more than 50"):
        run.edit(output={**output, "annotations": [line] * 51})


def test_only_its_app_changes_a_check_run(scene: tuple[FakeGitHub, Repository, App, Installation]) -> None:
    forge, found, app, one = scene
    run = installed(forge, app, one).get_repo("octo-org/app").create_check_run("x", found.branches["main"])
    other = forge.app("other", PUBLIC_PEM, RIGHTS)
    client = installed(forge, other, forge.install(other, "octo-org"))

    with pytest.raises(GithubException, match="can only be modified by the GitHub App that created it"):
        client.get_repo("octo-org/app").get_check_run(run.id).edit(conclusion="success")

    assert found.check_runs[run.id].conclusion is None


def test_a_required_check_of_an_app_is_no_other_sources(
    scene: tuple[FakeGitHub, Repository, App, Installation],
) -> None:
    forge, found, app, one = scene
    forge.protect(found, "main", {"chainloop": app})
    sha = forge.push(found, "feature", {"a": "1\n"})
    pull = forge.open_pull_request(found, "feature")
    admin = github_client(forge, forge.token("a person"))
    state = lambda: admin.get_repo("octo-org/app").get_pull(pull.number).mergeable_state  # noqa: E731  # asked twice

    admin.get_repo("octo-org/app").get_commit(sha).create_status("success", context="chainloop")
    forge.set_check_run(found, forge.app("other", PUBLIC_PEM, {}), sha, "chainloop", "success")
    assert state() == "blocked"
    repository = installed(forge, app, one).get_repo("octo-org/app")
    repository.create_check_run("chainloop", sha, conclusion="skipped", status="completed")

    assert state() == "clean"


def test_what_an_app_did_not_take_is_sent_again(fake_github: FakeGitHub) -> None:
    with receiver(500) as stub:
        fake_github.repository("octo-org/app")
        app = fake_github.app("chainloop", PUBLIC_PEM, RIGHTS, ["check_run"], stub.url, "secret")
        fake_github.install(app, "octo-org")
        (sent,) = fake_github.deliver()
        requester = app_client(fake_github, app.id).requester
        _, listed = requester.requestJsonAndCheck("GET", "/app/hook/deliveries")
        requester.requestJsonAndCheck("POST", f"/app/hook/deliveries/{listed[0]['id']}/attempts")
        (again,) = fake_github.deliver()

    assert [(each["event"], each["status_code"]) for each in listed] == [("installation", 500)]
    assert (again.guid, again.is_redelivery) == (sent.guid, True)
    assert requester.requestJsonAndCheck("GET", "/app/hook/config")[1]["secret"] == "********"


def test_a_deployment_waits_for_an_answer_by_its_run(scene: tuple[FakeGitHub, Repository, App, Installation]) -> None:
    forge, found, app, one = scene
    run = forge.start_run(found, ".github/workflows/deploy.yml", found.branches["main"])
    forge.ask_deployment(run, "production", callback="https://attacker.test/steal")
    requester = installed(forge, app, one).requester
    path = f"/repos/octo-org/app/actions/runs/{run.id}/deployment_protection_rule"
    answer = {"environment_name": "production", "state": "rejected", "comment": "missing: api"}

    requester.requestJsonAndCheck("POST", path, input=answer)

    assert run.protections == [{**answer, "app_id": app.id}]
    assert (run.last.conclusion, run.waiting_for) == ("failure", set())
    with pytest.raises(GithubException, match="No pending deployment requests"):
        requester.requestJsonAndCheck("POST", path, input=answer)
