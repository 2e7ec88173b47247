"""What people and later steps see of our actions on GitHub: outputs, summary, annotations. Run in act."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.family.act import Repository, workflow
from tests.integration.live import Job

pytestmark = pytest.mark.real("act")

BUILD = {"run": "echo built > app"}
ENV = {"CHAINLOOP_TOKEN": "${{ secrets.CHAINLOOP_TOKEN }}"}
SHOW = {"run": 'echo "outputs=$OUTPUTS"', "if": "always()", "env": {"OUTPUTS": "${{ toJSON(steps.attest.outputs) }}"}}


def attest(materials: str, **more: Any) -> dict[str, Any]:
    return {
        "uses": "./",
        "id": "attest",
        **more,
        "with": {"project": "hello", "workflow": "build", "materials": materials},
    }


def outputs_of(log: str) -> dict[str, str]:
    """Return the outputs that the last step printed."""
    found: dict[str, str] = json.JSONDecoder().raw_decode(log.split("outputs=", 1)[1])[0]
    return found


def test_a_later_step_reads_the_outputs(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(BUILD, attest("binary=app\nversion=1.2.3\n"), SHOW, env=ENV))

    run = repository.run()

    assert run.status == 0, run.everything
    [stored] = job.runs()
    assert stored["viewUrl"].endswith(f"/runs/{stored['id']}")
    assert outputs_of(run.log) == {
        "run-id": stored["id"],
        "run-url": stored["viewUrl"],
        "attestation-digest": stored["attestationDigest"],
        "bundle-path": "",
        "state": "success",
        "compliant": "true",
        "missing-materials": "[]",
        "attestation-id": "",
        "sealed-handle": "",
    }


def test_the_outputs_of_a_failed_step_say_what_is_missing(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(BUILD, attest("binary=app"), SHOW, env=ENV))

    run = repository.run()

    outputs = outputs_of(run.log)
    assert (outputs["state"], outputs["compliant"], outputs["missing-materials"]) == ("error", "false", '["version"]')
    assert outputs["run-id"] == job.runs()[0]["id"]


def test_a_missing_material_is_an_annotation_with_what_to_write(repository: Repository) -> None:
    repository.commit(build=workflow(BUILD, attest("binary=app"), env=ENV))

    run = repository.run()

    [error] = run.commands("error")
    assert error["kvPairs"]["title"] == "Missing material"
    assert error["arg"].splitlines() == [
        "the material version (STRING) is required and was not added",
        "What to do: add the line `version=<text>` under `materials:` of this step",
    ]


def test_the_summary_has_the_verdict_first_and_every_material(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(BUILD, attest("binary=app"), env=ENV))

    run = repository.run()

    # act shows it once more when the composite action ends.
    [summary] = {line["content"] for line in run.commands("summary")}
    lines = summary.splitlines()
    assert lines[0] == "## Chainloop attestation of `build`"
    assert lines[2] == "**The contract build is not met: 1 thing is missing or wrong.**"
    assert f"| Run | `{job.runs()[0]['id']}` |" in lines
    assert "| `version` | `STRING` |  |  | yes | missing |" in lines


def test_secrets_are_masked_before_anything_else_is_said(repository: Repository, job: Job) -> None:
    repository.commit(build=workflow(BUILD, attest("binary=app\nversion=1.2.3\n"), env=ENV))

    run = repository.run()

    inner = [line for line in run.lines if line.get("stepID") == ["attest", "chainloop"]][1:]
    assert (inner[0]["command"], inner[0]["arg"]) == ("add-mask", job.token)
    said = [str(line.get("msg")) for line in run.lines] + [str(line.get("content")) for line in run.lines]
    assert not any(job.token in text for text in said)


def test_t04_a_fork_s_pull_request_is_checked_and_posts_nothing(repository: Repository, job: Job) -> None:
    contract = (
        "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\n"
        "spec: {materials: [{name: binary, type: ARTIFACT}, {name: version, type: STRING}]}\n"
    )
    step = attest("binary=app")
    step["with"]["contract"] = "contract.yaml"
    repository.write("contract.yaml", contract)
    head = repository.commit(build=workflow(BUILD, step, SHOW, on="pull_request", env=ENV))
    repository.secrets.clear()  # as GitHub gives none to a fork's job

    run = repository.run("pull_request", document=fork_event(head))

    assert run.status == 0, run.everything
    assert run.verdicts == ["The contract build is not met: 1 thing is missing or wrong."]
    missing, (level, reason) = run.annotations
    assert missing == ("warning", "the material version (STRING) is required and was not added")
    assert (level, reason[:57]) == ("notice", "This job is one without secrets (pull request from a fork")
    outputs = outputs_of(run.log)
    assert (outputs["state"], outputs["compliant"], outputs["missing-materials"]) == ("dry-run", "false", '["version"]')
    assert job.runs() == []


def fork_event(head: str) -> dict[str, Any]:
    return {
        "action": "opened",
        "number": 7,
        "repository": {"full_name": "acme/widget", "fork": False},
        "pull_request": {
            "number": 7,
            "head": {"sha": head, "ref": "feature", "repo": {"full_name": "mallory/widget", "fork": True}},
            "base": {"sha": head, "ref": "main", "repo": {"full_name": "acme/widget", "fork": False}},
        },
    }


def test_t04_pull_request_target_is_refused(repository: Repository, job: Job) -> None:
    head = repository.commit(
        build=workflow(BUILD, attest("binary=app\nversion=1\n"), on="pull_request_target", env=ENV)
    )

    run = repository.run("pull_request_target", document=fork_event(head))

    assert run.status == 1
    assert "pull_request_target" in run.commands("error")[0]["arg"]
    assert job.runs() == []
