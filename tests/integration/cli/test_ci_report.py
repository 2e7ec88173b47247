"""What GitHub, GitLab and others are told of a step, against a real control plane."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from chainloop_ci.cli.plugin_inputs import OUTPUTS
from tests.family.github_files import LogCommand, read_commands, read_file, read_pairs
from tests.family.hostile import CANARY_FILE, CANARY_NAME, HOSTILE
from tests.integration.live import CONTRACT, IMPATIENT, Answer, Job

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
    assert run["viewUrl"].endswith(f"/runs/{run['id']}")
    assert github.outputs() == {
        "run-id": run["id"],
        "run-url": run["viewUrl"],
        "attestation-digest": run["attestationDigest"],
        "bundle-path": str(github.job.chainloop.folder / "bundle.json"),
        "state": "success",
        "compliant": "true",
        "missing-materials": "[]",
        "attestation-id": "",
        "sealed-handle": "",
    }
    summary = github.summary()
    assert "**The attestation is stored and verified, and everything that its contract requires is there.**" in summary
    assert f"| Attestation | `{run['attestationDigest']}` |" in summary
    assert "| `version` | `STRING` | `1.2.3` |" in summary
    assert commands(crafted, "error") == []


def test_every_missing_material_is_an_annotation_with_its_fix(github: GitHubJob) -> None:
    refused = github(*CRAFT, "--material", "binary=nothing-here", CHAINLOOP_PLUGIN="github")

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


def test_a_pushed_run_and_its_handle_stand_in_no_log_and_no_report(github: GitHubJob) -> None:
    state = github.job.chainloop.folder / "state.json"
    begun = github("attestation", "init", step="init")
    handle = json.loads(state.read_text())["chainloopCi"]["runHandle"]

    told = begun.stdout + github.summary("init") + json.dumps(github.outputs("init"))
    log = [line for line in begun.stderr.splitlines() if not line.startswith("::add-mask::")]

    for secret in (handle, github.job.token):
        assert f"::add-mask::{secret}" in begun.stderr.splitlines()
        assert secret not in told
        assert not any(secret in line for line in log)


def test_separate_steps_give_outputs_each(github: GitHubJob) -> None:
    github("attestation", "init", step="init")
    github("attestation", "add", "--name", "binary", "--value", "app", step="binary")
    early = github("attestation", "push", step="early")
    github("attestation", "add", "--name", "version", "--value", "1.2.3", step="version")
    github("attestation", "push", step="push")

    [run] = github.job.runs()
    steps = ("init", "binary", "early", "version", "push")
    assert early.status == 3
    assert {github.outputs(step)["run-id"] for step in steps} == {run["id"]}
    assert [github.outputs(step)["state"] for step in steps] == ["initialized"] * 4 + ["success"]
    assert [json.loads(github.outputs(step)["missing-materials"]) for step in steps] == [
        ["binary", "version"],
        ["version"],
        ["version"],
        [],
        [],
    ]


def test_a_control_plane_that_is_down_is_told_apart_from_a_contract_that_is_not_met(github: GitHubJob) -> None:
    down = github(*CRAFT, *BOTH, CHAINLOOP_CONTROL_PLANE_API="http://127.0.0.1:1", **IMPATIENT)

    assert down.status == 6
    assert (github.outputs()["state"], github.outputs()["run-id"]) == ("unreachable", "")
    assert "that says nothing about the build" in github.summary()
    assert len(commands(down, "error")) == 1


def test_a_revoked_token_is_an_annotation(github: GitHubJob) -> None:
    refused = github(*CRAFT, *BOTH, CHAINLOOP_TOKEN="clp_" + "0" * 49)

    assert refused.status == 5
    [error] = commands(refused, "error")
    assert error.properties["title"] == "Not authenticated"
    assert github.summary().splitlines()[2] == "**The token, the key or a login is missing or was not accepted.**"


def test_gitlab_gets_a_folder_with_all_of_it(job: Job) -> None:
    (job.chainloop.folder / "app").write_bytes(b"the build")

    crafted = job.chainloop(*CRAFT, "--material", "binary=app", env={"CHAINLOOP_REPORT_DIR": ".chainloop-report"})

    folder = job.chainloop.folder / ".chainloop-report"
    cases = fromstring((folder / "junit.xml").read_text()).iter("testcase")
    assert crafted.status == 3
    assert read_commands(crafted.stderr) == []
    assert {case.get("name"): [child.tag for child in case] for case in cases} == {
        "material binary (ARTIFACT)": [],
        "material version (STRING)": ["failure"],
        "chainloop attestation craft": ["failure"],
    }
    assert 'CHAINLOOP_OUTPUT_MISSING_MATERIALS=["version"]\n' in (folder / "outputs.env").read_text()
    assert "### What is missing or wrong" in (folder / "report.md").read_text()


def test_our_own_junit_report_is_a_junit_material(job: Job) -> None:
    (job.chainloop.folder / "app").write_bytes(b"the build")
    first = job.chainloop(*CRAFT, *BOTH, env={"CHAINLOOP_REPORT_DIR": "out"})

    second = job.chainloop(*CRAFT, *BOTH, "--material", "report=out/junit.xml", "-o", "json")

    assert (first.status, second.status) == (0, 0), second.stderr
    types = {entry["name"]: entry["type"] for entry in second.document["materials"]}
    assert types["report"] == "JUNIT_XML"


def test_t03_hostile_values_are_stored_and_none_is_obeyed(github: GitHubJob) -> None:
    folder = github.job.chainloop.folder
    # Each is a change of the state file; what no text can do to a report, the reports' own tests try with all of them.
    values = [text for text in HOSTILE if text.strip() and len(text) < 4096][::6]
    entries = "".join(f"    - {{name: hostile-{at}, type: STRING}}\n" for at in range(len(values)))
    github.job.tenant.put_contract(CONTRACT + entries)
    materials = [word for at, text in enumerate(values) for word in ("--material", f"hostile-{at}={text}")]
    title = "x\n".join(text for text in HOSTILE if len(text) < 200)

    crafted = github(
        *CRAFT,
        *BOTH,
        *materials,
        "--report-dir",
        "out",
        "--annotation",
        "a=$(touch chainloop-canary)",
        GITHUB_REF=f"refs/heads/{title}",
        GITHUB_HEAD_REF=title,
    )

    assert crafted.status == 0, crafted.stderr[-3000:]
    assert {command.name for command in read_commands(crafted.stderr)} <= {"add-mask", "group", "endgroup", "warning"}
    assert read_commands(crafted.stdout) == []
    assert not any(
        command.data == CANARY_NAME for command in read_commands(crafted.stderr) if command.name == "add-mask"
    )
    assert set(github.outputs()) == {output.name for output in OUTPUTS}
    assert not list(folder.rglob(CANARY_FILE))
    assert read_pairs((folder / "out" / "outputs.env").read_text()).keys() == {output.variable for output in OUTPUTS}


def test_an_action_of_its_own_says_the_step_to_add_and_no_command_that_the_job_has_not(github: GitHubJob) -> None:
    github("attestation", "init", "--project", "hello", "--workflow", "build")

    pushed = github("attestation", "push", step="two", CHAINLOOP_PLUGIN="github")

    assert pushed.status == 3, pushed.stderr
    assert "uses `actions/add`, with `{name: version, value: <text>}`" in github.summary("two")
    assert "attestation add" not in github.summary("two")
