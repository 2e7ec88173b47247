"""Files that are partly written by hand and partly from the tables: what stands between two marks is the tables'."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
