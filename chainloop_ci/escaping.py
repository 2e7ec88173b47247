"""Makes foreign texts harmless on a terminal and in the log of a CI job (threats T03 and T46).

Names, annotations and messages of servers come from people whom the reader does not know. What a terminal or a CI
system would act upon is written as an escape, so one event stays one line and no line is a command.
"""

from __future__ import annotations

import re

# `##[`, `##vso[`, `##teamcity[` are commands of GitHub, Azure Pipelines and TeamCity anywhere in a line. `::` only at
# its beginning, where every line of ours has a word or a frame.
_COMMAND = r"##(?=\w*\[)"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    """Return `text` on one line without control, format and direction characters and without commands of CI logs."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else _escape(character) for character in text)
    return re.sub(_COMMAND, r"#\\x23", text) if "##" in text else text


def printable_lines(text: str) -> str:
    """Return `text` as `printable` does, but with its line breaks."""
    return "\n".join(printable(line) for line in text.split("\n"))


def printable_json(text: str) -> str:
    """Return a JSON text that means the same, with such characters written as JSON's own escapes.

    Outside of its strings JSON has none of them but line breaks.
    """
    if not text.replace("\n", "").isprintable():
        text = "".join(
            character if character == "\n" or character.isprintable() else _escape_json(character) for character in text
        )
    return re.sub(_COMMAND, r"#\\u0023", text) if "##" in text else text


def _escape(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))
