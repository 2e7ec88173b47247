"""Reads the data subset of CUE: fields, lists, texts, numbers, truth values, null, comments. Nothing is evaluated.

Source: The CUE Language Specification, "Structs", "Lists", "Commas". A field that stands several times is unified
as CUE does it for data: structs are merged, equal values are one, everything else conflicts. Whatever could change
the meaning of the data (references, constraints, definitions, hidden fields, imports, …) is refused, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from chainloop_ci.contract.cue_tokens import Token, decode_text, not_cue, tokens, unsupported
from chainloop_ci.contract.nodes import (
    Budget,
    Entry,
    Lines,
    Node,
    Place,
    Scalar,
    Tree,
    broken,
    decode,
    parse_float,
    parse_integer,
)
from chainloop_ci.errors import ContractInvalidError

_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_END = Token("end", "", 0)
_CLAUSES = frozenset(("package", "import", "let", "if", "for"))


def read_cue(raw: bytes) -> Tree:
    """Return the struct of a CUE file that holds data only.

    Raises:
        ContractInvalidError: it is not CUE, is more than data (`cue-unsupported`), or is over a limit.
        LimitExceededError: it is too large.
    """
    text = decode(raw)
    lines = Lines(text)
    source = tokens(text, lines)
    return Tree(_Reader(source, lines, next(source), next(source, _END)).file())


@dataclass(slots=True)
class _Reader:
    """Reads one file, a token ahead."""

    source: Iterator[Token]
    lines: Lines
    token: Token
    following: Token
    budget: Budget = field(default_factory=Budget)

    def file(self) -> Node:
        place = self.place()
        if self.token.text == "{":
            root = self.value(0)
            self.skip_comma()
        else:
            root = Node(self.fields("end", 0), place)
        if self.token.kind != "end":
            raise self.expected("the end of the file")
        if not root.value:
            raise broken("empty", "the contract is empty")
        return root

    def fields(self, end: str, depth: int) -> dict[str, Entry]:
        """Read fields up to the token `end`, which is left."""
        entries: dict[str, Entry] = {}
        while not self.is_at(end):
            self.read_field(entries, depth)
            if not self.skip_comma() and not self.is_at(end):
                raise self.expected("a comma or a new line")
        return entries

    def read_field(self, entries: dict[str, Entry], depth: int) -> None:
        place = self.place()
        name = self.label()
        node = self.field_value(depth + 1)
        known = entries.get(name)
        entries[name] = Entry(_unify(known.node, node, place) if known else node, known.place if known else place)

    def label(self) -> str:
        place = self.place()
        if self.token.kind not in ("name", "text"):
            raise self.expected("the name of a field")
        if self.following.text != ":":
            raise self.refuse_label(place)
        text = self.take().text
        self.take()
        if text.startswith('"""'):
            raise unsupported("a field name of several lines", place)
        if text.startswith("_"):
            # A hidden field is not exported: reading it as data would be silently wrong.
            raise unsupported(f"the hidden field {text[:40]}", place)
        return decode_text(text, place) if text.startswith('"') else text

    def refuse_label(self, place: Place) -> ContractInvalidError:
        name = self.take().text
        return unsupported(f"`{name}`", place) if name in _CLAUSES else self.expected(f"a colon after {name[:40]}")

    def field_value(self, depth: int) -> Node:
        """Read what stands after a colon; `a: b: c` is short for `a: {b: c}`."""
        if self.token.kind not in ("name", "text") or self.following.text != ":":
            return self.value(depth)
        place = self.place()
        self.budget.spend(place, depth)
        entries: dict[str, Entry] = {}
        self.read_field(entries, depth)
        return Node(entries, place)

    def value(self, depth: int) -> Node:
        place = self.place()
        self.budget.spend(place, depth)
        if self.token.text == "{":
            self.take()
            node = Node(self.fields("}", depth), place)
            self.take()
            return node
        if self.token.text == "[":
            self.take()
            return Node(self.items(depth), place)
        return Node(self.scalar(place), place)

    def items(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not self.is_at("]"):
            items.append(self.value(depth + 1))
            if not self.skip_comma() and not self.is_at("]"):
                raise self.expected("a comma or ]")
        self.take()
        return items

    def scalar(self, place: Place) -> Scalar:
        if self.token.kind == "text":
            return decode_text(self.take().text, place)
        if self.token.kind == "number":
            return _number(self.take().text, place)
        if self.token.text in ("-", "+") and self.following.kind == "number":
            return _number(self.take().text + self.take().text, place)
        if self.token.text in _CONSTANTS:
            return _CONSTANTS[self.take().text]
        if self.token.kind == "name":
            raise unsupported(f"the reference or type {self.token.text[:40]!r}", place)
        raise self.expected("a value")

    def take(self) -> Token:
        """Return the token and go to the next one."""
        taken = self.token
        self.token, self.following = self.following, next(self.source, _END)
        return taken

    def skip_comma(self) -> bool:
        return self.token.kind == "comma" and bool(self.take())

    def is_at(self, end: str) -> bool:
        return self.token.kind == "end" if end == "end" else self.token.text == end

    def place(self) -> Place:
        return self.lines.place(self.token.offset)

    def expected(self, what: str) -> ContractInvalidError:
        text = self.token.text
        found = {"\n": "the end of the line", "": "the end of the file"}.get(text, repr(text[:40]))
        return not_cue(f"not CUE: expected {what}, found {found}", self.place())


def _number(text: str, place: Place) -> int | float:
    digits = text.replace("_", "")
    if digits.lstrip("-+").isdigit():
        return parse_integer(digits, 10, place)
    return parse_float(digits, place)


def _unify(first: Node, second: Node, place: Place) -> Node:
    """Return the unification of two values of one field."""
    if isinstance(first.value, dict) and isinstance(second.value, dict):
        merged = dict(first.value)
        for name, entry in second.value.items():
            known = merged.get(name)
            merged[name] = Entry(_unify(known.node, entry.node, entry.place), known.place) if known else entry
        return Node(merged, first.place)
    if isinstance(first.value, list) and isinstance(second.value, list) and len(first.value) == len(second.value):
        return Node([_unify(*pair, place) for pair in zip(first.value, second.value, strict=True)], first.place)
    if type(first.value) is type(second.value) and first.value == second.value:
        return first
    message = f"the field has two values that differ: the other one stands in line {first.place.line}"
    raise broken("cue-conflict", message, place)
