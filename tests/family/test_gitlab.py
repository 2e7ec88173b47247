"""The GitLab template as a project has it: pipelines run by gitlab-ci-local against a live control plane."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.family.gitlab import Project, install_command
from tests.integration.live import Job

pytestmark = pytest.mark.real("gitlab-ci-local", "rsync")

BUILD = {"stage": "build", "script": ["mkdir -p out", "echo the build > out/app"], "artifacts": {"paths": ["out/"]}}


@pytest.fixture
def project(job: Job, tmp_path: Path) -> Project:
    """Return a project whose settings know the control plane, and whose image has the command."""
    variables = {name: value for name, value in job.chainloop.env.items() if name != "CHAINLOOP_LOCAL_STATE_PATH"}
    return Project(tmp_path / "project", variables, [install_command(tmp_path / "bin")])


def test_the_ready_job_attests_the_files_of_the_jobs_before_it(job: Job, project: Project) -> None:
    project.include({"materials": "binary=out/app\nversion=1.2.3"}, {"build": BUILD})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert [run["state"] for run in job.runs()] == ["success"]
