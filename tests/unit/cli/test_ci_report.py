"""What the CI system is told of a command, with a control plane in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainloop_ci.errors import AttestationRefusedError, Finding, UnreachableError
from tests.unit.cli.told import BOTH, Runner, cases_of
from tests.unit.cli.told import github as github
from tests.unit.cli.told import private_pem as private_pem
from tests.unit.crafting.memory import CONTRACT, revision_of

# --- outputs and verdicts


def test_init_tells_what_is_still_missing(github: Runner, plane) -> None:
    step = github("init")

    assert step.result.status == 0
    assert step.verdict == "The attestation is begun; 2 things are missing or wrong."
    assert step.outputs == {
        "run-id": next(iter(plane.runs)),
        "run-url": "",
        "attestation-digest": "",
        "bundle-path": "",
        "state": "initialized",
        "compliant": "false",
        "missing-materials": '["commit", "binary"]',
        "attestation-id": "",
        "sealed-handle": "",
    }
    assert step.commands("error") == []


def test_separate_steps_tell_the_same_run_to_its_end(github: Runner, tmp_path: Path) -> None:
    begun = github("init")
    github("add", "--name", "commit", "--value", "deadbeef")
    added = github("add", "--name", "binary", "--value", "app.bin")
    looked = github("status")
    pushed = github("push", "--bundle", "out.json")

    assert [step.outputs["state"] for step in (begun, added, looked, pushed)] == ["initialized"] * 3 + ["success"]
    assert [step.outputs["compliant"] for step in (begun, added, looked, pushed)] == ["false", "true", "true", "true"]
    assert len({step.outputs["run-id"] for step in github.steps}) == 1
    assert pushed.outputs["bundle-path"] == str(tmp_path / "out.json")
    assert pushed.outputs["attestation-digest"].startswith("sha256:")
    assert looked.verdict == "The attestation is not stored yet; everything that its contract requires is there."


def test_an_add_has_a_summary_only_when_it_fails(github: Runner) -> None:
    github("init")

    assert github("add", "--name", "commit", "--value", "deadbeef").summary == ""
    failed = github("add", "--name", "binary", "--value", "nothing-here")

    assert failed.verdict == "The step failed."
    assert [command.properties["title"] for command in failed.commands("error")] == ["File unreadable"]


def test_a_contract_that_asks_for_nothing_is_not_called_met(github: Runner, plane) -> None:
    plane.revision = revision_of(b"apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: release}\nspec: {}\n")

    step = github("craft")

    assert step.result.status == 0, step.result.err
    assert step.verdict == "The attestation is stored and verified. No requirements: its contract asks for nothing."
    assert step.outputs["compliant"] == "false"


def test_a_contract_that_is_not_met_and_no_answer_are_told_apart(github: Runner, plane) -> None:
    unmet = github("craft", "--material", "commit=x")
    plane.failures["store_attestation"] = [UnreachableError("no answer from https://cp.test", hint="try again")]
    down = github("craft", *BOTH)

    assert (unmet.result.status, unmet.outputs["state"], unmet.outputs["compliant"]) == (3, "error", "false")
    assert unmet.verdict == "The contract release is not met: 1 thing is missing or wrong."
    assert (down.result.status, down.outputs["state"], down.outputs["compliant"]) == (6, "unreachable", "true")
    assert down.verdict.startswith("The control plane could not be reached; that says nothing about the build")
    [error] = [command.data for command in down.commands("error")]
    assert error.startswith("no answer from https://cp.test\nWhat to do: try again")


def test_a_refusal_of_the_control_plane_lists_all_of_it(github: Runner, plane) -> None:
    findings = [Finding("signer-unknown", "the key is not registered"), Finding("run-mismatch", "another run")]
    plane.failures["store_attestation"] = [AttestationRefusedError("the attestation was refused", findings=findings)]

    step = github("craft", *BOTH)

    assert [command.properties["title"] for command in step.commands("error")] == ["Signer unknown", "Run mismatch"]
    assert step.verdict == "The control plane refused the attestation: 2 things are wrong."
    assert step.outputs["state"] == "initialized"


def test_wrong_options_are_an_annotation_too(github: Runner, plane) -> None:
    step = github("reset", "--trigger", "nonsense")

    assert step.result.status == 2
    [error] = step.commands("error")
    assert error.properties == {"title": "Usage", "file": ".github/workflows/ci.yml"}
    assert step.verdict == "The step has wrong options; nothing was begun."
    assert plane.calls == []


def test_a_wrong_runner_is_told_before_there_is_a_run(github: Runner, plane) -> None:
    plane.revision = revision_of(CONTRACT.replace(b"spec:", b"spec:\n  runner: {type: GITLAB_PIPELINE}"))

    step = github("init", "--report-dir", "out")

    assert step.result.status == 3
    assert (step.outputs["run-id"], step.outputs["state"]) == ("", "")
    cases = cases_of(github.folder.parent / "out")
    assert cases["runner"] == ["failure"]


def test_a_dry_run_stores_nothing_and_says_so(github: Runner) -> None:
    step = github("craft", "--dry-run", *BOTH)

    assert step.result.status == 0, step.result.err
    assert step.verdict == (
        "Dry run: nothing was signed and nothing was stored; everything that its contract requires is there."
    )
    assert (step.outputs["run-id"], step.outputs["state"], step.outputs["compliant"]) == ("", "dry-run", "true")


def test_a_reset_tells_how_the_run_ended(github: Runner) -> None:
    github("init")
    step = github("reset", "--trigger", "cancellation")

    assert step.outputs["state"] == "canceled"
    assert step.verdict == "The attestation was ended without being stored: canceled."


def test_a_step_that_finds_nothing_leaves_what_was_told_before(github: Runner) -> None:
    github("craft", *BOTH, "--report-dir", "out")
    folder = github.folder.parent / "out"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    ended = github("reset", "--report-dir", "out")
    looked = github("status", "--report-dir", "out")

    assert (ended.result.status, looked.result.status) == (0, 1)
    assert (ended.summary, ended.outputs, looked.outputs) == ("", {}, {})
    assert (folder / "outputs.env").read_bytes() == before["outputs.env"]
    assert "The step failed." in (folder / "report.md").read_text()


def test_a_graceful_exit_is_still_a_failure_for_people(github: Runner) -> None:
    step = github("craft", "--graceful-exit", "--material", "commit=x")

    assert step.result.status == 0
    assert len(step.commands("error")) == 1
    assert step.outputs["compliant"] == "false"
    assert any("--graceful-exit" in command.data for command in step.commands("warning"))
    assert "The job goes on, as --graceful-exit asks." in step.summary


def test_a_job_that_may_go_on_without_an_answer_has_a_warning(github: Runner, plane) -> None:
    plane.failures["get_crafting_context"] = [UnreachableError("no answer")]

    step = github("craft", *BOTH, "--on-unreachable", "warn")

    assert step.result.status == 0
    assert step.commands("error") == []
    assert any(command.data.startswith("no answer") for command in step.commands("warning"))
    assert step.outputs["state"] == "unreachable"
    assert "The job goes on, as --on-unreachable warn asks" in step.summary


def test_a_job_without_secrets_has_warnings_and_a_summary(github: Runner, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_bytes(CONTRACT)
    fork = {"pull_request": {"number": 7, "head": {"sha": "a" * 40, "repo": {"full_name": "somebody/app"}}}}
    (tmp_path / "event.json").write_text(json.dumps(fork))
    env = {
        "CHAINLOOP_TOKEN": "",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
    }

    step = github("craft", "--contract", "contract.yaml", "--material", "commit=x", env=env)

    assert step.result.status == 0, step.result.err
    assert step.commands("error") == []
    [missing] = [command for command in step.commands("warning") if command.properties["title"] == "Missing material"]
    assert missing.properties["line"] == "8"
    assert (step.outputs["state"], step.outputs["compliant"]) == ("dry-run", "false")
    assert "A job without secrets is never red" in step.summary
    [notice] = step.commands("notice")
    assert notice.data.startswith("This job is one without secrets (pull request from a fork), so it makes a dry run")
    assert notice.data in step.summary


def test_what_was_queued_is_said_everywhere_with_what_to_do(github: Runner, plane, tmp_path: Path) -> None:
    plane.failures["store_attestation"] = [UnreachableError("no answer")]
    words = ("craft", *BOTH, "--on-unreachable", "queue", "--report-dir", "out")

    step = github(*words, env={"CHAINLOOP_PLUGIN": "github"})

    assert step.result.status == 0, step.result.err
    [kept] = tmp_path.glob("chainloop-queued-*.json")
    [notice] = step.commands("notice")
    files = [(tmp_path / "out" / name).read_text() for name in ("report.md", "junit.xml")]
    for text in (notice.data, step.summary, *files):
        assert f"chainloop attestation push --resume {kept.name}" in text
        assert "actions/upload-artifact" in text
    assert step.verdict == "The attestation is signed and not stored yet: the control plane did not answer."
    assert cases_of(tmp_path / "out")["chainloop attestation craft"] == ["skipped"]


def test_a_dry_run_that_was_asked_for_needs_no_reason(github: Runner) -> None:
    assert github("craft", "--dry-run", *BOTH).commands("notice") == []


def test_what_a_summary_says_of_warnings_is_annotated_too(github: Runner) -> None:
    step = github("craft", *BOTH, "--material", "extra=text")

    [warning] = [command.data for command in step.commands("warning") if "extra" in command.data]
    assert "the contract does not know the material extra" in warning
    assert "### Warnings" in step.summary


def test_an_interruption_is_told(github: Runner, plane) -> None:
    plane.failures["store_attestation"] = [KeyboardInterrupt()]

    step = github("craft", *BOTH)

    assert step.result.status == 130
    assert step.verdict == "The step was interrupted; what was saved stays."
    assert [command.properties["title"] for command in step.commands("error")] == ["Interrupted"]


def test_a_defect_is_told(github: Runner, plane) -> None:
    plane.failures["store_attestation"] = [ZeroDivisionError()]

    step = github("craft", *BOTH)

    assert step.result.status == 1
    assert [command.data.splitlines()[0] for command in step.commands("error")] == ["unexpected ZeroDivisionError"]


# --- where to look


@pytest.mark.parametrize(
    ("env", "file"),
    [
        ({}, ".github/workflows/ci.yml"),
        ({"GITHUB_WORKFLOW_REF": ""}, None),
        ({"GITHUB_WORKFLOW_REF": "other/shared/.github/workflows/ci.yml@main"}, None),
    ],
)
def test_an_annotation_points_at_the_workflow_of_this_repository(github: Runner, env, file: str | None) -> None:
    step = github("craft", "--material", "commit=x", env=env)

    assert step.commands("error")[0].properties.get("file") == file


def test_an_annotation_points_at_the_line_of_the_contract(github: Runner, tmp_path: Path) -> None:
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "contract.yaml").write_bytes(CONTRACT)

    step = github("craft", "--contract", "ci/contract.yaml", "--material", "commit=x")

    [error] = step.commands("error")
    line = CONTRACT.decode().splitlines().index("    - {type: ARTIFACT, name: binary, output: true}") + 1
    assert (error.properties["file"], error.properties["line"]) == ("ci/contract.yaml", str(line))
    assert f"(`ci/contract.yaml`, line {line})" in step.summary


def test_an_error_of_the_contract_is_told_at_its_line(github: Runner, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_bytes(CONTRACT.replace(b"ARTIFACT", b"ARTEFACT"))

    step = github("init", "--contract", "contract.yaml", "--dry-run")

    [error] = step.commands("error")
    assert (error.properties["file"], error.properties["line"]) == ("contract.yaml", "8")
    assert error.data.startswith("/spec/materials/1/type: ")


def test_a_contract_outside_of_the_workspace_has_no_place_there(github: Runner, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_bytes(CONTRACT)
    (tmp_path / "inner").mkdir()

    step = github(
        "craft",
        "--contract",
        "contract.yaml",
        "--material",
        "commit=x",
        env={"GITHUB_WORKSPACE": str(tmp_path / "inner")},
    )

    assert step.commands("error")[0].properties["file"] == ".github/workflows/ci.yml"


@pytest.mark.parametrize(
    ("env", "fix"),
    [
        ({}, "add `--material binary=<file>` to the command"),
        ({"CHAINLOOP_MATERIALS": ""}, "add the line `binary=<file>` to the variable CHAINLOOP_MATERIALS"),
        ({"CHAINLOOP_PLUGIN": "github"}, "add the line `binary=<file>` under `materials:` of this step"),
    ],
)
def test_the_fix_is_what_to_type_here(github: Runner, env: dict[str, str], fix: str) -> None:
    step = github("craft", "--material", "commit=x", env=env)

    assert step.commands("error")[0].data.splitlines()[1] == f"What to do: {fix}"
    assert f"    hint: {fix}" in step.result.err.splitlines()
    assert fix in step.summary


def test_the_table_of_what_is_missing_says_it_too(github: Runner) -> None:
    env = {"CHAINLOOP_PLUGIN": "github"}
    github("init", env=env)

    shown = github("status", env=env).result.out

    assert "uses `actions/add`, with `{name: binary, value: <file>}`" in " ".join(shown.split())
    assert "attestation add" not in shown


def test_what_a_plugin_says_names_no_option(github: Runner, plane) -> None:
    plane.failures["get_crafting_context"] = [UnreachableError("no answer", hint="check --control-plane")]

    step = github("craft", *BOTH, env={"CHAINLOOP_PLUGIN": "github"})

    [error] = step.commands("error")
    assert "check the input `control-plane`" in error.data
    assert "with the input `on-unreachable: warn` the job goes on" in error.data
    assert "--" not in error.data + step.summary.replace("---", "")
    assert not any("--" in line for line in step.result.err.splitlines() if line.startswith(("ERR", "hint")))


@pytest.mark.parametrize("text", [b"\xff\xfe", b""], ids=["no text", "empty"])
def test_what_is_wrong_with_a_whole_contract_is_told_at_its_file(github: Runner, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "contract.yaml").write_bytes(text)

    step = github("init", "--contract", "contract.yaml", "--dry-run")

    assert {error.properties["file"] for error in step.commands("error")} == {"contract.yaml"}
