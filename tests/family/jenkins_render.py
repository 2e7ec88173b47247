"""Renders what of `jenkins/` follows the tables of options: `python -m tests.family.jenkins_render --write`.

Files are written by hand but for what stands between a line «begin NAME» and a line «end NAME».
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from chainloop_ci.cli.options import Kind
from chainloop_ci.cli.plugin_inputs import CONNECTION, INSTALL, OUTPUTS, Input, Plugin, step_inputs
from tests.family.marked import fill, part

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "jenkins"
RESOURCES = FOLDER / "resources" / "chainloop"
SHARED = ROOT / "actions" / "_shared"

CREDENTIALS = {
    "token": ("tokenCredentialsId", "CHAINLOOP_JENKINS_TOKEN", "Secret text"),
    "key": ("keyCredentialsId", "CHAINLOOP_JENKINS_KEY", "Secret file"),
    "key-password": ("keyPasswordCredentialsId", "CHAINLOOP_JENKINS_KEY_PASSWORD", "Secret text"),
    "registry-password": ("registryCredentialsId", "CHAINLOOP_JENKINS_REGISTRY", "Username with password"),
    "proxy": ("proxyCredentialsId", "CHAINLOOP_JENKINS_PROXY", "Secret text"),
}
"""For each secret input the argument that names a credential, the variable that carries its id, and the kind."""
SAID_BY_CREDENTIALS = frozenset({"registry-username"})
"""Inputs that come with a credential."""
SAID_BY_THE_STEP = frozenset({"job-status", "attestation-id", "sealed-handle", "resume"})
"""Inputs of `push` that `withChainloop` says itself, and the one for an attestation that is over."""
KNOWN = {"job-status": "the build's result so far"}
"""Where the default is what Jenkins knows."""

STEPS = {
    "chainloopAttest": ("connection", "install", "craft"),
    "withChainloop": ("connection", "install", "init", "push"),
    "chainloopAdd": ("connection", "install", "add"),
    "chainloopInstall": ("install",),
}
"""Steps and the groups of arguments that they take."""
CREDENTIALS_OF = {
    "chainloopAttest": tuple(CREDENTIALS),
    "withChainloop": tuple(CREDENTIALS),
    "chainloopAdd": ("token", "registry-password", "proxy"),
    "chainloopInstall": ("proxy",),
}

_MANY = (Kind.PAIRS, Kind.LIST)


def camel(name: str) -> str:
    """Return the name of an argument."""
    first, *others = name.split("-")
    return first + "".join(word.capitalize() for word in others)


def group(name: str) -> tuple[Input, ...]:
    """Return the inputs of a group that are arguments: secrets are none of them."""
    rows = {"connection": CONNECTION, "install": INSTALL}.get(name) or step_inputs(name)
    said = SAID_BY_CREDENTIALS | (SAID_BY_THE_STEP if name == "push" else frozenset())
    return tuple(row for row in rows if Plugin.JENKINS in row.plugins and not row.secret and row.name not in said)


def arguments(step: str) -> tuple[Input, ...]:
    """Return the arguments of a step, its own first; one that two commands share stands there once."""
    rows = {row.name: row for name in reversed(STEPS[step]) for row in group(name)}
    return tuple(rows.values())


def groovy_tables() -> list[str]:
    """Render argument and variable by group."""
    names = dict.fromkeys(name for groups in STEPS.values() for name in groups)
    parts = {name: {camel(row.name): row.env for row in group(name)} for name in names}
    parts["credentials"] = {argument: variable for argument, variable, _ in CREDENTIALS.values()}
    parts["outputs"] = {camel(row.name): row.variable for row in OUTPUTS}
    lines = []
    for name, pairs in parts.items():
        lines += [f"{name}: [", *(f"    {argument}: '{variable}'," for argument, variable in pairs.items()), "],"]
    return lines


def groovy_many() -> list[str]:
    """Render the names of arguments that may be lists or maps."""
    rows = [row for step in STEPS for row in arguments(step)]
    return [f"'{camel(name)}'," for name in dict.fromkeys(row.name for row in rows if row.kind in _MANY)]


def names() -> list[str]:
    """Render what the installer's inputs are called here, for messages of the parts that the plugins share."""
    rows = [row for row in INSTALL if Plugin.JENKINS in row.plugins]
    called = {row.name: CREDENTIALS[row.name][0] if row.secret else camel(row.name) for row in rows}
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
    helps = {row.name: row.help for row in (*CONNECTION, *step_inputs("craft"), *INSTALL) if row.secret}
    with_chainloop = {row.name: row for name in ("init", "push") for row in group(name)}
    return {
        "credentials": table(
            ("Name", "Kind of credential", "Meaning"),
            [(f"`{argument}`", kind, helps[name]) for name, (argument, _, kind) in CREDENTIALS.items()],
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
    helps = {row.name: row.help for row in (*CONNECTION, *step_inputs("craft"), *INSTALL) if row.secret}
    named = [(CREDENTIALS[name][0], f"{CREDENTIALS[name][2]}. {helps[name]}") for name in CREDENTIALS_OF[step]]
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
        **{FOLDER / "vars" / f"{step}.txt": help_parts(step) for step in STEPS},
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
