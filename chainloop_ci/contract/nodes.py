"""What the three readers (YAML, JSON, CUE) have in common: values with positions, and the limits of any input (T25)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chainloop_ci.contract.limits import MAX_CONTRACT_BYTES
from chainloop_ci.errors import ContractInvalidError, Finding, LimitExceededError
from chainloop_ci.records import record

MAX_DEPTH = 64
"""Deepest nesting of lists and mappings."""
MAX_NODES = 50_000
"""Most values in one contract; a YAML alias counts as often as it is expanded."""
MAX_INTEGER = 2**53
"""Largest integer that every JSON reader keeps exactly."""

_SHOWN = 100
"""Longest name in a path or message, in characters."""

# Tab, newline and carriage return may stand in a text; other control characters reach terminals and tables as commands.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]


class Place(NamedTuple):
    """A position in the text, both counted from 1."""

    line: int
    column: int


class Node(NamedTuple):
    """One value and where it stands. A named tuple, since they are made by the thousand."""

    value: Scalar | list[Node] | dict[str, Entry]
    place: Place


class Entry(NamedTuple):
    """One field of a mapping: its value and where its name stands."""

    node: Node
    place: Place


@record
class Tree:
    """A document as it was read."""

    root: Node
    findings: tuple[Finding, ...] = ()
    """What is wrong with the writing but did not stop the reader: keys that stand twice, tags, merge keys."""


def broken(code: str, message: str, place: Place | None = None, hint: str | None = None) -> ContractInvalidError:
    """Return the error of a document that cannot be read on."""
    line, column = place if place else (None, None)
    finding = Finding(code, message, line=line, column=column, hint=hint)
    return ContractInvalidError(f"the contract cannot be read: {finding}", hint=hint, findings=[finding])


def decode(raw: bytes) -> str:
    """Return the text of a contract, without its byte order mark.

    Raises:
        LimitExceededError: more than `MAX_CONTRACT_BYTES`.
        ContractInvalidError: not UTF-8, or with control characters.
    """
    if len(raw) > MAX_CONTRACT_BYTES:
        raise LimitExceededError(f"a contract has at most {MAX_CONTRACT_BYTES} bytes (1 MiB), this one has {len(raw)}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        found = f"byte 0x{raw[error.start]:02x}"
        raise broken("not-utf8", f"expected UTF-8 text, found {found}", Lines(before).place(len(before))) from error
    if match := _UNSAFE.search(text):
        raise _unsafe(match[0], Lines(text).place(match.start()))
    return text


class Lines:
    """Turns offsets in a text into positions."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> Place:
        """Return the position of the character at `offset`."""
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)


class Budget:
    """Counts values and depth while a document is read."""

    def __init__(self) -> None:
        self.nodes = 0

    def spend(self, place: Place, depth: int, nodes: int = 1) -> None:
        """Take `nodes` values at `depth` from the budget.

        Raises:
            ContractInvalidError: the document is too deep or has too many values.
        """
        self.nodes += nodes
        if depth > MAX_DEPTH:
            raise broken("too-deep", f"a contract nests at most {MAX_DEPTH} levels, this one goes deeper", place)
        if self.nodes > MAX_NODES:
            raise broken("too-many-values", f"a contract has at most {MAX_NODES} values, this one has more", place)


def check_text(text: str, place: Place) -> str:
    """Return `text` when it holds no control character and no lone surrogate.

    Raises:
        ContractInvalidError: it holds one.
    """
    if match := _UNSAFE.search(text):
        raise _unsafe(match[0], place)
    return text


def _unsafe(character: str, place: Place) -> ContractInvalidError:
    return broken("control-character", f"a text may not hold the character U+{ord(character):04X}", place)


def parse_integer(digits: str, base: int, place: Place) -> int:
    """Return an integer that JSON keeps exactly.

    Raises:
        ContractInvalidError: it is beyond 2^53.
    """
    # 2^53 has at most 54 digits in any base; int() refuses thousands of them with an error of its own.
    number = int(digits, base) if len(digits) < 60 else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise broken("number-too-large", "an integer is at most 2^53: put longer numbers in quotes", place)
    return number


def parse_float(text: str, place: Place) -> float:
    """Return a finite number.

    Raises:
        ContractInvalidError: it is infinite.
    """
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise broken("number-too-large", "a number is out of range: put it in quotes", place)
    return number


def plain(node: Node) -> object:
    """Return the value of `node` as dictionaries, lists and scalars."""
    value = node.value
    if isinstance(value, dict):
        return {name: plain(entry.node) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def pointer(path: Sequence[str | int]) -> str:
    """Return `path` as a JSON pointer (RFC 6901); a name that no field has may be long and is cut."""
    return "".join("/" + str(part)[:_SHOWN].replace("~", "~0").replace("/", "~1") for part in path)


def find_node(root: Node, path: str) -> Node | None:
    """Return the value that a JSON pointer (RFC 6901) names; None when there is none, or it is no pointer."""
    if path and not path.startswith("/"):
        return None
    node = root
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = node.value
        if isinstance(value, dict) and name in value:
            node = value[name].node
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            node = value[int(name)]
        else:
            return None
    return node


def place_of(root: Node, path: Sequence[str | int]) -> Place:
    """Return where the value at `path` stands, or the nearest value above it that exists."""
    node = root
    for part in path:
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[str(part)].node
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            break
    return node.place


def key_place_of(root: Node, path: Sequence[str | int]) -> Place:
    """Return where the *name* of the field at `path` stands."""
    node = root
    for part in path[:-1]:
        if isinstance(node.value, dict):
            node = node.value[str(part)].node
        elif isinstance(node.value, list):
            node = node.value[int(part)]
    entries: Mapping[str, Entry] = node.value if isinstance(node.value, dict) else {}
    entry = entries.get(str(path[-1]))
    return entry.place if entry else node.place


def finding_at(root: Node, path: Sequence[str | int], code: str, message: str, hint: str | None = None) -> Finding:
    """Return a finding about the value at `path`."""
    line, column = place_of(root, path)
    return Finding(code, message, path=pointer(path), line=line, column=column, hint=hint)


def duplicate_key(name: str, first: Place, second: Place, path: Sequence[str | int]) -> Finding:
    """Return the finding about a key that stands twice in one mapping."""
    message = f"the field {name[:_SHOWN]!r} stands twice: it was already given in line {first.line}"
    hint = "keep one of the two"
    return Finding(
        "duplicate-key", message, path=pointer((*path, name)), line=second.line, column=second.column, hint=hint
    )
