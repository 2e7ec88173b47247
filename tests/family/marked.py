"""Files that are partly written by hand and partly from the tables: what stands between two marks is the tables'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"^(?P<indent> *)(?P<mark>#|//|<!--) (?P<edge>begin|end) (?P<name>[\w-]+)( -->)?$")


def fill(text: str, parts: Mapping[str, list[str]]) -> str:
    """Put each part between its two marks (`# begin NAME`, `# end NAME`), indented as they are."""
    made: list[str] = []
    inside = ""
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and match["edge"] == "end":
            inside = ""
        if not inside:
            made.append(line)
        if match and match["edge"] == "begin":
            inside = match["name"]
            made += [f"{match['indent']}{part}".rstrip() for part in parts[inside]]
    return "\n".join(made) + "\n"


def part(path: Path, name: str) -> list[str]:
    """Return what stands between the marks of one file, to be put into others: there is one source of it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    edges = [number for number, line in enumerate(lines) if (match := _LINE.match(line)) and match["name"] == name]
    if len(edges) != 2:
        raise ValueError(f"{path}: expected the marks of «{name}» once, found {len(edges)} lines")
    return "\n".join(lines[edges[0] + 1 : edges[1]]).strip("\n").splitlines()


def without_marks(text: str) -> str:
    """Return a text for a file that is filled by itself, and would take its marks for its own."""
    return "\n".join(line for line in text.splitlines() if not _LINE.match(line)) + "\n"
