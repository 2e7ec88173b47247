"""Texts that want to be obeyed, in every input of every GitHub action, as branch name and as pull request's title.

The command itself is run in this process, where all texts in all inputs take minutes and not days; what stands before
it (bash, the install) sees few of the inputs, and is run as the runner does with a sample. `make hostile` plays every
text where a text costs little.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from chainloop_ci.cli.main import run
from chainloop_ci.cli.plugin_inputs import INSTALL, OUTPUTS, Plugin
from chainloop_ci.cli.wiring import World
from tests.conftest import PROJECT
from tests.family.composite import Composite
from tests.family.github_files import read_commands, read_file
from tests.family.github_render import ACTIONS, inputs_of
from tests.family.hostile import CANARY_FILE, CANARY_NAME, HOSTILE, sample

CONTRACT = (
    "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\n"
    "spec: {materials: [{name: binary, type: ARTIFACT}, {name: version, type: STRING}]}\n"
)
COMMANDS_OF_OURS = frozenset({"error", "warning", "group", "endgroup", "add-mask", "debug"})
FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
BENIGN = {
    "CHAINLOOP_DRY_RUN": "true",
    "CHAINLOOP_CONTRACT": "contract.yaml",
    "CHAINLOOP_MATERIALS": "binary=app\nversion=1",
    "CHAINLOOP_MATERIAL_VALUE": "app",
    "CHAINLOOP_MATERIAL_NAME": "binary",
}
INSTALL_VARIABLES = {entry.env for entry in INSTALL}
VARIABLES = {
    entry.env: action.command
    for action in reversed(ACTIONS)
    for entry in inputs_of(action)
    if entry.env not in INSTALL_VARIABLES
}
"""Every variable with the first command that has it; `craft` has most."""
SECRETS = {entry.env for action in ACTIONS for entry in inputs_of(action) if entry.secret}


class Job:
    """A job on GitHub in a folder; its commands run in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        (self.workspace / "app").write_text("built")
        (self.workspace / "contract.yaml").write_text(CONTRACT)
        self.state = folder / "state.json"
        for name in FILES:
            (folder / name).write_text("")
        self.env = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "ana",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_REPOSITORY": "acme/widget",
            "GITHUB_REPOSITORY_OWNER": "acme",
            "GITHUB_RUN_ID": "1",
            "GITHUB_SHA": "1" * 40,
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(folder),
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CHAINLOOP_LOCAL_STATE_PATH": str(self.state),
            **{name: str(folder / name) for name in FILES},
        }

    def prepare(self) -> None:
        """Begin what `add`, `status`, `push` and `reset` go on with."""
        self.run("init", {})
        shutil.copyfile(self.state, self.folder / "begun.json")

    def run(self, command: str, env: Mapping[str, str]) -> str:
        """Run a command and return its log."""
        if (self.folder / "begun.json").exists():
            shutil.copyfile(self.folder / "begun.json", self.state)
        log = io.StringIO()
        benign = {name: value for name, value in BENIGN.items() if VARIABLES.get(name) == command or command == "init"}
        world = World(
            env={**self.env, **benign, **env}, cwd=self.workspace, stdin=io.StringIO(), stdout=log, stderr=log
        )
        run(("attestation", command), world)
        return log.getvalue()

    def check(self, log: str, secret: str = "") -> None:
        """Fail when something was obeyed, and forget what was written."""
        check(log, self.folder, {name: self.folder / name for name in FILES}, secret)
        for name in FILES:
            (self.folder / name).write_text("")


def check(log: str, folder: Path, files: Mapping[str, Path], secret: str) -> None:
    """Fail when a text was obeyed: by a shell, by the runner as it reads the log, or as it reads the step's files.

    Each line of a secret is masked, whatever it says.
    """
    assert not list(folder.rglob(CANARY_FILE))
    assert not Path(CANARY_FILE).exists()
    masked = {line.strip() for line in secret.splitlines()}
    for command in read_commands(log):
        if command.name == "add-mask" and command.data.strip() in masked:
            continue
        assert command.name in COMMANDS_OF_OURS, command
        assert CANARY_NAME not in str(command.properties), command
        assert command.data != CANARY_NAME, command
        assert not (command.name in ("group", "debug") and CANARY_NAME in command.data), command
    assert set(read_file(files["GITHUB_OUTPUT"])) <= {output.name for output in OUTPUTS}
    assert [files[name].read_text() for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE")] == ["", "", ""]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_t01_t02_t03_no_text_in_an_input_is_obeyed(job: Job, variable: str) -> None:
    command = VARIABLES[variable]
    if command not in ("craft", "init"):
        job.prepare()

    for text in sample(9):
        job.check(job.run(command, {variable: text}), text if variable in SECRETS else "")


@pytest.mark.parametrize(
    "form", ["version={}", "{}=app", "binary={}", "extra={}"], ids=["text", "name", "path", "of no entry"]
)
def test_t01_t02_t03_no_text_in_a_material_is_obeyed(job: Job, form: str) -> None:
    for text in sample(9):
        job.check(job.run("craft", {"CHAINLOOP_MATERIALS": f"binary=app\n{form.format(text)}"}))


def test_t01_t02_t03_no_text_in_an_annotation_is_obeyed(job: Job) -> None:
    for text in sample(9):
        job.check(job.run("craft", {"CHAINLOOP_ANNOTATIONS": f"note={text}"}))


@pytest.mark.parametrize("variable", ["GITHUB_REF", "GITHUB_HEAD_REF", "GITHUB_REF_NAME", "GITHUB_ACTOR"])
def test_t01_t02_t03_no_name_of_a_branch_is_obeyed(job: Job, variable: str) -> None:
    for text in sample(9):
        job.check(job.run("craft", {variable: text}))


def test_t01_t02_t03_no_title_of_a_pull_request_is_obeyed(job: Job) -> None:
    event = job.folder / "event.json"
    own = {"sha": "1" * 40, "repo": {"full_name": "acme/widget"}}

    for text in sample(5):
        document = {"pull_request": {"number": 7, "title": text, "body": text, "head": {**own, "ref": text}}}
        event.write_text(json.dumps(document))
        env = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event), "GITHUB_HEAD_REF": text}
        job.check(job.run("craft", env))


@pytest.fixture
def machine(tmp_path: Path, kept: Path, wheels: Path) -> Composite:
    made = Composite(tmp_path, kept, {"CHAINLOOP_INSTALL_WHEELS": str(wheels)})
    (made.workspace / "app").write_text("built")
    (made.workspace / "contract.yaml").write_text(CONTRACT)
    return made


def check_step(machine: Composite, log: str, secret: str) -> None:
    files = {name: machine.folder / "commands" / f"{name.lower()}_{machine.count}" for name in FILES}
    check(log, machine.folder, files, secret)


@pytest.mark.parametrize("name", sorted(entry.name for entry in INSTALL if Plugin.GITHUB in entry.plugins))
def test_t01_t02_t03_no_text_in_an_input_of_the_install_is_obeyed(machine: Composite, name: str) -> None:
    # The name of a Python is looked at by bash, before anything else is started.
    for text in sample(9) if name == "python" else HOSTILE[::90]:
        done = machine.run("status", {name: text})

        check_step(machine, done.log, text)


@pytest.mark.parametrize("variable", sorted(INSTALL_VARIABLES - {"CHAINLOOP_INSTALL_PYTHON"}))
def test_t01_t02_t03_the_install_takes_every_text_or_refuses_it_in_one_line(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / "actions" / "_shared"))
    environment, log, network = map(importlib.import_module, ("environment", "log", "network"))

    for text in HOSTILE:
        env = {variable: text, "RUNNER_TEMP": str(tmp_path), "PATH": os.environ["PATH"]}
        for secret in network.secrets_of(env):
            log.mask(secret)
        try:
            network.network_variables(env)
            options, _ = environment._source(env)
            assert all(option.startswith("--") for option in options)
        except log.InstallError as error:
            log.announce(error)
        for command in read_commands(capsys.readouterr().out):
            assert command.name in ("add-mask", "error"), command
            assert CANARY_NAME not in str(command.properties), command


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.command)
def test_t01_t02_t03_no_text_is_obeyed_on_its_way_through_a_step(machine: Composite, action: object) -> None:
    [known] = [entry for entry in ACTIONS if entry is action]
    names = [entry.name for entry in inputs_of(known) if entry.env not in INSTALL_VARIABLES]
    for number, text in enumerate(HOSTILE[::60]):
        # Each text in several inputs at once; which ones, moves on.
        given = dict.fromkeys(names[number % 5 :: 5], text)

        done = machine.run(known.command, given)

        check_step(machine, done.log, text)
