"""What GitHub, GitLab and others are told of a step, against a real control plane."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.family.github_files import LogCommand, read_commands, read_file
from tests.integration.live import CONTRACT, Answer, Job

CRAFT = ("attestation", "craft", "--project", "hello", "--workflow", "build")
BOTH = ("--material", "binary=app", "--material", "version=1.2.3")


@dataclass
class GitHubJob:
    """A job in an environment like that of GitHub's runner."""

    job: Job
    folder: Path

    def __call__(self, *words: str | Path, step: str = "one", **env: str) -> Answer:
        """Run a command as the step `step`, with files of its own."""
        for name in ("output", "summary"):
            (self.folder / f"{step}.{name}").touch()
        return self.job.chainloop(*words, env={**self.env(step), **env})

    def env(self, step: str) -> dict[str, str]:
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_OUTPUT": str(self.folder / f"{step}.output"),
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": "acme/hello",
            "GITHUB_REPOSITORY_OWNER": "acme",
            "GITHUB_RUN_ID": "77",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e",
            "GITHUB_STEP_SUMMARY": str(self.folder / f"{step}.summary"),
            "GITHUB_WORKFLOW_REF": "acme/hello/.github/workflows/ci.yml@refs/heads/main",
            "GITHUB_WORKSPACE": str(self.job.chainloop.folder),
            "RUNNER_OS": "Linux",
        }

    def outputs(self, step: str = "one") -> dict[str, str]:
        return read_file(self.folder / f"{step}.output")

    def summary(self, step: str = "one") -> str:
        return (self.folder / f"{step}.summary").read_text()


@pytest.fixture
def github(job: Job, tmp_path: Path) -> GitHubJob:
    """Return a job of GitHub's that has built something."""
    (job.chainloop.folder / "app").write_bytes(b"the build")
    folder = tmp_path / "runner"
    folder.mkdir()
    return GitHubJob(job, folder)


def commands(answer: Answer, name: str) -> list[LogCommand]:
    return [command for command in read_commands(answer.stderr) if command.name == name]


def test_a_stored_attestation_is_told_in_outputs_and_summary(github: GitHubJob) -> None:
    crafted = github(*CRAFT, *BOTH, "--bundle", "bundle.json")

    assert crafted.status == 0, crafted.stderr
    [run] = github.job.runs()
    assert github.outputs() == {
        "run-id": run["id"],
        "run-url": "",
        "attestation-digest": run["attestationDigest"],
        "bundle-path": str(github.job.chainloop.folder / "bundle.json"),
        "state": "success",
        "compliant": "true",
        "missing-materials": "[]",
    }
    summary = github.summary()
    assert "**The attestation is stored and verified, and everything that its contract requires is there.**" in summary
    assert f"| Attestation | `{run['attestationDigest']}` |" in summary
    assert "| `version` | `STRING` | `1.2.3` |" in summary
    assert commands(crafted, "error") == []


def test_every_missing_material_is_an_annotation_with_its_fix(github: GitHubJob) -> None:
    refused = github(*CRAFT, "--material", "binary=nothing-here", CHAINLOOP_MATERIALS="")

    assert refused.status == 3
    unreadable, missing = commands(refused, "error")
    assert (unreadable.properties["title"], missing.properties["title"]) == ("File unreadable", "Missing material")
    assert missing.properties["file"] == ".github/workflows/ci.yml"
    assert missing.data.splitlines() == [
        "the material version (STRING) is required and was not added",
        "What to do: add the line `version=<text>` under `materials:` of this step",
    ]
    outputs = github.outputs()
    assert (outputs["state"], outputs["compliant"]) == ("error", "false")
    assert json.loads(outputs["missing-materials"]) == ["binary", "version"]
    assert github.summary().splitlines()[2] == "**The contract build is not met: 2 things are missing or wrong.**"


def test_an_annotation_points_at_the_line_of_the_contract(github: GitHubJob) -> None:
    (github.job.chainloop.folder / "contract.yaml").write_text(CONTRACT)

    refused = github(*CRAFT, "--contract", "contract.yaml", "--material", "binary=app")

    [missing] = commands(refused, "error")
    line = CONTRACT.splitlines().index("    - name: version") + 1
    assert (missing.properties["file"], missing.properties["line"]) == ("contract.yaml", str(line))
