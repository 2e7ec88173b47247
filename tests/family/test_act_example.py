"""The example pipeline for GitHub, run as it stands in act."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.family.act import STORED, WORKFLOW, Repository, copy_action
from tests.integration.live import Job, Tenant

pytestmark = pytest.mark.real("act")

EXAMPLE = PROJECT / "examples" / "github"
ACTION = "acme/chainloop@0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def job(tenant: Tenant) -> Job:
    """Return a job of a workflow with the example's contract."""
    return tenant.job((EXAMPLE / "contract.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def repository(job: Job, tmp_path: Path, kept: Path, wheels: Path) -> Repository:
    """Return the example as a repository with its variable and its secrets."""
    made = Repository(tmp_path / "repository", kept, local={ACTION: copy_action(tmp_path / "action")})
    shutil.copytree(EXAMPLE, made.folder, dirs_exist_ok=True)
    made.env["CHAINLOOP_INSTALL_WHEELS"] = str(wheels)
    made.secrets = {"CHAINLOOP_TOKEN": job.token, "CHAINLOOP_SIGNING_KEY": job.key.read_text()}
    return made


def run(repository: Repository, job: Job, event: str = "push", document: dict[str, Any] | None = None) -> Any:
    repository.commit(build=(repository.folder / WORKFLOW).read_text(encoding="utf-8"))
    variables = ("--var", f"CHAINLOOP_CONTROL_PLANE={job.tenant.url}")
    return repository.run(event, document=document, options=variables)


def test_the_example_attests_and_hands_the_digest_to_the_deployment(repository: Repository, job: Job) -> None:
    done = run(repository, job)

    assert done.status == 0, done.everything
    [stored] = job.runs()
    assert stored["state"] == "success"
    assert (done.verdicts, done.annotations) == ([STORED], [])
    assert f"deploying what {stored['attestationDigest']} attests" in done.log


def test_r24_the_key_of_the_example_is_in_nothing_that_is_shown(repository: Repository, job: Job) -> None:
    done = run(repository, job)

    lines = [line for line in job.key.read_text().splitlines() if not line.startswith("-----")]
    shown = [str(line.get("msg")) + str(line.get("content")) for line in done.lines]
    assert lines
    assert not any(line in text for line in (*lines, job.token) for text in shown)


def test_a_failing_test_of_the_example_deploys_nothing(repository: Repository, job: Job) -> None:
    path = repository.folder / WORKFLOW
    path.write_text(path.read_text().replace('grep -q "$GITHUB_SHA" out/app', 'grep -q "another build" out/app'))

    done = run(repository, job)

    assert done.status == 1
    assert [stored["state"] for stored in job.runs()] == ["error"]
    assert "deploying" not in done.log


def test_a_fork_s_pull_request_of_the_example_is_green_and_deploys_nothing(repository: Repository, job: Job) -> None:
    repository.secrets.clear()
    fork = {"full_name": "mallory/widget", "fork": True}
    document = {
        "repository": {"full_name": "acme/widget"},
        "pull_request": {"number": 7, "head": {"sha": "1" * 40, "ref": "x", "repo": fork}, "base": {"ref": "main"}},
    }

    done = run(repository, job, "pull_request", document)

    assert done.status == 0, done.everything
    assert job.runs() == []
    assert "deploying" not in done.log
