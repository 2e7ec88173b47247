"""Writes the metadata of the GitHub actions, and the tables of their README, from the tables of options and inputs.

`python -m tests.family.github_render --write` after a change of those; a test compares what is there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainloop_ci.cli.options import Kind
from chainloop_ci.cli.plugin_inputs import CONNECTION, INSTALL, OUTPUTS, Input, Plugin, github_inputs, step_inputs

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "actions" / "README.md"


@dataclass(frozen=True)
class Action:
    """One action: the command that it runs, and what the Marketplace shows of it."""

    command: str
    name: str
    description: str

    @property
    def folder(self) -> Path:
        """Return where its metadata lies; the one step for everything is the repository's own action."""
        return ROOT if self.command == "craft" else ROOT / "actions" / self.command

    @property
    def script(self) -> str:
        """Return the way to the script from there."""
        return "actions/_shared/run.sh" if self.command == "craft" else "../_shared/run.sh"


ACTIONS = (
    Action("craft", "Chainloop attestation", "Craft, sign and store the attestation of this run in one step."),
    Action("init", "Chainloop attestation: init", "Begin an attestation: fetch the contract and check the job."),
    Action("add", "Chainloop attestation: add", "Add a material: a file, a container image or a text."),
    Action("status", "Chainloop attestation: status", "Show what the contract asks for and what is missing."),
    Action("push", "Chainloop attestation: push", "Sign and store the attestation; with if: always() end the run."),
    Action("reset", "Chainloop attestation: reset", "End the attestation without storing it."),
)

# What GitHub knows without being told. As a default it is worked out where the action is used: inside, some runners
# know the action's own status and no matrix (act). `strategy.job-index` is 0 in a job without a matrix as well.
_DEFAULTS = {
    "CHAINLOOP_JOB_INDEX": "${{ strategy.job-total > 1 && format('{0}', strategy.job-index) || '' }}",
    "CHAINLOOP_JOB_STATUS": "${{ job.status }}",
    # Empty on GitHub Enterprise Server, and in act.
    "CHAINLOOP_JOB_WORKFLOW": "${{ job.workflow_ref }}",
}
_TOLD = {
    "CHAINLOOP_JOB_INDEX": "the leg of a matrix",
    "CHAINLOOP_JOB_STATUS": "`job.status`",
    "CHAINLOOP_JOB_WORKFLOW": "`job.workflow_ref`",
}
"""The defaults in words."""
# A cancelled job: act looks at the condition inside of the action too. GitHub's runner cancels the one with the other.
_ALWAYS = """\
      # Whether this step runs is decided where the action is used.
      if: always()
"""
_HEAD = """\
# Written by `python -m tests.family.github_render --write` from the tables of options and inputs.
"""


def inputs_of(action: Action) -> tuple[Input, ...]:
    """Return the inputs of an action: those of its command first."""
    return github_inputs(action.command)


def render_action(action: Action) -> str:
    """Return the text of `action.yml`."""
    inputs = inputs_of(action)
    return "".join(
        [
            _HEAD,
            f"name: {_quoted(action.name)}\ndescription: {_quoted(action.description)}\nauthor: Chainloop\n",
            "branding:\n  icon: link\n  color: blue\n",
            "inputs:\n",
            *(_input(entry) for entry in inputs),
            "outputs:\n",
            *_outputs(),
            "runs:\n  using: composite\n  steps:\n    - id: chainloop\n",
            _ALWAYS,
            "      shell: bash\n      env:\n",
            *(f"        {entry.env}: ${{{{ {_value(entry)} }}}}\n" for entry in inputs),
            f"      run: '\"$GITHUB_ACTION_PATH/{action.script}\" {action.command}'\n",
        ]
    )


def _input(entry: Input) -> str:
    return (
        f"  {entry.name}:\n    description: {_quoted(describe(entry))}\n"
        f"    required: {str(entry.required).lower()}\n    default: {_DEFAULTS.get(entry.env, chr(39) * 2)}\n"
    )


def _outputs() -> Iterator[str]:
    for output in OUTPUTS:
        value = f"${{{{ steps.chainloop.outputs.{output.name} }}}}"
        yield f"  {output.name}:\n    description: {_quoted(output.help)}\n    value: {value}\n"


def _value(entry: Input) -> str:
    """Return the expression of a variable: the input, else the job's own variable."""
    return f"inputs.{entry.name} || env.{entry.env}"


def describe(entry: Input) -> str:
    """Return what an input is for, with the words that it takes."""
    words = [entry.help]
    if entry.kind in (Kind.LIST, Kind.PAIRS):
        words.append("One in each line.")
    if entry.kind is Kind.SWITCH:
        words.append("true or false.")
    if entry.choices:
        words.append(f"One of: {', '.join(entry.choices)}.")
    return " ".join(words)


def default_of(entry: Input) -> str:
    """Return what counts when neither the input nor the variable says anything."""
    if entry.env in _DEFAULTS:
        return _TOLD[entry.env]
    if entry.kind is Kind.SWITCH:
        return "`false`"
    return f"`{entry.default}`" if entry.default else ""


def render_readme(text: str) -> str:
    """Return the README with its tables written anew."""
    for marker, table in tables().items():
        pattern = re.compile(rf"(<!-- {re.escape(marker)} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, table=table: match[1] + table + match[2], text)  # type: ignore[misc]  # one loop, used at once
        if count != 1:
            raise ValueError(f"{README}: expected the marker «{marker}» once, found it {count} times")
    return text


def tables() -> dict[str, str]:
    """Return the tables of the README by their marker."""
    own = {f"inputs of {action.command}": _input_table(step_inputs(action.command)) for action in ACTIONS}
    shared = {"inputs of every step": _input_table(CONNECTION), "inputs of the install": _input_table(INSTALL)}
    rows = "".join(f"| `{output.name}` | {output.help} |\n" for output in OUTPUTS)
    return {**own, **shared, "outputs": f"| Name | Meaning |\n|---|---|\n{rows}"}


def _input_table(inputs: tuple[Input, ...]) -> str:
    rows = [entry for entry in inputs if Plugin.GITHUB in entry.plugins]
    lines = [
        f"| `{entry.name}`{' (required)' if entry.required else ''} | {default_of(entry)} "
        f"| {describe(entry).replace('|', chr(92) + '|')} | `{entry.env}` |\n"
        for entry in rows
    ]
    return "| Name | Default | Meaning | Variable |\n|---|---|---|---|\n" + "".join(lines)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def files() -> dict[Path, str]:
    """Return every file with the text that it should have."""
    metadata = {action.folder / "action.yml": render_action(action) for action in ACTIONS}
    return {**metadata, README: render_readme(README.read_text(encoding="utf-8"))}


def main() -> None:
    """Write the files, or name those that differ."""
    differing = [path for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in differing:
        print(path.relative_to(ROOT))
        if "--write" in sys.argv:
            path.write_text(files()[path], encoding="utf-8")


if __name__ == "__main__":
    main()
