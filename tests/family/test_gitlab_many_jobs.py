"""One attestation of a whole GitLab pipeline: its first job begins it, many add to it, a last one pushes or ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.family.gitlab import ROOT, Project, install_command
from tests.integration.live import Job, Tenant

pytestmark = pytest.mark.real("gitlab-ci-local", "rsync")

PLATFORMS = ["amd64", "arm64", "riscv64"]
CONTRACT = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata:\n  name: build\nspec:\n  materials:\n" + "".join(
    f"    - name: binary-{platform}\n      type: ARTIFACT\n" for platform in PLATFORMS
)
BUILD: dict[str, Any] = {
    "extends": ".chainloop-add",
    "stage": "build",
    "parallel": {"matrix": [{"PLATFORM": PLATFORMS}]},
    "script": [
        'mkdir -p "out/$PLATFORM"',
        'echo "the build for $PLATFORM" > "out/$PLATFORM/app"',
        'chainloop attestation add --name "binary-$PLATFORM" --value "out/$PLATFORM/app"',
    ],
}


@pytest.fixture
def job(tenant: Tenant) -> Job:
    """Return a job of a workflow that must attest the build of each platform."""
    return tenant.job(CONTRACT)


@pytest.fixture
def project(job: Job, tmp_path: Path) -> Project:
    """Return a project that includes the template."""
    variables = {name: value for name, value in job.chainloop.env.items() if name != "CHAINLOOP_LOCAL_STATE_PATH"}
    project = Project(tmp_path / "project", variables, [install_command(tmp_path / "bin")])
    project.write("many-jobs.yml", (ROOT / "gitlab" / "templates" / "many-jobs.yml").read_text(encoding="utf-8"))
    return project


def run_of(job: Job) -> dict[str, Any]:
    (listed,) = job.runs()
    run: dict[str, Any] = job.tenant.call("GET", f"/workflow-runs/{listed['id']}")
    return run


def test_the_legs_of_a_matrix_add_at_once_and_the_last_job_pushes(job: Job, project: Project) -> None:
    project.write_pipeline({"include": "many-jobs.yml", "build": BUILD})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    found = run_of(job)
    assert found["run"]["state"] == "success"
    assert {material["name"] for material in found["materials"]} == {f"binary-{platform}" for platform in PLATFORMS}
    assert "chainloop-end" not in pipeline.ran


def test_a_job_that_fails_ends_the_run_and_nothing_is_pushed(job: Job, project: Project) -> None:
    broken = {"stage": "test", "script": ["exit 7"]}
    project.write_pipeline({"include": "many-jobs.yml", "build": BUILD, "test": broken})

    pipeline = project.run()

    assert pipeline.status == 1
    assert run_of(job)["run"]["state"] == "error"
    assert "chainloop-end" in pipeline.ran
    assert "chainloop" not in pipeline.ran


def test_what_nobody_added_fails_the_last_job_and_ends_the_run(job: Job, project: Project) -> None:
    project.write_pipeline(
        {"include": "many-jobs.yml", "build": BUILD | {"parallel": {"matrix": [{"PLATFORM": ["arm64"]}]}}}
    )

    pipeline = project.run()

    assert pipeline.status == 1
    assert "binary-amd64" in pipeline.job("chainloop")
    assert run_of(job)["run"]["state"] == "error"


def test_a_job_outside_of_the_pipelines_attestation_is_told_so(job: Job, project: Project) -> None:
    alone = BUILD | {"parallel": {"matrix": [{"PLATFORM": ["arm64"]}]}, "needs": []}
    project.write_pipeline({"include": "many-jobs.yml", "build": alone})

    pipeline = project.run()

    assert pipeline.status == 1
    assert "no attestation was begun for this job" in pipeline.log


def test_t04_a_pipeline_without_secrets_is_green_and_begins_nothing(job: Job, project: Project) -> None:
    for name in ("CHAINLOOP_TOKEN", "CHAINLOOP_SIGNING_KEY"):
        del project.variables[name]
    project.write("contract.yaml", CONTRACT)
    include = {"local": "many-jobs.yml", "inputs": {"contract": "contract.yaml"}}
    project.write_pipeline({"include": [include], "build": BUILD})

    pipeline = project.run(variables={"CI_COMMIT_REF_PROTECTED": "false"})

    assert pipeline.status == 0, pipeline.log
    assert "WRN" in pipeline.log
    assert job.runs() == []
