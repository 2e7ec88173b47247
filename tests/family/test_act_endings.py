"""How a run ends on GitHub, whatever the job comes to: run in act, against a live control plane."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.family.act import Repository, finish, workflow
from tests.integration.live import Job

pytestmark = pytest.mark.real("act")

BEGUN = "The attestation is begun; 2 things are missing or wrong."
INIT = {"uses": "./actions/init", "with": {"project": "hello", "workflow": "build"}}
BUILD = {"run": "echo built > app"}
PUSH: dict[str, Any] = {"uses": "./actions/push", "if": "always()"}
ENV = {"CHAINLOOP_TOKEN": "${{ secrets.CHAINLOOP_TOKEN }}"}


def add(name: str, value: str) -> dict[str, Any]:
    return {"uses": "./actions/add", "with": {"name": name, "value": value}}


def test_a_job_that_fails_before_the_push_ends_its_run_as_failed(repository: Repository, job: Job) -> None:
    steps = (INIT, BUILD, add("binary", "app"), add("version", "1.2.3"), {"run": "exit 7"}, PUSH)
    repository.commit(build=workflow(*steps, env=ENV))

    run = repository.run()

    assert run.status == 1
    assert run.result_of("push") == "success", run.everything
    [stored] = job.runs()
    assert (stored["state"], stored.get("attestationDigest")) == ("error", None)
    assert run.verdicts == [BEGUN, "The attestation was ended without being stored: error."]
    assert run.annotations == []


def test_a_job_that_is_cancelled_ends_its_run_as_canceled(repository: Repository, job: Job) -> None:
    steps = (INIT, {"run": "echo now-waiting; sleep 600"}, PUSH)
    repository.commit(build=workflow(*steps, env=ENV))
    process = repository.start()
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if '"now-waiting' in line:
            break

    os.kill(process.pid, signal.SIGINT)
    run = finish(process, "".join(seen))

    assert run.status == 1
    [stored] = job.runs()
    assert stored["state"] == "canceled", run.everything
    assert run.verdicts == [BEGUN, "The attestation was ended without being stored: canceled."]
    assert run.annotations == []


def test_one_step_that_always_runs_records_that_the_job_has_failed(repository: Repository, job: Job) -> None:
    step: dict[str, Any] = {
        "uses": "./",
        "if": "always()",
        "with": {"project": "hello", "workflow": "build", "materials": "binary=app\nversion=1.2.3\n"},
    }
    repository.commit(build=workflow(BUILD, {"run": "exit 7"}, step, env=ENV))

    run = repository.run()

    assert run.status == 1
    assert [stored["state"] for stored in job.runs()] == ["error"], run.everything
    assert (run.verdicts, run.annotations) == (["The attestation was ended without being stored: error."], [])


def test_a_push_without_an_init_says_so(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(PUSH, env=ENV))

    run = repository.run()

    assert run.result_of("push") == "failure"
    assert [level for level, _ in run.annotations] == ["error"], run.everything
    assert run.annotations[0][1].startswith("no attestation is being crafted here")
    assert job.runs() == []
