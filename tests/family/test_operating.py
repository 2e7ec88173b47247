"""The operator's page against the code: the settings with their defaults, the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.admin.command import main
from server.config import ServerConfig

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "operating.md").read_text()
SETTINGS = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", PAGE, re.MULTILINE))
COMMANDS = re.findall(r"^\| `\.venv/bin/python -m server ([a-z ]+)` \|", PAGE, re.MULTILINE)
SAID_IN_WORDS = {
    "CHAINLOOP_PUBLIC_URL",
    "CHAINLOOP_TRUSTED_PROXIES",
    "CHAINLOOP_EGRESS_ALLOW",
    "CHAINLOOP_EGRESS_PROXY",
    "CHAINLOOP_EGRESS_CA",
    "CHAINLOOP_SECRET_KEY",
    "CHAINLOOP_SECRET_KEY_FILE",
    "CHAINLOOP_DATABASE_URL",
    "CHAINLOOP_DATABASE_URL_FILE",
    "CHAINLOOP_BLOBS",
    "CHAINLOOP_GITHUB_APP_WEBHOOK_SECRET",
}
"""Settings whose default is not one fixed text."""


class Environment(dict[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: object = None) -> str:  # type: ignore[override]  # only asked with a text
        self.asked.add(name)
        return str(default)


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"], {})
    assert ended.value.code == 0
    return capsys.readouterr().out


def every_command(capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    for name in re.findall(r"^    ([a-z]+)  ", help_of(capsys), re.MULTILINE):
        actions = re.search(r"\{create[a-z,]*\}", help_of(capsys, name))
        yield from (f"{name} {action}" for action in actions[0].strip("{}").split(",")) if actions else [name]


def test_the_table_of_settings_has_every_variable_that_the_server_reads() -> None:
    environment = Environment()

    ServerConfig.from_environment(environment)

    assert set(SETTINGS) == environment.asked


def test_the_defaults_of_the_table_are_those_of_the_server() -> None:
    documented = {name: text.strip("`") for name, text in SETTINGS.items() if name not in SAID_IN_WORDS}

    assert ServerConfig.from_environment(documented) == ServerConfig.from_environment({})


def test_the_help_has_every_variable_with_the_same_default(capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of(capsys)

    for name, text in SETTINGS.items():
        [entry] = re.findall(rf"^  {name} .*(?:\n {{10,}}.*)*$", shown, re.MULTILINE)
        assert text.strip("`") in " ".join(entry.split())


def test_the_table_of_commands_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(COMMANDS) == sorted(every_command(capsys))


def test_make_serve_and_the_commands_use_the_same_folder() -> None:
    [default] = re.findall(r"^DATA \?= \$\(or \$\(CHAINLOOP_DATA\),(.+)\)$", (PROJECT / "Makefile").read_text(), re.M)

    assert ServerConfig.from_environment({"CHAINLOOP_DATA": default}) == ServerConfig.from_environment({})
