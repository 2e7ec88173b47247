"""docs/command-line.md says what the code does: every variable with its option, every exit code, the project file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from chainloop_ci.cli import exit_codes
from chainloop_ci.cli.command import TableOption
from chainloop_ci.cli.main import chainloop
from chainloop_ci.cli.options import PLUGIN_VARIABLE, SIGNING_PASSWORD_FILE_VARIABLE, SIGNING_PASSWORD_VARIABLE
from chainloop_ci.cli.plugin_inputs import INSTALL, OUTPUTS
from chainloop_ci.network import CA_BUNDLE_VARIABLE, NO_PROXY_VARIABLE, PROXY_VARIABLE
from chainloop_ci.workspace.project_file import load_project_file

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(CHAINLOOP_\w+)` \| ([^|]*) \|", re.MULTILINE)
CODE = re.compile(r"^\| (\d+) \|", re.MULTILINE)
PROJECT_FILE = re.compile(r"^```yaml\n(projectVersion.*?)^```$", re.MULTILINE | re.DOTALL)
NETWORK = {PROXY_VARIABLE, NO_PROXY_VARIABLE, CA_BUNDLE_VARIABLE}
WITHOUT_OPTION = {PLUGIN_VARIABLE, SIGNING_PASSWORD_VARIABLE, SIGNING_PASSWORD_FILE_VARIABLE, "CHAINLOOP_CUE"} | NETWORK


def options_of(command: click.Command) -> Iterator[TableOption]:
    """Yield the options of a command and of all that are below it."""
    yield from (parameter for parameter in command.params if isinstance(parameter, TableOption))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from options_of(below)


def variables() -> dict[str, set[str]]:
    """Return every variable with the flags that stand before it."""
    found: dict[str, set[str]] = {}
    for option in options_of(chainloop):
        if option.entry.env:
            found.setdefault(option.entry.env, set()).add(option.entry.flags[0])
    return found


def test_every_variable_stands_beside_its_option() -> None:
    rows = dict(ROW.findall(PAGE))

    assert set(rows) == set(variables()) | WITHOUT_OPTION
    wrong = {name for name, flags in variables().items() if not all(f"{flag}`" in rows[name] for flag in flags)}
    assert wrong == set()


def test_the_network_s_variables_are_those_that_the_plugins_hand_over() -> None:
    assert {entry.env for entry in INSTALL} >= NETWORK


def test_every_output_of_a_step_stands_there_with_its_variable() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \(`(CHAINLOOP_OUTPUT_\w+)`\) \|", PAGE, re.MULTILINE)

    assert rows == [(output.name, output.variable) for output in OUTPUTS]


def test_every_exit_code_is_explained() -> None:
    known = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}

    assert {int(code) for code in CODE.findall(PAGE)} == known


def test_the_project_file_can_be_read(tmp_path: Path) -> None:
    [example] = PROJECT_FILE.findall(PAGE)
    (tmp_path / ".chainloop.yml").write_text(example)

    file = load_project_file(tmp_path / ".chainloop.yml")

    assert (file.project_version, file.attestations[0].project) == ("v1.2.0", "hello")
    for field in (*yaml.safe_load(example), *yaml.safe_load(example)["attestations"][0]):
        assert re.search(rf"^\| [^|]*\b{field}\b", PAGE, re.MULTILINE), field


def test_the_readme_leads_to_the_page() -> None:
    assert "(docs/command-line.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
