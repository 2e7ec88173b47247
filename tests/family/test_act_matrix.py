"""One attestation of many jobs on GitHub: a matrix adds, a last job pushes, and is run again. In act."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from tests.family.act import STORED, Repository, Run
from tests.integration.live import Job, Tenant

pytestmark = pytest.mark.real("act")

BEGUN = "The attestation is begun; 3 things are missing or wrong."
PLATFORMS = ("amd64", "arm64", "riscv64")
CONTRACT = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\nspec:\n  materials:\n" + "".join(
    f"    - {{name: binary-{platform}, type: ARTIFACT}}\n" for platform in PLATFORMS
)
ID = "${{ needs.begin.outputs.attestation-id }}"
HANDLE = "${{ needs.begin.outputs.sealed-handle }}"
SHARED = {"CHAINLOOP_ATTESTATION_ID": ID, "CHAINLOOP_SEALED_HANDLE": HANDLE}
BEGIN = {
    "runs-on": "ubuntu-latest",
    "outputs": {name: f"${{{{ steps.init.outputs.{name} }}}}" for name in ("attestation-id", "sealed-handle")},
    "steps": [
        {
            "id": "init",
            "uses": "acme/chainloop/actions/init@v1",
            "with": {"remote-state": True, "project": "hello", "workflow": "build"},
        },
        {"run": 'echo "shared=$OUTPUTS"', "env": {"OUTPUTS": "${{ toJSON(steps.init.outputs) }}"}},
    ],
}
ATTEST = {
    "runs-on": "ubuntu-latest",
    "if": "always()",
    "steps": [{"uses": "acme/chainloop/actions/push@v1", "with": {"job-status": "${{ needs.build.result }}"}}],
}


@pytest.fixture
def job(tenant: Tenant) -> Job:
    """Return a job of a workflow that must attest a binary for each platform."""
    return tenant.job(CONTRACT)


def build(platforms: Sequence[str], fails: str = "") -> dict[str, Any]:
    """Return the job that builds; its leg `fails` fails before it adds."""
    return {
        "runs-on": "ubuntu-latest",
        "strategy": {"fail-fast": False, "matrix": {"platform": list(platforms)}},
        "steps": [
            {"run": 'echo "$PLATFORM $GITHUB_RUN_ATTEMPT" > app', "env": {"PLATFORM": "${{ matrix.platform }}"}},
            {"run": f"test '${{{{ matrix.platform }}}}' != '{fails}'"},
            {
                "uses": "acme/chainloop/actions/add@v1",
                "with": {"name": "binary-${{ matrix.platform }}", "value": "app"},
            },
        ],
    }


def pipeline(env: dict[str, str], **jobs: dict[str, Any]) -> str:
    token = {"CHAINLOOP_TOKEN": "${{ secrets.CHAINLOOP_TOKEN }}"}
    return yaml.safe_dump({"name": "build", "on": "push", "env": {**token, **env}, "jobs": jobs})


def first_attempt(fails: str = "") -> str:
    """Return the whole pipeline."""
    return pipeline(
        {},
        begin=BEGIN,
        build={**build(PLATFORMS, fails), "needs": "begin", "env": SHARED},
        attest={**ATTEST, "needs": ["begin", "build"], "env": SHARED},
    )


def second_attempt(shared: dict[str, str], platform: str) -> str:
    """Return what runs of it when the failed jobs are repeated; outputs of the others are those of the first time."""
    env = {
        "CHAINLOOP_ATTESTATION_ID": shared["attestation-id"],
        "CHAINLOOP_SEALED_HANDLE": shared["sealed-handle"],
    }
    return pipeline(env, build=build([platform]), attest={**ATTEST, "needs": "build"})


def shared_of(run: Run) -> dict[str, str]:
    """Return the outputs that the first job printed."""
    found: dict[str, str] = json.JSONDecoder().raw_decode(run.log.split("shared=", 1)[1])[0]
    return found


def test_a_three_way_matrix_adds_and_a_last_job_pushes(stranger: Repository, job: Job) -> None:
    commit = stranger.commit(build=first_attempt())

    run = stranger.run()

    assert run.status == 0, run.everything
    [stored] = job.runs()
    assert (stored["state"], stored["stateLocation"], stored["ci"]["headSha"]) == ("success", "shared", commit)
    assert (run.verdicts, run.annotations) == ([BEGUN, STORED], [])
    materials = job.chainloop("workflow", "run", "describe", "--id", stored["id"], "-o", "json", env=reading(job))
    assert all(f"binary-{platform}" in materials.stdout for platform in PLATFORMS), materials.stdout


def reading(job: Job) -> dict[str, str]:
    return {"CHAINLOOP_TOKEN": job.tenant.token("read")}


def test_r16_one_leg_and_the_push_run_again_as_attempt_2(stranger: Repository, job: Job) -> None:
    stranger.commit(build=first_attempt(fails="arm64"))
    first = stranger.run()
    [ended] = job.runs()
    stranger.write(".github/workflows/build.yml", second_attempt(shared_of(first), "arm64"))
    stranger.env["GITHUB_RUN_ATTEMPT"] = "2"

    second = stranger.run()

    assert (first.status, ended["state"]) == (1, "error"), first.everything
    assert first.verdicts == [BEGUN, "The attestation was ended without being stored: error."]
    assert second.status == 0, second.everything
    assert second.verdicts == [STORED]
    [(level, said)] = second.annotations
    assert (level, said.partition(";")[0]) == ("warning", "the run of an earlier attempt has ended")
    successor, predecessor = job.runs()
    assert (successor["state"], predecessor["state"], predecessor["id"]) == ("success", "error", ended["id"])
    assert successor["ci"]["runAttempt"] == 2
    assert successor["attestationDigest"]
