"""Whatever a message or a page tells somebody to type exists: every `chainloop …` is looked up in the command tree.

Read are the texts of the sources, with what is filled in later as `…`, and the pages with their shell blocks.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from chainloop_ci.cli.main import chainloop

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.compile(r"`(chainloop [^`]+)`")
BLOCK = re.compile(r"^```(?:console|sh|bash|shell|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\s*(?:\$ |- (?:run: )?|run: )?(chainloop [a-z-].*)$", re.MULTILINE)
# Where the command ends and the shell, or the sentence of whoever wrote it, goes on.
END = re.compile(r"\s(?:\||>|2>|<|&&|;|#|\\$)|\)")
GAP = "…"


def texts_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield every text of a Python file with its line; what an f-string fills in is a gap."""
    tree = ast.parse(source)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


def hints() -> Iterator[tuple[str, str]]:
    for folder in ("chainloop_ci", "server", "examples"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for line, text in texts_of(file.read_text(encoding="utf-8")):
                for found in QUOTED.findall(text):
                    yield f"{file.relative_to(ROOT)}:{line}", found
    for file in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))):
        text = file.read_text(encoding="utf-8").replace("\\\n", " ")
        typed = (line for block in BLOCK.findall(text) for line in TYPED.findall(block))
        for found in (*QUOTED.findall(text), *typed):
            yield str(file.relative_to(ROOT)), found

    alerts = (ROOT / "docs" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    for found in QUOTED.findall(re.sub(r"\s+", " ", alerts)):
        yield "docs/monitoring/alerts.yml", found


def problem_of(hint: str) -> str | None:
    """Return what does not exist of a command that somebody is told to type."""
    command: click.Command = chainloop
    # What stands in quotes is one word, and a value.
    words = re.sub(r'"[^"]*"', "TEXT", END.split(f"{hint} ")[0]).split()[1:]
    words = iter(words)
    for word in words:
        name = word.partition("=")[0].strip("[]().,")
        if name.startswith("-"):
            if name not in known_flags(command) and name not in ("-", "--", "-h", "--help"):
                return f"{command.name} has no option {name}"
            if isinstance(command, click.Group) and takes_value(command, name) and "=" not in word:
                # What follows is its value, and no command of the group.
                next(words, None)
        elif isinstance(command, click.Group) and GAP not in name and not name.isupper():
            options = name.split("|")
            found = [command.get_command(click.Context(command), option) for option in options]
            if None in found:
                return f"{command.name} has no command {options[found.index(None)]}"
            command = found[0] or command
    return None


def takes_value(command: click.Command, flag: str) -> bool:
    return any(flag in item.opts and not item.is_flag for item in command.params if isinstance(item, click.Option))


def known_flags(command: click.Command) -> set[str]:
    return {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}


HINTS = sorted(set(hints()))


def test_hints_are_found_at_all():
    assert len(HINTS) > 50


@pytest.mark.parametrize(("place", "hint"), HINTS, ids=[f"{place} {hint[:60]}" for place, hint in HINTS])
def test_what_somebody_is_told_to_type_exists(place, hint):
    assert problem_of(hint) is None, f"{place}: {hint}"


@pytest.mark.parametrize(
    "hint", ["chainloop attest init", "chainloop workflow run shw", "chainloop attestation push --kee x"]
)
def test_what_does_not_exist_is_found(hint):
    assert problem_of(hint)
