"""What is told where there is no GitHub: a folder of reports, Tekton's results, and nothing at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chainloop_ci.cli import wiring
from chainloop_ci.cli.ci_report import TEKTON_RESULT, CiReport
from chainloop_ci.cli.plugin_inputs import OUTPUTS
from chainloop_ci.errors import UnreachableError
from chainloop_ci.reports.summary import TEKTON_BYTES
from chainloop_ci.runners.systems.tekton import RESULTS_FOLDER
from chainloop_ci.runners.types import HostFacts
from tests.unit.cli.conftest import Screen, TestWorld
from tests.unit.cli.told import BOTH, Runner, cases_of
from tests.unit.cli.told import github as github
from tests.unit.cli.told import private_pem as private_pem
from tests.unit.crafting.memory import NOW


def test_a_folder_gets_summary_requirements_and_outputs(github: Runner, tmp_path: Path) -> None:
    local = {name: "" for name in github.env if name.startswith("GITHUB_")}

    step = github("craft", "--material", "commit=x", "--report-dir", "out/report", env=local)

    folder = tmp_path / "out" / "report"
    assert step.commands() == []
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "outputs.env", "report.md"]
    assert cases_of(folder) == {
        "material commit (STRING)": [],
        "material binary (ARTIFACT)": ["failure"],
        "chainloop attestation craft": ["failure"],
    }
    lines = dict(line.split("=", 1) for line in (folder / "outputs.env").read_text().splitlines())
    assert set(lines) == {output.variable for output in OUTPUTS}
    assert (lines["CHAINLOOP_OUTPUT_STATE"], lines["CHAINLOOP_OUTPUT_MISSING_MATERIALS"]) == ("error", '["binary"]')


def test_what_is_not_there_yet_is_no_failing_test(github: Runner, tmp_path: Path) -> None:
    github("init", "--report-dir", "out")

    assert set(map(tuple, cases_of(tmp_path / "out").values())) == {("skipped",), ()}


@pytest.mark.parametrize(
    "why", [("add", "--name", "binary", "--value", "nothing-here"), ("push",)], ids=["add", "push"]
)
def test_an_end_after_a_failure_leaves_the_reports_that_say_why(
    github: Runner, tmp_path: Path, why: tuple[str, ...]
) -> None:
    folder = {"CHAINLOOP_REPORT_DIR": "out"}
    github("init", env=folder)
    github(*why, env=folder)
    told = cases_of(tmp_path / "out"), (tmp_path / "out" / "report.md").read_text()

    github("push", "--job-status", "failure", env=folder)

    assert ["failure"] in told[0].values()
    assert (cases_of(tmp_path / "out"), (tmp_path / "out" / "report.md").read_text()) == told
    assert "CHAINLOOP_OUTPUT_STATE=error\n" in (tmp_path / "out" / "outputs.env").read_text()


def test_an_end_is_told_in_place_of_what_another_run_or_nobody_has_told(github: Runner, tmp_path: Path) -> None:
    folder = {"CHAINLOOP_REPORT_DIR": "out"}
    github("craft", "--material", "commit=x", env=folder)  # fails, and ends its run
    github("init")
    github("push", "--job-status", "failure", env=folder)
    of_another = (tmp_path / "out" / "report.md").read_text()
    github("init", env=folder)

    github("push", "--job-status", "failure", env=folder)

    for text in (of_another, (tmp_path / "out" / "report.md").read_text()):
        assert "**The attestation was ended without being stored: error.**" in text


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
