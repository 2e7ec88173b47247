"""Reads JSON with positions, strictly: no duplicate keys, no NaN, no lone surrogates, the limits of T25."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from chainloop_ci.contract.nodes import (
    Budget,
    Entry,
    Lines,
    Node,
    Path,
    Place,
    Tree,
    broken,
    check_text,
    decode,
    duplicate_key,
    parse_float,
    parse_integer,
)
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import ContractInvalidError, Finding

_SPACE = deferred_pattern(r"[ \t\r\n]*")
_NUMBER = deferred_pattern(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_STRINGS = json.JSONDecoder()


def read_json(raw: bytes) -> Tree:
    """Return the value of a JSON file.

    Raises:
        ContractInvalidError: it is not JSON, or over a limit.
        LimitExceededError: it is too large.
    """
    text = decode(raw)
    reader = _Reader(text, Lines(text))
    reader.skip()
    root = reader.value(())
    reader.skip()
    if reader.at < len(text):
        raise reader.expected("the end of the file")
    return Tree(root, tuple(reader.findings))


@dataclass(slots=True)
class _Reader:
    """Reads one text, and knows where it is."""

    text: str
    lines: Lines
    at: int = 0
    findings: list[Finding] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)

    def value(self, path: Path) -> Node:
        place = self.lines.place(self.at)
        self.budget.spend(place, len(path))
        start = self.text[self.at : self.at + 1]
        if start == "{":
            return Node(self.mapping(path), place)
        if start == "[":
            return Node(self.sequence(path), place)
        if start == '"':
            return Node(self.string(place), place)
        return self.other(place)

    def mapping(self, path: Path) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        self.at += 1
        self.skip()
        while not self.take("}"):
            self.field(entries, path)
            self.separator("}")
        return entries

    def field(self, entries: dict[str, Entry], path: Path) -> None:
        place = self.lines.place(self.at)
        if self.text[self.at : self.at + 1] != '"':
            raise self.expected("the name of a field in double quotes")
        name = self.string(place)
        self.skip()
        if not self.take(":"):
            raise self.expected("a colon")
        node = self.value((*path, name))
        if name in entries:
            self.findings.append(duplicate_key(name, entries[name].place, place, path))
        else:
            entries[name] = Entry(node, place)

    def sequence(self, path: Path) -> list[Node]:
        items: list[Node] = []
        self.at += 1
        self.skip()
        while not self.take("]"):
            items.append(self.value((*path, len(items))))
            self.separator("]")
        return items

    def string(self, place: Place) -> str:
        try:
            text, self.at = _STRINGS.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            raise broken("json-syntax", f"not JSON: {error.msg}", self.lines.place(error.pos)) from error
        return check_text(str(text), place)

    def other(self, place: Place) -> Node:
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return Node(value, place)
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            raise self.expected("a value")
        self.at = match.end()
        if match[1] or match[2]:
            return Node(parse_float(match[0], place), place)
        return Node(parse_integer(match[0], 10, place), place)

    def separator(self, end: str) -> None:
        """Read the comma between two entries, or stop before `end`."""
        self.skip()
        if self.take(","):
            if self.text.startswith(end, self.at):
                raise self.expected("another entry after the comma")
        elif not self.text.startswith(end, self.at):
            raise self.expected(f"a comma or {end}")

    def take(self, character: str) -> bool:
        if not self.text.startswith(character, self.at):
            return False
        self.at += 1
        if character in ",:":
            self.skip()
        return True

    def skip(self) -> None:
        if match := _SPACE.match(self.text, self.at):
            self.at = match.end()

    def expected(self, what: str) -> ContractInvalidError:
        rest = self.text[self.at : self.at + 20].split("\n")[0]
        found = repr(rest) if self.at < len(self.text) else "the end of the file"
        return broken("json-syntax", f"not JSON: expected {what}, found {found}", self.lines.place(self.at))
