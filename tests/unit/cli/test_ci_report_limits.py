"""What the CI system is not told: secrets; and what stays as it is when a report cannot be written or is not wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainloop_ci.cli.main import run
from tests.family.github_files import read_file
from tests.unit.cli.conftest import Screen, TestWorld
from tests.unit.cli.told import BOTH, PASSWORD, Runner
from tests.unit.cli.told import github as github
from tests.unit.cli.told import private_pem as private_pem
from tests.unit.crafting.memory import NOW

# --- secrets and the log


def test_r24_secrets_are_masked_before_anything_is_said(github: Runner, private_pem: str) -> None:
    env = {
        "CHAINLOOP_REGISTRY_PASSWORD": "registry-secret",
        "CHAINLOOP_SIGNING_PASSWORD": PASSWORD,
        "HTTPS_PROXY": "http://user:p%40ss-word@proxy.test:3128",
    }

    step = github("craft", *BOTH, "--token", "clp_typed-token", env=env)

    masks = [command.data for command in step.commands("add-mask")]
    key_lines = [line for line in private_pem.splitlines() if not line.startswith("-----")]
    expected = {"clp_the-token", "clp_typed-token", "registry-secret", PASSWORD, "p%40ss-word", "p@ss-word", *key_lines}
    assert set(masks) >= expected
    first_word = next(at for at, line in enumerate(step.result.err.splitlines()) if not line.startswith("::"))
    assert len(masks) - first_word <= 1  # the run handle is made later


def test_r14_the_run_handle_is_masked(github: Runner, tmp_path: Path) -> None:
    step = github("init", env={"CHAINLOOP_LOCAL_STATE_PATH": "state.json"})

    handle = json.loads((tmp_path / "state.json").read_text())["chainloopCi"]["runHandle"]
    assert handle in [command.data for command in step.commands("add-mask")]


def test_a_log_that_goes_into_a_file_holds_no_secret(tmp_path: Path, private_pem: str, github: Runner) -> None:
    with (tmp_path / "log.txt").open("w+") as log:
        env = {**github.env, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        world = TestWorld(env=env, cwd=tmp_path, stdin=Screen(), stdout=Screen(), stderr=log, now=lambda: NOW)
        run(["attestation", "status"], world)
        log.seek(0)
        written = log.read()

    assert "::error" in written
    assert "clp_the-token" not in written
    assert "add-mask" not in written


def test_a_terminal_shows_no_secret(github: Runner) -> None:
    step = github("status", terminal=True)

    assert step.commands("error")
    assert "clp_the-token" not in step.result.err


def test_the_path_of_a_key_is_no_secret(github: Runner, private_pem: str, tmp_path: Path) -> None:
    (tmp_path / "build.key").write_text(private_pem)

    step = github("status", env={"CHAINLOOP_SIGNING_KEY": "build.key"})

    assert "build.key" not in [command.data for command in step.commands("add-mask")]


def test_the_phases_of_craft_are_folded_and_errors_are_not(github: Runner) -> None:
    step = github("craft", "--material", "commit=x")

    log = step.result.err.splitlines()
    titles = [command.data for command in step.commands("group")]
    assert titles == ["Begin the attestation", "Add the materials", "Push the attestation"]
    assert len(step.commands("endgroup")) == 3
    last_end = max(at for at, line in enumerate(log) if line == "::endgroup::")
    assert all(not line.startswith("ERR") for line in log[:last_end])


# --- what cannot be written, and what is switched off


def test_a_report_that_cannot_be_written_changes_nothing(github: Runner, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    env = {"GITHUB_OUTPUT": str(tmp_path / "none"), "GITHUB_STEP_SUMMARY": str(tmp_path)}

    step = github("craft", *BOTH, "--report-dir", "taken", env=env)

    assert step.result.status == 0
    warned = [command.data for command in step.commands("warning")]
    assert sorted(text.partition(" could")[0] for text in warned) == [
        "the job summary",
        "the outputs",
        "the outputs' file",
        "the report files",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_full_disk_changes_nothing(github: Runner) -> None:
    step = github("craft", *BOTH, env={"GITHUB_OUTPUT": "/dev/full", "GITHUB_STEP_SUMMARY": "/dev/full"})

    assert step.result.status == 0
    assert len([command for command in step.commands("warning") if "No space left on device" in command.data]) == 2


def test_a_report_that_cannot_be_made_changes_nothing(github: Runner, monkeypatch) -> None:
    monkeypatch.setattr("chainloop_ci.cli.ci_report.render_annotations", lambda report: 1 // 0)

    step = github("craft", *BOTH)

    assert step.result.status == 0
    assert "WRN the report for the CI system could not be made reason=ZeroDivisionError" in step.result.err


@pytest.mark.parametrize(
    ("words", "env"), [(("--deactivate-ci-report",), {}), ((), {"CHAINLOOP_DEACTIVATE_CI_REPORT": "true"})]
)
def test_it_can_be_switched_off(github: Runner, words, env) -> None:
    step = github("craft", *BOTH, "--report-dir", "out", *words, env=env)

    assert step.result.status == 0
    assert step.commands() == []
    assert (step.summary, step.outputs) == ("", {})
    assert not (github.folder.parent / "out").exists()


def test_other_commands_tell_nothing(github: Runner) -> None:
    step = github("verify", "--bundle", "none")

    assert step.result.status != 0
    assert step.commands() == []


def test_what_stands_in_the_files_stays_and_its_last_line_is_ended(github: Runner, tmp_path: Path) -> None:
    output = tmp_path / "kept"
    output.write_bytes(b"mine=1")

    github("init", env={"GITHUB_OUTPUT": str(output)})

    assert read_file(output)["mine"] == "1"
    assert read_file(output)["state"] == "initialized"


@pytest.mark.parametrize("broken", ["GITHUB_OUTPUT", "CHAINLOOP_REPORT_DIR"])
def test_outputs_that_cannot_be_written_to_one_place_are_written_to_the_other(
    github: Runner, tmp_path: Path, broken: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "output").touch()
    places = {"GITHUB_OUTPUT": tmp_path / "output", "CHAINLOOP_REPORT_DIR": tmp_path / "out"}
    env = {name: str(place) for name, place in {**places, broken: tmp_path / "file" / "below"}.items()}

    step = github("init", env=env)

    assert step.result.status == 0
    written = {"GITHUB_OUTPUT": tmp_path / "out" / "outputs.env", "CHAINLOOP_REPORT_DIR": tmp_path / "output"}[broken]
    assert "initialized" in written.read_text()
    assert any("could not be written" in command.data for command in step.commands("warning"))


def test_a_summary_never_makes_the_step_s_file_too_large(github: Runner, tmp_path: Path) -> None:
    summary = tmp_path / "kept.md"
    summary.write_bytes(b"x" * (1024 * 1024 - 300) + b"\n")

    github("init", env={"GITHUB_STEP_SUMMARY": str(summary)})

    assert 1024 * 1024 - 300 < summary.stat().st_size <= 1024 * 1024
    assert "cut here" in summary.read_text()
