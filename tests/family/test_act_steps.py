"""The GitHub actions in act, against a live control plane: one step, steps apart, as others use them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.family.act import STORED, Repository, workflow
from tests.integration.live import Job

pytestmark = pytest.mark.real("act")

BUILD = {"run": "echo built > app"}
MATERIALS = "binary=app\nversion=1.2.3\n"
TOKEN = "${{ secrets.CHAINLOOP_TOKEN }}"
NAMED = {"token": TOKEN, "project": "hello", "workflow": "build"}


def states(job: Job) -> list[str]:
    return [run["state"] for run in job.runs()]


def test_one_step_attests(repository: Repository, job: Job) -> None:
    commit = repository.commit(
        build=workflow(BUILD, {"uses": "./", "with": {**NAMED, "materials": MATERIALS}}),
    )

    run = repository.run()

    assert run.status == 0, run.everything
    assert (run.verdicts, run.annotations) == ([STORED], [])
    [stored] = job.runs()
    assert (stored["state"], stored["runnerType"]) == ("success", "GITHUB_ACTION")
    facts = {name: stored["ci"].get(name) for name in ("provider", "repository", "job", "event", "headSha")}
    assert facts == {
        "provider": "github",
        "repository": "acme/widget",
        "job": "build",
        "event": "push",
        "headSha": commit,
    }


def test_the_steps_apart_attest_from_a_repository_that_is_not_ours(stranger: Repository, job: Job) -> None:
    stranger.commit(
        build=workflow(
            {"uses": "acme/chainloop/actions/init@v1", "with": {"project": "hello", "workflow": "build"}},
            BUILD,
            {"uses": "acme/chainloop/actions/add@v1", "with": {"name": "binary", "value": "app"}},
            {"uses": "acme/chainloop/actions/add@v1", "with": {"name": "version", "value": "1.2.3"}},
            {"uses": "acme/chainloop/actions/status@v1"},
            {"uses": "acme/chainloop/actions/push@v1", "if": "always()"},
            env={"CHAINLOOP_TOKEN": TOKEN},
        )
    )

    run = stranger.run()

    assert run.status == 0, run.everything
    assert states(job) == ["success"]
    assert run.annotations == []
    assert run.verdicts == [
        "The attestation is begun; 2 things are missing or wrong.",
        "The attestation is not stored yet; everything that its contract requires is there.",
        STORED,
    ]


def test_one_step_attests_from_a_repository_that_is_not_ours(stranger: Repository, job: Job) -> None:
    step: dict[str, Any] = {"uses": "acme/chainloop@v1", "with": {**NAMED, "materials": MATERIALS}}
    stranger.commit(build=workflow(BUILD, step))

    run = stranger.run()

    assert run.status == 0, run.everything
    assert states(job) == ["success"]


def test_a_missing_material_fails_the_step_and_ends_the_run(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(BUILD, {"uses": "./", "with": {**NAMED, "materials": "binary=app"}}))

    run = repository.run()

    assert run.status == 1
    assert run.result_of("./") == "failure"
    assert run.verdicts == ["The contract build is not met: 1 thing is missing or wrong."]
    assert run.annotations == [("error", "the material version (STRING) is required and was not added")]
    assert states(job) == ["error"]


def test_a_step_without_a_token_names_the_variable_that_is_empty(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(BUILD, {"uses": "./", "with": {**NAMED, "token": "", "materials": MATERIALS}}))

    run = repository.run()

    assert run.status == 1
    assert run.verdicts == ["The token, the key or a login is missing or was not accepted."]
    assert run.annotations == [("error", "the input `token` (CHAINLOOP_TOKEN) is set but empty")]
    assert states(job) == []


def test_an_input_wins_over_the_variable_of_the_job(repository: Repository, job: Job) -> None:
    step: dict[str, Any] = {"uses": "./", "with": {**NAMED, "materials": MATERIALS}}
    repository.commit(build=workflow(BUILD, step, env={"CHAINLOOP_WORKFLOW_NAME": "another", "CHAINLOOP_DRY_RUN": "1"}))

    run = repository.run()

    assert run.status == 0, run.everything
    assert "Dry run: nothing was signed" in run.log
    assert "another" not in run.log
    assert states(job) == []


def test_the_python_and_the_variables_of_the_job_are_the_same_afterwards(repository: Repository) -> None:
    seen = "$(command -v python3) $PATH $(env | grep ^CHAINLOOP_ | sort | tr '\\n' ' ') $(ls -A | tr '\\n' ' ')"
    look = {"run": f'echo "{seen}" >> "$RUNNER_TEMP/seen"'}
    compare = {"run": 'test "$(uniq "$RUNNER_TEMP/seen" | wc -l)" -eq 1 || { cat "$RUNNER_TEMP/seen"; exit 1; }'}
    step: dict[str, Any] = {"uses": "./", "with": {**NAMED, "materials": MATERIALS}}
    repository.commit(build=workflow(BUILD, look, step, look, compare))

    run = repository.run()

    assert run.status == 0, run.everything
