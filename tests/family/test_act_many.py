"""Repositories with many attestations, matrices and reusable workflows: our actions in act."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from chainloop_ci.signing.generate import generate_key
from tests.family.act import CHECKOUT, STORED, Repository, workflow
from tests.integration.live import Job

pytestmark = pytest.mark.real("act")

ENV = {"CHAINLOOP_TOKEN": "${{ secrets.CHAINLOOP_TOKEN }}"}
SERVICES = [f"service-{number}" for number in range(10)]


def statement_of(job: Job, digest: str) -> dict[str, Any]:
    """Return what the stored attestation says."""
    bundle = json.loads(job.tenant.request("GET", f"/attestations/{digest}").data)
    statement: dict[str, Any] = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return statement


@pytest.fixture
def monorepo(repository: Repository, job: Job) -> Repository:
    """Return a repository whose file names ten attestations, each of a workflow of its own."""
    entries = []
    for name in SERVICES:
        body = {"name": name, "project": "hello", "contract": "build", "team": "core"}
        job.tenant.call("POST", "/workflows", body)
        materials = [{"name": "binary", "path": f"{name}/app"}, {"name": "version", "value": "1.2.3"}]
        entries.append({"name": name, "workflow": name, "project": "hello", "materials": materials})
    private, public = generate_key()
    key = job.tenant.folder / "monorepo.key"
    key.write_text(private)
    key.chmod(0o600)
    body = {"name": "monorepo", "publicKey": public, "workflows": [f"hello/{name}" for name in SERVICES]}
    job.tenant.call("POST", "/verification-keys", body)
    repository.env["CHAINLOOP_SIGNING_KEY"] = str(key)
    repository.secrets["CHAINLOOP_TOKEN"] = job.tenant.token("attest", project="hello")
    repository.write(".chainloop.yml", yaml.safe_dump({"attestations": entries}))
    return repository


def test_ten_named_attestations_of_a_monorepo(monorepo: Repository, job: Job) -> None:
    build = {"run": f"for name in {' '.join(SERVICES)}; do mkdir $name; echo $name > $name/app; done"}
    steps = [{"uses": "./", "with": {"attestation": name}} for name in SERVICES]
    monorepo.commit(build=workflow(build, *steps, env=ENV))

    run = monorepo.run()

    assert run.status == 0, run.everything
    runs = job.tenant.call("GET", "/workflow-runs")["items"]
    assert sorted((stored["workflow"], stored["state"]) for stored in runs) == [(name, "success") for name in SERVICES]
    assert len({stored["attestationDigest"] for stored in runs}) == 10
    assert (run.verdicts, run.annotations) == ([STORED] * 10, [])


def test_each_leg_of_a_matrix_is_a_run_of_its_own(repository: Repository, job: Job) -> None:
    step = {
        "uses": "./",
        "with": {
            "project": "hello",
            "workflow": "build",
            # act does not know `strategy.job-index`, which is the default.
            "job-index": "${{ matrix.version }}",
            "materials": "binary=app\nversion=${{ matrix.version }}\n",
        },
    }
    matrix = {"strategy": {"matrix": {"version": ["1.0", "2.0", "3.0"]}}}
    repository.commit(build=workflow({"run": "echo built > app"}, step, env=ENV, **matrix))

    run = repository.run()

    assert run.status == 0, run.everything
    assert sorted(stored["ci"]["jobIndex"] for stored in job.runs()) == ["1.0", "2.0", "3.0"]
    assert [stored["state"] for stored in job.runs()] == ["success"] * 3
    assert (run.verdicts, run.annotations) == ([STORED] * 3, [])


CALLER, CALLED = "acme/widget/.github/workflows/build.yml@refs/heads/main", "acme/ci/.github/workflows/attest.yml@v1"


def test_a_reusable_workflow_from_a_matrix_records_both_files(repository: Repository, job: Job) -> None:
    called = {
        "on": {"workflow_call": {"inputs": {"version": {"type": "string"}}, "secrets": {"CHAINLOOP_TOKEN": {}}}},
        "jobs": {
            "attest": {
                "runs-on": "ubuntu-latest",
                # In place of `job.workflow_ref`, which act does not know.
                "env": {**ENV, "CHAINLOOP_JOB_WORKFLOW": CALLED},
                "steps": [
                    CHECKOUT,
                    {"run": "echo built > app"},
                    {
                        "uses": "./",
                        "with": {
                            "project": "hello",
                            "workflow": "build",
                            "materials": "binary=app\nversion=${{ inputs.version }}\n",
                        },
                    },
                ],
            }
        },
    }
    caller = {
        "on": "push",
        "jobs": {
            "call": {
                "strategy": {"matrix": {"version": ["1.0", "2.0"]}},
                "uses": "./.github/workflows/attest.yml",
                "with": {"version": "${{ matrix.version }}"},
                "secrets": "inherit",
            }
        },
    }
    repository.write(".github/workflows/attest.yml", yaml.safe_dump(called))
    repository.env["GITHUB_WORKFLOW_REF"] = CALLER
    repository.commit(build=yaml.safe_dump(caller))

    run = repository.run()

    assert run.status == 0, run.everything
    assert [stored["state"] for stored in job.runs()] == ["success"] * 2
    assert (run.verdicts, run.annotations) == ([STORED] * 2, [])
    for stored in job.runs():
        predicate = statement_of(job, stored["attestationDigest"])["predicate"]
        assert predicate["runnerWorkflowFilePath"] == ".github/workflows/build.yml"
        assert predicate["chainloopCi"]["calledWorkflow"] == CALLED
