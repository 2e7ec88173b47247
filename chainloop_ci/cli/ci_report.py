"""The one place that tells a CI system of a command: masks first, then outputs, summary, files and annotations.

GitHub gets outputs, a job summary, annotations and folded parts of the log; Tekton a result; everybody who names a
folder gets files there. A report that cannot be written is a warning: it never decides how a command ends.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from chainloop_ci.cli.dialect import Dialect
from chainloop_ci.cli.plugin_inputs import OUTPUTS
from chainloop_ci.cli.report_facts import Told, make_report
from chainloop_ci.cli.report_files import append, read, replace, size_of
from chainloop_ci.cli.report_secrets import find_secrets
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.reports.github import render_annotations, render_command, render_masks, render_outputs
from chainloop_ci.reports.report import Report
from chainloop_ci.reports.summary import MAX_BYTES, TEKTON_BYTES, render_summary
from chainloop_ci.runners.registry import discover
from chainloop_ci.runners.systems.tekton import RESULTS_FOLDER
from chainloop_ci.workspace.facts import look_around

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import CraftingState
    from chainloop_ci.cli.wiring import World
    from chainloop_ci.crafting.push import Pushed
    from chainloop_ci.crafting.reset import Forgotten
    from chainloop_ci.crafting.terms import ContractFile
    from chainloop_ci.errors import ChainloopError
    from chainloop_ci.runners.types import HostFacts

SUMMARY_FILE, JUNIT_FILE, OUTPUTS_FILE = "report.md", "junit.xml", "outputs.env"
"""What is written into `--report-dir`."""
TEKTON_RESULT = "attestation-report"
"""Name of the result (reference section 12)."""

_BEGINNING = ("craft", "init")
"""Commands that know no attestation before they have begun one: what lies there of another one is not theirs."""
_WORKSPACES = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE")


class CiReport:
    """Collects what one command learns, and tells the CI system at its end."""

    def __init__(
        self, world: World, command: str, *, facts: HostFacts | None = None, tekton_results: str = RESULTS_FOLDER
    ) -> None:
        """`facts` are those of this machine."""
        self._world = world
        self._command = command
        self._runner = discover(facts or look_around(world.env)).type
        self._tekton_results = Path(tekton_results)
        self._masked: set[str] = set()
        self._has_open_phase = False
        self._state: CraftingState | None = None
        self._ended = False
        self._run_state = ""
        self._pushed: Pushed | None = None
        self._error: ChainloopError | None = None
        self._error_status = 0
        self._goes_on = ""
        self._tolerated = False
        self._queued = ""
        self._warnings: list[str] = []
        self.contract: ContractFile | None = None
        """The contract that lies in the checkout, if one was named."""
        self.bundle = ""
        """Where the bundle was asked for."""
        self.outputs: dict[str, str] = {}
        """Outputs that a command knows better than what is made of its state; by the names of `OUTPUTS`."""

    @property
    def is_github(self) -> bool:
        """Tell whether GitHub's runner reads the log."""
        return self._runner is RunnerType.GITHUB_ACTION

    # --- what is learned ---------------------------------------------------------------------------------------------

    def begin(self, typed_secrets: Mapping[str, str]) -> None:
        """Mask what is secret, before anything else is written, and listen to warnings."""
        for secret in find_secrets(self._world, typed_secrets):
            self.mask(secret)
        self._world.output.on_warning = self._warnings.append
        self._world.output.on_phase = self._show_phase

    def mask(self, secret: str) -> None:
        """Let GitHub's runner show `***` in place of a secret.

        What goes into a file or to a terminal is read by no runner: there the command would give the secret away.
        """
        if self.is_github and not (_is_file(self._world.stderr) or self._world.stderr.isatty()):
            for line in render_masks(secret):
                if line not in self._masked:
                    self._masked.add(line)
                    self._world.output.command(line)

    def note_state(self, state: CraftingState) -> None:
        """Take notice of the attestation as it is now."""
        self._state, self._ended = state, False
        if state.session.run_handle:
            self.mask(state.session.run_handle)

    def note_ended(self, ended: Forgotten | None) -> None:
        """Take notice that the attestation was ended without a push; None: there was none."""
        if ended:
            self._state, self._ended, self._run_state = ended.state, True, ended.run_state

    def note_pushed(self, pushed: Pushed) -> None:
        """Take notice of a stored attestation."""
        self._pushed = pushed

    def note_queued(self, path: str) -> None:
        """Take notice that the attestation was signed and is kept in a file, for `push --resume`."""
        self.bundle = self._queued = path
        self.outputs |= {"state": "queued", "bundle-path": self._bundle_path()}

    def note_error(self, error: ChainloopError, status: int) -> None:
        """Take notice of why the command fails, and of the status that it has for it."""
        self._error, self._error_status = error, status

    def note_going_on(self, why: str, *, tolerated: bool = False) -> None:
        """Take notice that the job goes on all the same; one sentence says why.

        Where that is `tolerated` its error is shown as a warning.
        """
        self._goes_on, self._tolerated = why, tolerated

    def _show_phase(self, title: str) -> None:
        if not self.is_github:
            return
        if self._has_open_phase:
            self._world.output.command(render_command("endgroup"))
        self._has_open_phase = bool(title)
        if title:
            self._world.output.command(render_command("group", title))

    # --- what is told ------------------------------------------------------------------------------------------------

    def write(self, status: int) -> None:
        """Tell the CI system; `status` is what the command ends with."""
        self._show_phase("")
        told = self._told(status)
        report = make_report(told)
        # `status` after a push, or the last step of a job that had none: what was told before stays.
        is_news = told.knows_a_run or self._command in _BEGINNING
        if is_news or report.failed:
            if report.failed or self._command != "add":  # one step may add many, and each has a summary of its own
                self._try("the job summary", lambda: self._append_summary(report))
            self._try("the report files", lambda: self._write_folder(report))
            self._try("the result of the task", lambda: self._write_result(report))
        if is_news or report.outputs["state"]:
            self._try("the outputs", lambda: self._append_outputs(report))
            self._try("the outputs' file", lambda: self._write_outputs(report))
        if self.is_github:
            # Last: they say too what could not be written.
            warned = make_report(self._told(status))
            for line in render_annotations(warned):
                self._world.output.command(line)

    def _told(self, status: int) -> Told:
        return Told(
            command=self._command,
            exit_status=self._error_status or status,
            error=self._error,
            goes_on=self._goes_on,
            tolerated=self._tolerated,
            state=self._state,
            ended=self._ended,
            run_state=self._run_state,
            pushed=self._pushed,
            bundle=self._bundle_path(),
            queued=self._queued,
            notice=self._notice(),
            place=self._places(),
            dialect=self._world.dialect or Dialect(command=self._command),
            warnings=tuple(self._warnings),
            outputs=self.outputs,
        )

    def _try(self, what: str, tell: Callable[[], None]) -> None:
        try:
            tell()
        except OSError as error:
            self._world.output.warning(f"{what} could not be written", reason=error.strerror or str(error))

    def _notice(self) -> str:
        """Return why nothing is stored of a job that nobody told to make a dry run."""
        if self._pushed or (self._state and not self._state.dry_run):
            return ""
        from chainloop_ci.cli.standing import explain

        return explain(self._world)

    def _append_outputs(self, report: Report) -> None:
        path = self._world.env.get("GITHUB_OUTPUT")
        if self.is_github and path:
            append(Path(path), render_outputs(report.outputs, self._world.new_word))

    def _write_outputs(self, report: Report) -> None:
        if folder := self._folder():
            from chainloop_ci.reports.dotenv import render_dotenv

            dotenv = render_dotenv({output.variable: report.outputs[output.name] for output in OUTPUTS})
            replace(folder / OUTPUTS_FILE, dotenv.text)
            if dotenv.left_empty:
                names = ",".join(dotenv.left_empty)
                self._world.output.warning("some outputs have no form in a dotenv file and are left empty", names=names)

    def _append_summary(self, report: Report) -> None:
        path = self._world.env.get("GITHUB_STEP_SUMMARY")
        if self.is_github and path:
            append(Path(path), render_summary(report, MAX_BYTES - 1 - size_of(Path(path))))

    def _write_folder(self, report: Report) -> None:
        if folder := self._folder():
            from chainloop_ci.reports.junit import render_junit

            if self._ended and not report.failed and self._has_told_why(folder, report.outputs["run-id"]):
                return
            replace(folder / SUMMARY_FILE, render_summary(report))
            replace(folder / JUNIT_FILE, render_junit(report))

    def _has_told_why(self, folder: Path, run_id: str) -> bool:
        """Tell whether an earlier command has failed on this run: that is why it ends, and what people look for."""
        try:
            outputs, cases = (read(folder / name) for name in (OUTPUTS_FILE, JUNIT_FILE))
        except OSError:
            return False
        variable = next(output.variable for output in OUTPUTS if output.name == "run-id")
        return bool(run_id) and f"{variable}={run_id}\n" in outputs and "<failure " in cases

    def _write_result(self, report: Report) -> None:
        if self._runner is RunnerType.TEKTON_PIPELINE:
            replace(self._tekton_results / TEKTON_RESULT, render_summary(report, TEKTON_BYTES))

    # --- where things are --------------------------------------------------------------------------------------------

    def _folder(self) -> Path | None:
        given = self._world.text("report_dir")
        return self._world.cwd / given if given else None

    def _bundle_path(self) -> str:
        # Another step on GitHub may work in another folder; elsewhere a path from the job's own folder travels better.
        return str(self._world.cwd / self.bundle) if self.bundle and self.is_github else self.bundle

    def _places(self) -> dict[str, tuple[str, int | None]]:
        """Return where people look: the lines of a contract that lies in the checkout, else the workflow's file."""
        file = self._contract_file()
        if self._error is None or not (file and self.contract):
            return {"": (self._workflow_file(), None)}
        from chainloop_ci.contract.load import find_lines

        paths = [finding.path for finding in self._error.findings if finding.path]
        lines = find_lines(self.contract.raw, filename=self.contract.path, paths=paths)
        own = self._error.code == "contract-invalid"
        return {
            "": (file if own else self._workflow_file(), None),
            **{path: (file, line) for path, line in lines.items()},
        }

    def _contract_file(self) -> str:
        """Return the contract's path from the repository's root, with slashes; empty when it lies elsewhere."""
        if self.contract is None:
            return ""
        env = self._world.env
        root = next((Path(env[name]) for name in _WORKSPACES if env.get(name)), self._world.cwd)
        try:
            return (self._world.cwd / self.contract.path).resolve().relative_to(root.resolve()).as_posix()
        except (OSError, ValueError):
            return ""

    def _workflow_file(self) -> str:
        """Return the path of the workflow's file, when it is one of this repository.

        Source: GitHub Docs, GITHUB_WORKFLOW_REF: `owner/repository/.github/workflows/file.yml@ref`.
        """
        path = self._world.env.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]
        own = f"{self._world.env.get('GITHUB_REPOSITORY', '')}/"
        if not (self.is_github and path.startswith(own)):
            return ""
        return PurePosixPath(path.removeprefix(own)).as_posix()


def _is_file(stream: object) -> bool:
    """Tell whether a stream leads into an ordinary file."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)  # type: ignore[attr-defined]  # asked for below
    except (AttributeError, OSError, ValueError):
        return False
