"""What the CI system is told of a command, with a control plane in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from defusedxml.ElementTree import fromstring

from chainloop_ci.cli import wiring
from chainloop_ci.cli.ci_report import TEKTON_RESULT, CiReport
from chainloop_ci.cli.main import run
from chainloop_ci.cli.plugin_inputs import OUTPUTS
from chainloop_ci.errors import AttestationRefusedError, Finding, UnreachableError
from chainloop_ci.reports.summary import TEKTON_BYTES
from chainloop_ci.runners.systems.tekton import RESULTS_FOLDER
from chainloop_ci.runners.types import HostFacts
from tests.family.github_files import LogCommand, read_commands, read_file
from tests.unit.cli.conftest import Result, Screen, TestWorld
from tests.unit.crafting.memory import CONTRACT, NOW, revision_of

BOTH = ("--material", "commit=deadbeef", "--material", "binary=app.bin")
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def private_pem() -> str:
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, encryption).decode()


@dataclass
class Step:
    """One step of a job: its result and what it left for the CI system."""

    result: Result
    folder: Path

    @property
    def outputs(self) -> dict[str, str]:
        return read_file(self.folder / "output")

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text(encoding="utf-8")

    def commands(self, *names: str) -> list[LogCommand]:
        return [command for command in read_commands(self.result.err) if not names or command.name in names]

    @property
    def verdict(self) -> str:
        return self.summary.splitlines()[2].strip("*")


@dataclass
class Runner:
    """Runs `attestation` commands like GitHub's runner does; each step has files of its own."""

    chainloop: object
    folder: Path
    env: dict[str, str]
    steps: list[Step] = field(default_factory=list)

    def __call__(self, *words: str, env: dict[str, str] | None = None, **facts: object) -> Step:
        place = self.folder / f"step-{len(self.steps)}"
        place.mkdir()
        files = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}
        for name in files.values():
            (place / name).touch()
        own = {variable: str(place / name) for variable, name in files.items()}
        result = self.chainloop("attestation", *words, env={**self.env, **own, **(env or {})}, **facts)
        self.steps.append(Step(result, place))
        return self.steps[-1]


@pytest.fixture
def github(chainloop, plane, private_pem: str, tmp_path: Path) -> Runner:
    (tmp_path / "app.bin").write_bytes(b"binary")
    env = {
        "CHAINLOOP_CONTROL_PLANE_API": "https://cp.test",
        "CHAINLOOP_SIGNING_KEY": private_pem,
        "CHAINLOOP_TOKEN": "clp_the-token",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "octocat",
        "GITHUB_REPOSITORY": "acme/app",
        "GITHUB_REPOSITORY_OWNER": "acme",
        "GITHUB_RUN_ID": "1",
        "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e",
        "GITHUB_WORKFLOW_REF": "acme/app/.github/workflows/ci.yml@refs/heads/main",
        "GITHUB_WORKSPACE": str(tmp_path),
        "RUNNER_OS": "Linux",
    }

    def invoke(*words: str, **facts: object) -> Result:
        return chainloop(*words, plane=plane, **facts)

    (tmp_path / "runner").mkdir()
    return Runner(invoke, tmp_path / "runner", env)


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
        ({"CHAINLOOP_MATERIALS": ""}, "add the line `binary=<file>` under `materials:` of this step"),
    ],
)
def test_the_fix_is_what_to_type_here(github: Runner, env: dict[str, str], fix: str) -> None:
    step = github("craft", "--material", "commit=x", env=env)

    assert step.commands("error")[0].data.splitlines()[1] == f"What to do: {fix}"


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


def test_a_summary_never_makes_the_step_s_file_too_large(github: Runner, tmp_path: Path) -> None:
    summary = tmp_path / "kept.md"
    summary.write_bytes(b"x" * (1024 * 1024 - 300) + b"\n")

    github("init", env={"GITHUB_STEP_SUMMARY": str(summary)})

    assert 1024 * 1024 - 300 < summary.stat().st_size <= 1024 * 1024
    assert "cut here" in summary.read_text()


# --- elsewhere


def cases_of(folder: Path) -> dict[str, list[str]]:
    root = fromstring((folder / "junit.xml").read_text(encoding="utf-8"))
    return {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}


def test_a_folder_gets_summary_requirements_and_outputs(github: Runner, tmp_path: Path) -> None:
    local = {name: "" for name in github.env if name.startswith("GITHUB_")}

    step = github("craft", "--material", "commit=x", "--report-dir", "out/report", env=local)

    folder = tmp_path / "out" / "report"
    assert step.commands() == []
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "outputs.env", "report.md"]
    assert cases_of(folder) == {
        "material commit (STRING)": [],
        "material binary (ARTIFACT)": ["failure"],
        "chainloop attestation craft": [],
    }
    lines = dict(line.split("=", 1) for line in (folder / "outputs.env").read_text().splitlines())
    assert set(lines) == {output.variable for output in OUTPUTS}
    assert (lines["CHAINLOOP_OUTPUT_STATE"], lines["CHAINLOOP_OUTPUT_MISSING_MATERIALS"]) == ("error", '["binary"]')


def test_what_is_not_there_yet_is_no_failing_test(github: Runner, tmp_path: Path) -> None:
    github("init", "--report-dir", "out")

    assert set(map(tuple, cases_of(tmp_path / "out").values())) == {("skipped",), ()}


def test_the_bundle_is_named_as_it_was_typed_outside_of_github(github: Runner, tmp_path: Path) -> None:
    local = {name: "" for name in github.env if name.startswith("GITHUB_")}

    github("craft", *BOTH, "--bundle", "bundle.json", env={**local, "CHAINLOOP_REPORT_DIR": "out"})

    assert "CHAINLOOP_OUTPUT_BUNDLE_PATH=bundle.json\n" in (tmp_path / "out" / "outputs.env").read_text()


def test_a_link_in_the_place_of_a_report_is_replaced_not_followed(github: Runner, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "out" / "report.md").symlink_to(tmp_path / "precious")

    github("init", "--report-dir", "out")

    assert (tmp_path / "precious").read_text() == "kept"
    assert (tmp_path / "out" / "report.md").read_text().startswith("## Chainloop")


def test_tekton_gets_the_beginning_of_the_summary_as_a_result(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    world = TestWorld(env={}, cwd=tmp_path, stdin=Screen(), stdout=Screen(), stderr=Screen(), now=lambda: NOW)
    facts = HostFacts(env={}, existing_paths=frozenset({RESULTS_FOLDER}))
    report = CiReport(world, "push", facts=facts, tekton_results=str(results))

    report.note_error(UnreachableError("no answer"), 6)
    report.write(6)

    text = (results / TEKTON_RESULT).read_text()
    assert text.startswith("## Chainloop attestation\n")
    assert len(text.encode()) <= TEKTON_BYTES


def test_the_folder_that_is_looked_for_is_tekton_s() -> None:
    assert wiring._TEKTON_RESULTS == RESULTS_FOLDER


def test_without_a_ci_system_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    script = (
        "import sys; from chainloop_ci.cli.main import main;"
        "sys.argv = ['chainloop', 'attestation', 'status']; main();"
        "print(*(name for name in sys.modules if name.startswith('chainloop_ci.')), file=sys.stderr)"
    )
    env = {"PATH": "/usr/bin", "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(Path(wiring.__file__).parents[2])}

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=env)

    loaded = done.stderr.splitlines()[-1].split()
    assert "chainloop_ci.cli.attestation" in loaded
    assert [name for name in loaded if "report" in name] == []


@pytest.mark.parametrize("text", [b"\xff\xfe", b""], ids=["no text", "empty"])
def test_what_is_wrong_with_a_whole_contract_is_told_at_its_file(github: Runner, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "contract.yaml").write_bytes(text)

    step = github("init", "--contract", "contract.yaml", "--dry-run")

    assert {error.properties["file"] for error in step.commands("error")} == {"contract.yaml"}
