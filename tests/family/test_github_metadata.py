"""action.yml and actions/*: what the tables say, and what GitHub's runner makes of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chainloop_ci.cli.plugin_inputs import CONNECTION, OUTPUTS, step_inputs
from tests.family.github_render import ACTIONS, README, ROOT, Action, files, inputs_of, render_readme

# What a `run:` may hold: one command, the script by the variable, and one plain word.
COMMAND = re.compile(r'"\$GITHUB_ACTION_PATH/[a-z_./]+\.sh" [a-z]+')
every_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.command)


def load(action: Action) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((action.folder / "action.yml").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("path", sorted(files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_is_what_the_tables_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == files()[path], "run: python -m tests.family.github_render --write"


@every_action
def test_an_action_has_an_input_for_every_option_of_its_command(action: Action) -> None:
    options = {entry.env for entry in (*step_inputs(action.command), *CONNECTION)}

    step = load(action)["runs"]["steps"][0]

    assert options <= set(step["env"])
    assert len({entry.name for entry in inputs_of(action)}) == len({entry.env for entry in inputs_of(action)})


@every_action
def test_inputs_reach_the_script_as_variables_alone(action: Action) -> None:
    [step] = load(action)["runs"]["steps"]

    assert COMMAND.fullmatch(step["run"]), step["run"]
    assert step["shell"] == "bash"
    for entry in inputs_of(action):
        assert step["env"][entry.env].startswith(f"${{{{ inputs.{entry.name} || env.{entry.env}")


@every_action
def test_the_script_of_an_action_can_be_run(action: Action) -> None:
    [step] = load(action)["runs"]["steps"]
    script = action.folder / step["run"].split('"')[1].removeprefix("$GITHUB_ACTION_PATH/")

    assert script.resolve() == ROOT / "actions" / "_shared" / "run.sh"
    assert os.access(script, os.X_OK)


@every_action
def test_every_output_of_the_table_is_handed_on(action: Action) -> None:
    outputs = load(action)["outputs"]

    assert {name: entry["value"] for name, entry in outputs.items()} == {
        output.name: f"${{{{ steps.chainloop.outputs.{output.name} }}}}" for output in OUTPUTS
    }


@every_action
def test_no_action_uses_another_one(action: Action) -> None:
    # `uses: ./…` would be looked for in the checkout of the job, not in ours.
    assert "uses:" not in (action.folder / "action.yml").read_text(encoding="utf-8")


def test_the_names_of_the_actions_differ() -> None:
    assert len({load(action)["name"] for action in ACTIONS}) == len(ACTIONS)


def test_a_readme_without_a_marker_is_an_error() -> None:
    text = README.read_text(encoding="utf-8").replace("<!-- outputs -->", "")

    with pytest.raises(ValueError, match="the marker «outputs» once, found it 0 times"):
        render_readme(text)


def test_t07_the_install_masks_every_secret_input() -> None:
    text = (ROOT / "actions" / "_shared" / "network.py").read_text(encoding="utf-8")
    masked = set(re.findall(r'^(?:    |KEY = )"(CHAINLOOP_[A-Z_]+)"', text, re.MULTILINE))

    assert masked == {entry.env for action in ACTIONS for entry in inputs_of(action) if entry.secret}
