"""Renders what of `gitlab/` follows the tables of options: `python -m tests.family.gitlab_render --write`.

Files are written by hand but for what stands between a line «begin NAME» and a line «end NAME».
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from chainloop_ci.cli.options import Kind
from chainloop_ci.cli.plugin_inputs import (
    CONNECTION,
    INSTALL,
    OUTPUTS,
    SAID_BY_THE_TEMPLATE,
    Input,
    gitlab_inputs,
    step_inputs,
)
from tests.family.marked import fill, part, without_marks

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "gitlab"
SCRIPTS = FOLDER / "scripts"
SHARED = ROOT / "actions" / "_shared"
REPORTS = "chainloop-report"
"""Where the reports lie in the job's folder: artifacts are named by relative paths."""

GITLAB = (
    Input("as", "", "Name of the ready job; the one to extend has a dot before it.", default="chainloop"),
    Input(
        "stage", "", "Stage of the ready job; `.post` is there in every pipeline, after all others.", default=".post"
    ),
    Input(
        "image",
        "",
        "Image with the command, or with what `source` needs; the job says how one is made.",
        default="python:3.13",
    ),
    Input("report-name", "", "Name of the report in merge requests.", default="Chainloop attestation"),
)
"""Inputs of the template alone. An empty image would be no valid one, so there is one in which the job can speak."""
OF_MANY_JOBS = tuple(row for row in GITLAB if row.name != "stage")
"""Those of the template for many jobs, which has its stages."""
SAID_FOR_MANY_JOBS = SAID_BY_THE_TEMPLATE | {
    "remote-state",
    "attestation-id",
    "sealed-handle",
    "job-index",
    "resume",
}
DEFAULTS = {"report-dir": REPORTS}
"""Where a default of the command line is not what a template needs."""

_ONE_PER_LINE = (Kind.PAIRS, Kind.LIST)


def inputs(*commands: str, without: Iterable[str] = SAID_BY_THE_TEMPLATE) -> tuple[Input, ...]:
    """Return the inputs of a template that become variables, by default of `craft`; secrets are none of them."""
    return tuple(row for row in gitlab_inputs(*commands) if not row.secret and row.name not in without)


def inputs_of_many_jobs() -> tuple[Input, ...]:
    """Return the inputs of the template for many jobs."""
    return inputs("init", "push", without=SAID_FOR_MANY_JOBS)


def secrets(command: str = "craft") -> tuple[Input, ...]:
    """Return what is set as masked variable of the project or group."""
    return tuple(row for row in (*CONNECTION, *step_inputs(command), *INSTALL) if row.secret)


def default(row: Input) -> object:
    """Return an input's default as the value that YAML has of it."""
    if row.kind is Kind.SWITCH:
        return row.default == "true"
    if row.kind is Kind.NUMBER:
        return int(row.default or 0)
    return DEFAULTS.get(row.name, row.default)


def meaning(row: Input) -> str:
    """Return the description, with the form of a list."""
    return f"{row.help} One in each line." if row.kind in _ONE_PER_LINE else row.help


def spec_lines(rows: Iterable[Input]) -> list[str]:
    """Render `inputs:` of the template's header."""
    lines = ["inputs:"]
    for row in rows:
        types = {Kind.SWITCH: "boolean", Kind.NUMBER: "number"}
        lines += [f"  {row.name}:", f"    description: {json.dumps(meaning(row), ensure_ascii=False)}"]
        if row.kind in types:
            lines.append(f"    type: {types[row.kind]}")
        if row.kind is Kind.CHOICE:
            offered = row.choices if row.default else ("", *row.choices)
            lines.append(f"    options: {json.dumps(offered)}")
        lines.append(f"    default: {json.dumps(default(row))}")
    return lines


def variable_lines(rows: Iterable[Input]) -> list[str]:
    """Render `variables:` of the job: each input as the variable of its option.

    A boolean would stay one when it is the whole value, and GitLab takes none in `variables`; within a longer text it
    becomes text. The command does not mind the space.
    """
    return [f'{row.env}: "$[[ inputs.{row.name} ]]{" " if row.kind is Kind.SWITCH else ""}"' for row in rows]


def script_lines(name: str) -> list[str]:
    """Render one of our scripts as an entry of `script:`."""
    text = without_marks(script(SCRIPTS / f"{name}.sh"))
    return ["- |", *(f"  {line}" if line else "" for line in text.splitlines())]


def script(path: Path) -> str:
    """Return one of our scripts with what it has in common with the other plugins."""
    shared = {"search": part(SHARED / "find_python.sh", "search"), "network": part(SHARED / "network.py", "network")}
    return fill(path.read_text(encoding="utf-8"), shared)


def functions() -> str:
    """Return the installer's functions, without the end of the script that calls them."""
    text, found, _ = script(SCRIPTS / "install.sh").partition("if ! command -v chainloop")
    if not found:
        raise ValueError("install.sh does not look for the command any more")
    return text


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Render a table of a README."""
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"] + [f"| {' | '.join(row)} |" for row in rows]


def readme_parts() -> Mapping[str, list[str]]:
    """Return the tables of the README."""
    values = {row.name: default(row) for row in (*GITLAB, *inputs())}
    shown = {
        name: f"`{json.dumps(value).strip(chr(34))}`" if value not in ("", None) else ""
        for name, value in values.items()
    }
    return {
        "inputs": table(
            ("Name", "Default", "Meaning"),
            [(f"`{row.name}`", shown[row.name], meaning(row)) for row in (*GITLAB, *inputs())],
        ),
        "secrets": table(("Variable", "Meaning"), [(f"`{row.env}`", row.help) for row in secrets()]),
        "outputs": table(("Variable", "Meaning"), [(f"`{row.variable}`", row.help) for row in OUTPUTS]),
    }


def template_parts() -> Mapping[str, list[str]]:
    """Return what is made in the templates."""
    return {
        "inputs": spec_lines((*GITLAB, *inputs())),
        "variables": variable_lines(inputs()),
        "install": [*script_lines("find"), *script_lines("install")],
        "finish": [*script_lines("find"), *script_lines("finish")],
        "many-inputs": spec_lines((*OF_MANY_JOBS, *inputs_of_many_jobs())),
        "many-variables": variable_lines(inputs_of_many_jobs()),
        "share": script_lines("share"),
        "keep": script_lines("keep"),
    }


def rendered() -> dict[Path, str]:
    """Return every file with what it should hold."""
    templates = sorted((FOLDER / "templates").glob("*.yml"))
    files = {**dict.fromkeys(templates, template_parts()), FOLDER / "README.md": readme_parts()}
    made = {path: script(path) for path in sorted(SCRIPTS.glob("*.sh"))}
    return made | {path: fill(path.read_text(encoding="utf-8"), parts) for path, parts in files.items()}


def main() -> int:
    """Say which files differ; write them when asked."""
    different = {path: text for path, text in rendered().items() if path.read_text(encoding="utf-8") != text}
    for path, text in different.items():
        print(path.relative_to(ROOT))
        if "--write" in sys.argv:
            path.write_text(text, encoding="utf-8")
    return 1 if different and "--write" not in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
