"""What the demo shows of a pull request: the statuses that count, and an end of waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from examples.demo.pull_request import CI_FILE, Watched
from examples.demo.terminal import DemoError
from examples.forge.github import FakeGitHub
from tests.forges.clients import github_client

CONTEXT = "chainloop/skynet/build"
LONG = "missing: sbom, tests, lint and a description that needs a second line of the table"


@pytest.fixture
def watched() -> Iterator[Watched]:
    with FakeGitHub() as forge:
        repository = forge.repository("cyberdyne/skynet", {CI_FILE: "on: pull_request\n"}, is_private=True)
        forge.push(repository, "fix", {"main.c": "int main;"})
        yield Watched(forge, repository, forge.open_pull_request(repository, "fix", title="Fix"))


def say(watched: Watched, *states: str, description: str = "") -> None:
    client = github_client(watched.forge, watched.forge.token("bot"))
    commit = client.get_repo(watched.repository.full_name).get_commit(watched.pull.head_sha)
    for state in states:
        commit.create_status(state, "https://chainloop.test/verdicts/1", description, CONTEXT)


def test_the_newest_status_of_a_context_is_shown_with_its_link(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    say(watched, "pending", "failure", description=LONG)

    watched.expect({CONTEXT: "failure"}, "sbom")

    shown = capsys.readouterr().out
    assert "pending" not in shown
    assert "https://chainloop.test/verdicts/1" in shown
    assert all(word in shown for word in LONG.split())


@pytest.mark.parametrize(("state", "words"), [("success", "signed"), ("failure", "sbom")])
def test_a_status_that_does_not_come_ends_the_demo(watched: Watched, state: str, words: str) -> None:
    impatient = replace(watched, wait_seconds=0.1)
    say(watched, "failure", description="missing: tests")

    with pytest.raises(DemoError, match=f"expected the statuses .*{state}.*{words}"):
        impatient.expect({CONTEXT: state}, words)


def test_a_pull_request_is_merged_when_its_required_check_is_there(watched: Watched) -> None:
    watched.forge.protect(watched.repository, "main", {CONTEXT: None})

    assert watched.try_to_merge() == CONTEXT
    say(watched, "success")
    assert watched.try_to_merge() is None


def test_a_job_is_told_its_head_by_the_event_document(watched: Watched, tmp_path: Path) -> None:
    run = watched.start_job()

    env = watched.job_env(run, tmp_path)

    event = json.loads(Path(env["GITHUB_EVENT_PATH"]).read_text())
    assert event["pull_request"]["head"]["sha"] == watched.pull.head_sha != env["GITHUB_SHA"]
    assert (env["GITHUB_SERVER_URL"], env["GITHUB_RUN_ID"]) == (watched.forge.url, str(run.id))
