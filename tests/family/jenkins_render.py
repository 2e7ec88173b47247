"""Renders what of `jenkins/` follows the tables of options: `python -m tests.family.jenkins_render --write`.

Files are written by hand but for what stands between a line «begin NAME» and a line «end NAME».
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from chainloop_ci.cli.options import Kind
from chainloop_ci.cli.plugin_inputs import (
    CONNECTION,
    INSTALL,
    JENKINS_CREDENTIALS,
    JENKINS_STEPS,
    OUTPUTS,
    Input,
    Plugin,
    camel,
    jenkins_inputs,
)
from tests.family.marked import fill, part

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "jenkins"
RESOURCES = FOLDER / "resources" / "chainloop"
SHARED = ROOT / "actions" / "_shared"

KNOWN = {"job-status": "the build's result so far"}
"""Where the default is what Jenkins knows."""

CREDENTIALS_OF = {
    "chainloopAttest": tuple(JENKINS_CREDENTIALS),
    "withChainloop": tuple(JENKINS_CREDENTIALS),
    "chainloopAdd": ("token", "registry-password", "proxy"),
    "chainloopInstall": ("proxy",),
}

_MANY = (Kind.PAIRS, Kind.LIST)


def group(name: str) -> tuple[Input, ...]:
    """Return the inputs of a group that are arguments: secrets are none of them."""
    return tuple(row for row in jenkins_inputs(name) if not row.secret)


def arguments(step: str) -> tuple[Input, ...]:
    """Return the arguments of a step, its own first; one that two commands share stands there once."""
    rows = {row.name: row for name in reversed(JENKINS_STEPS[step]) for row in group(name)}
    return tuple(rows.values())


def groovy_tables() -> list[str]:
    """Render argument and variable by group."""
    names = dict.fromkeys(name for groups in JENKINS_STEPS.values() for name in groups)
    parts = {name: {camel(row.name): row.env for row in group(name)} for name in names}
    parts["credentials"] = {argument: variable for argument, variable, _ in JENKINS_CREDENTIALS.values()}
    parts["outputs"] = {camel(row.name): row.variable for row in OUTPUTS}
    lines = []
    for name, pairs in parts.items():
        lines += [f"{name}: [", *(f"    {argument}: '{variable}'," for argument, variable in pairs.items()), "],"]
    return lines


def groovy_many() -> list[str]:
    """Render the names of arguments that may be lists or maps."""
    rows = [row for step in JENKINS_STEPS for row in arguments(step)]
    return [f"'{camel(name)}'," for name in dict.fromkeys(row.name for row in rows if row.kind in _MANY)]


def names() -> list[str]:
    """Render what the installer's inputs are called here, for messages of the parts that the plugins share."""
    rows = [row for row in INSTALL if Plugin.JENKINS in row.plugins]
    called = {row.name: JENKINS_CREDENTIALS[row.name][0] if row.secret else camel(row.name) for row in rows}
    return ["ARGUMENTS = {", *(f'    "{name}": "{argument}",' for name, argument in called.items()), "}"]


def version() -> list[str]:
    """Render which version is installed when none is named."""
    [ref] = [row.default for row in INSTALL if row.name == "source-ref"]
    return [f'DEFAULT_REF = "{ref}"']


def meaning(row: Input) -> str:
    """Return the description, with the form of a list."""
    words = [row.help]
    if row.kind in _MANY:
        words.append("A map, a list of NAME=VALUE, or lines.")
    if row.kind is Kind.SWITCH:
        words.append("true or false.")
    if row.choices:
        words.append(f"One of: {', '.join(row.choices)}.")
    return " ".join(words)


def default(row: Input) -> str:
    """Return what counts when neither the argument nor the variable says anything."""
    if row.name in KNOWN:
        return KNOWN[row.name]
    if row.kind is Kind.SWITCH:
        return "`false`"
    return f"`{row.default}`" if row.default else ""


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Render a table of the README."""
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"] + [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    ]


def _rows(rows: Iterable[Input]) -> list[str]:
    cells = [
        (f"`{camel(row.name)}`{' (required)' if row.required else ''}", default(row), meaning(row), f"`{row.env}`")
        for row in rows
    ]
    return table(("Name", "Default", "Meaning", "Variable"), cells)


def readme_parts() -> Mapping[str, list[str]]:
    """Return the tables of the README."""
    helps = {row.name: row.help for row in (*CONNECTION, *jenkins_inputs("craft"), *INSTALL) if row.secret}
    with_chainloop = {row.name: row for name in ("init", "push") for row in group(name)}
    return {
        "credentials": table(
            ("Name", "Kind of credential", "Meaning"),
            [(f"`{argument}`", kind, helps[name]) for name, (argument, _, kind) in JENKINS_CREDENTIALS.items()],
        ),
        "chainloopAttest": _rows(group("craft")),
        "withChainloop": _rows(with_chainloop.values()),
        "chainloopAdd": _rows(group("add")),
        "connection": _rows(group("connection")),
        "install": _rows(group("install")),
        "outputs": table(("Name", "Meaning"), [(f"`{camel(row.name)}`", row.help) for row in OUTPUTS]),
    }


def help_parts(step: str) -> Mapping[str, list[str]]:
    """Return the list of arguments in a step's help, which Jenkins shows as HTML."""
    helps = {row.name: row.help for row in (*CONNECTION, *jenkins_inputs("craft"), *INSTALL) if row.secret}
    named = [
        (JENKINS_CREDENTIALS[name][0], f"{JENKINS_CREDENTIALS[name][2]}. {helps[name]}")
        for name in CREDENTIALS_OF[step]
    ]
    named += [(camel(row.name), meaning(row)) for row in arguments(step)]
    lines = [f"  <dt><code>{name}</code></dt><dd>{_html(text)}</dd>" for name, text in named]
    return {"arguments": ["<dl>", *lines, "</dl>"]}


def _html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escaped)


def rendered() -> dict[Path, str]:
    """Return every file with what it should hold."""
    files: dict[Path, Mapping[str, list[str]]] = {
        FOLDER / "vars" / "chainloopArguments.groovy": {"tables": groovy_tables(), "many": groovy_many()},
        FOLDER / "README.md": readme_parts(),
        FOLDER / "names.py": {"names": names()},
        RESOURCES / "install.py": {
            "names": names(),
            "version": version(),
            "network": [*part(SHARED / "network.py", "network"), "", ""],
            "ours": [*part(SHARED / "places.py", "ours"), "", ""],
        },
        RESOURCES / "python.sh": {"search": part(SHARED / "find_python.sh", "search")},
        **{FOLDER / "vars" / f"{step}.txt": help_parts(step) for step in JENKINS_STEPS},
    }
    return {path: fill(path.read_text(encoding="utf-8"), parts) for path, parts in files.items()}


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
