"""The demo's second chapter: a pull request's statuses on a GitHub of our own, from «waiting» to «success»."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.demo.pull_request import CI_FILE, Watched
from examples.demo.terminal import DemoError, Terminal
from examples.forge.github import FakeGitHub
from examples.forge.github.world import Repository

BUILD_FILE = """\
name: build
on:
  pull_request:
jobs:
  build:
    runs-on: ubuntu-latest
    steps: [{run: make}]
"""
OF_WORKFLOW = "chainloop/skynet/build"
ROLL_UP = "chainloop/compliance"


@dataclass(frozen=True)
class Cast:
    """Who plays: the tokens of operator and administrator, and the job's environment."""

    admin: str
    job: Mapping[str, str]


def tell_of_statuses(
    terminal: Terminal, folder: Path, forge: FakeGitHub, cast: Cast, materials: Mapping[str, Path | str]
) -> None:
    """Tell the chapter.

    Raises:
        DemoError: a status does not come, or is another than it should be.
    """
    repository = forge.repository("cyberdyne/skynet", {CI_FILE: BUILD_FILE, "main.c": "int main;"}, is_private=True)
    forge.outbox.send_in_background()
    _operator_connects(terminal, forge, repository, cast.admin)
    watched = _developer_opens(terminal, forge, repository)
    _job_forgets(terminal, folder, watched, cast, materials)
    _developer_fixes(terminal, folder, watched, cast, materials)
    _nobody_attests(terminal, forge, repository)


def _operator_connects(terminal: Terminal, forge: FakeGitHub, repository: Repository, admin: str) -> None:
    terminal.say("Statuses: the operator connects a repository on GitHub (here: one on this machine, for the demo)")
    secret = forge.token("statuses", login="chainloop-bot", scopes=("repo", "admin:repo_hook"))
    env = {"CHAINLOOP_TOKEN": admin, "GITHUB_STATUS_TOKEN": secret}
    name = repository.full_name
    terminal.run(
        "chainloop", "integration", "registered", "add", "github", "--name", "github", "--url", forge.url,
        "--setting", f"repositories={name}", "--credential", "token=env://GITHUB_STATUS_TOKEN", env=env,
    )  # fmt: skip
    terminal.run("chainloop", "integration", "attached", "add", "github", env=env)
    terminal.run(
        "chainloop", "workflow", "update", "skynet/build", "--source", f"github:{forge.url}/{name}",
        "--ci-file", CI_FILE, "--branch", "main", "--event", "pull_request", env=env,
    )  # fmt: skip
    terminal.run("chainloop", "integration", "hooks", "sync", env=env)
    if len(repository.hooks) != 1:
        raise DemoError(f"expected one webhook on {name}, found {len(repository.hooks)}")
    forge.protect(repository, "main", {ROLL_UP: None})
    print(f"  On GitHub, {ROLL_UP} is made a required check of the branch main.")


def _developer_opens(terminal: Terminal, forge: FakeGitHub, repository: Repository) -> Watched:
    terminal.say("A developer opens a pull request: GitHub's webhook tells of it, and nobody waits in the dark")
    forge.push(repository, "fix-42", {"main.c": "int main(void) { return 42; }"}, "Return the answer")
    pull = forge.open_pull_request(repository, "fix-42", title="Return the answer")
    watched = Watched(forge, repository, pull)
    watched.expect({OF_WORKFLOW: "pending", ROLL_UP: "pending"}, "waiting for an attestation")
    return watched


def _job_forgets(
    terminal: Terminal, folder: Path, watched: Watched, cast: Cast, materials: Mapping[str, Path | str]
) -> None:
    terminal.say("Its job attests in one step, and has forgotten the SBOM")
    run = watched.start_job()
    words = [word for name, value in materials.items() if name != "sbom" for word in ("--material", f"{name}={value}")]
    env = {**cast.job, **watched.job_env(run, folder)}
    terminal.run("chainloop", "attestation", "craft", *words, env=env, status=3)
    watched.forge.finish_run(run, "failure")
    watched.expect({OF_WORKFLOW: "failure", ROLL_UP: "failure"}, "sbom")
    if watched.try_to_merge() is None:
        raise DemoError("expected GitHub to refuse a merge without the required check")


def _developer_fixes(
    terminal: Terminal, folder: Path, watched: Watched, cast: Cast, materials: Mapping[str, Path | str]
) -> None:
    terminal.say("The developer pushes a fix: another commit, which waits again")
    watched.forge.push(watched.repository, watched.pull.head, {"sbom.sh": "cyclonedx-py environment"}, "Make an SBOM")
    watched.expect({OF_WORKFLOW: "pending", ROLL_UP: "pending"}, "waiting for an attestation")

    terminal.say("Its job begins, adds everything and pushes; GitHub is asked whether it really ran on this commit")
    run = watched.start_job()
    env = {**cast.job, **watched.job_env(run, folder)}
    terminal.run("chainloop", "attestation", "init", env=env, show=False)
    watched.expect({OF_WORKFLOW: "pending", ROLL_UP: "pending"}, "attestation begun")
    for name, value in materials.items():
        terminal.run("chainloop", "attestation", "add", "--name", name, "--value", value, env=env, show=False)
    terminal.run("chainloop", "attestation", "push", "--bundle", folder / "of-pull-request.json", env=env, show=False)
    watched.forge.finish_run(run)
    watched.expect({OF_WORKFLOW: "success", ROLL_UP: "success"}, "signed")
    if watched.try_to_merge() is not None:
        raise DemoError("expected GitHub to merge what has its required check")


def _nobody_attests(terminal: Terminal, forge: FakeGitHub, repository: Repository) -> None:
    terminal.say("Another pull request, whose job does not attest: it waits, and is not merged")
    forge.push(repository, "in-a-hurry", {"main.c": "int main(void) { return 43; }"}, "Be quick")
    watched = Watched(forge, repository, forge.open_pull_request(repository, "in-a-hurry", title="Be quick"))
    watched.expect({OF_WORKFLOW: "pending", ROLL_UP: "pending"}, "waiting for an attestation")
    if watched.try_to_merge() is None:
        raise DemoError("expected GitHub to refuse a merge without the required check")
    print(
        "  Without an attestation within the grace time (`workflow update --grace`, 30 minutes) it becomes a failure."
    )
