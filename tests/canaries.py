"""Secrets that nobody may find again (T07): every token, password and key that a test hands over is a canary.

Whatever a command prints or leaves behind is searched for them, in every test that runs one, failures included; and so
is the server's log, once its tests are over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SECRET_VARIABLES = (
    "CHAINLOOP_TOKEN",
    "CHAINLOOP_SIGNING_KEY",
    "CHAINLOOP_SIGNING_PASSWORD",
    "CHAINLOOP_REGISTRY_PASSWORD",
)
PLANTED: set[str] = set()
"""All of them, of every test of this process."""
MIN_CHARACTERS = 8
"""Shorter ones are words that occur by themselves."""
MAX_FILE_BYTES = 8 * 1024 * 1024
# GitHub's runner takes these lines out of the log: they are how it learns what to hide.
_MASK = "::add-mask::"
_FRAME = "-----"
# What `config save` is for: the token stays in the user's own file, which nobody else can read.
_CONFIG = "config.toml"

Stamp = tuple[int, int, int]
"""Of a file: its inode, when it was written, and its size."""


def plant(env: Mapping[str, str]) -> set[str]:
    """Return the secrets of an environment, and remember them."""
    found = {secret for name in SECRET_VARIABLES for secret in _secrets_in(name, env.get(name, ""))}
    PLANTED.update(found)
    return found


def find_canaries(text: str, canaries: Iterable[str]) -> list[str]:
    """Return the beginnings of the secrets that stand in a text, but for the commands that hide them."""
    told = "\n".join(line for line in text.splitlines() if _MASK not in line)
    return [f"{canary[:6]}…" for canary in canaries if canary in told]


def require_silence(where: str, text: str, canaries: Iterable[str]) -> None:
    """Fail when a secret stands in a text."""
    found = find_canaries(text, canaries)
    assert not found, f"a secret stands in {where}: {', '.join(found)}"


def stamp(folder: Path) -> dict[Path, Stamp]:
    """Return what tells of each file whether it is written again; times alone are too coarse for that."""
    return {path: (facts.st_ino, facts.st_mtime_ns, facts.st_size) for path, facts in _files(folder)}


def require_silent_files(folder: Path, before: Mapping[Path, Stamp], canaries: Iterable[str]) -> None:
    """Fail when a file that was written in `folder` since it was stamped holds a secret."""
    wanted = [canary.encode() for canary in canaries]
    for path, found in stamp(folder).items():
        if found == before.get(path):
            continue
        raw = path.read_bytes()
        assert not any(canary in raw for canary in wanted), f"a secret stands in {path}"


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", "data", "node_modules", "cas")]
        for path in (Path(place, name) for name in names if name != _CONFIG):
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_FILE_BYTES:
                yield path, path.stat()


def _secrets_in(name: str, value: str) -> set[str]:
    """Return what is secret of a variable's value: of a key its lines, wherever they are."""
    text = _key_text(value) if name == "CHAINLOOP_SIGNING_KEY" else value
    return {line for line in text.split() if len(line) >= MIN_CHARACTERS and not line.startswith(_FRAME)}


def _key_text(value: str) -> str:
    if _FRAME in value:
        return value.partition(_FRAME)[2]
    try:
        path = Path(value)
        return path.read_text().partition("KEY" + _FRAME)[2] if path.is_file() else ""
    except (OSError, ValueError):
        return ""
