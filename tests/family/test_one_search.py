"""The three installers look for a Python in one way: the same machines, played against all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from chainloop_ci.cli.plugin_inputs import Plugin
from tests.family.pythons import Machine

PLUGINS = tuple(Plugin)
NO_PYTHON = "#!/bin/sh\necho 'Python was not found; open the store' >&2\nexit {status}\n"


@dataclass(frozen=True)
class Case:
    """A machine and what is found on it."""

    pythons: dict[str, str]
    """Programs on PATH and their versions; one with a `-` behind it makes no environment."""
    found: str = ""
    """The program that is used; empty for none."""
    named: str = ""
    """The input python."""
    told: tuple[str, ...] = ()
    """What is said of each that does not serve, with {bin} for the folder."""
    uv: bool = False
    by: tuple[Plugin, ...] = PLUGINS


CASES = {
    "a python3": Case({"python3": "3.11.2"}, "python3"),
    "a python": Case({"python": "3.13.0"}, "python"),
    "python3 before python": Case({"python": "3.13.0", "python3": "3.11.0"}, "python3"),
    "a newer one beside an old one": Case({"python3": "3.9.2", "python3.12": "3.12.1"}, "python3.12"),
    "the newest one first": Case({"python3.11": "3.11.9", "python3.15": "3.15.0"}, "python3.15"),
    "the launcher": Case({"py": "3.12.0"}, "py"),
    "a Python 4": Case({"python3": "4.0.1"}, "python3"),
    "the named one": Case({"python3": "3.12.1", "mine": "3.11.0"}, "mine", named="mine"),
    "the named one by its path": Case({"python3": "3.12.1", "mine": "3.11.0"}, "mine", named="{bin}/mine"),
    "nothing": Case({}),
    "a Python 2": Case({"python": "2.7.18"}, told=("python ({bin}/python) is 2.7.18",)),
    "old ones": Case(
        {"python3": "3.9.2", "python": "3.10.14"},
        told=("python3 ({bin}/python3) is 3.9.2", "python ({bin}/python) is 3.10.14"),
    ),
    "one that makes no environment": Case(
        {"python3": "3.11.2-"}, told=("python3 ({bin}/python3) is 3.11.2, without ensurepip or venv",)
    ),
    "a whole one beside it": Case({"python3": "3.11.2-", "python3.13": "3.13.0"}, "python3.13"),
    # GitLab's installer knows no uv.
    "uv beside it": Case({"python3": "3.11.2-"}, "python3", uv=True, by=(Plugin.GITHUB, Plugin.JENKINS)),
    "a program of the store": Case(
        {"python3": "none"}, told=("python3 ({bin}/python3) does not answer as Python 3 does",)
    ),
    "a program that answers nothing": Case(
        {"python": "silent"}, told=("python ({bin}/python) does not answer as Python 3 does",)
    ),
    "a named one that is not there": Case({"python3": "3.12.1"}, named="python3.14", told=("python3.14 is not there",)),
    "a named one that is too old": Case(
        {"python3": "3.12.1", "mine": "3.8.1"}, named="{bin}/mine", told=("{bin}/mine is 3.8.1",)
    ),
    "a named program that is none": Case({"python3": "3.12.1", "mine": "silent"}, named="mine",
                                         told=("mine does not answer as Python 3 does",)),
    "a folder": Case({"python3": "3.12.1"}, named="{bin}", told=("{bin} is not there",)),
    **{
        f"the word {word}": Case({"python3": "3.12.1"}, named=word, told=(f"{word} is not there",))
        for word in ("eval", "exit", "if", "-c", "echo chainloop")
    },
}  # fmt: skip


def make(machine: Machine, case: Case) -> None:
    """Put the case's programs onto the machine."""
    for name, version in case.pythons.items():
        place = machine.path / name
        if version in ("none", "silent"):
            place.write_text(NO_PYTHON.format(status=73 if version == "none" else 0))
            place.chmod(0o755)
        else:
            machine.fake(place, version.rstrip("-"), can_make=not version.endswith("-"))
    if case.uv:
        (machine.path / "uv").write_text("#!/bin/sh\nexit 1\n")
        (machine.path / "uv").chmod(0o755)


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("name", CASES)
def test_every_plugin_finds_the_same_python(plugin: Plugin, name: str, tmp_path: Path) -> None:
    case, machine = CASES[name], Machine(tmp_path)
    make(machine, case)
    named = case.named.format(bin=machine.path)

    search = machine.find(plugin, **({"CHAINLOOP_INSTALL_PYTHON": named} if named else {}))

    if case.found and plugin in case.by:
        assert (search.status, search.python) == (0, str(machine.path / case.found)), search.said
    else:
        assert (search.status, search.python) == (1, "")
        assert "Python 3.11 or newer" in search.said
        assert "; ".join(case.told).format(bin=machine.path) in search.said


@pytest.mark.parametrize("plugin", [Plugin.GITLAB, Plugin.JENKINS])
def test_t02_what_was_named_reaches_the_log_in_one_line(plugin: Plugin, tmp_path: Path) -> None:
    said = Machine(tmp_path).find(plugin, CHAINLOOP_INSTALL_PYTHON="a\x1b[31m\nsection_start:1:x").said

    assert "\x1b" not in said
    assert "a[31msection_start:1:x is not there" in said
