"""Reads YAML with the scalars of YAML 1.2 (core schema, section 10.3) and limits on every event (T25).

libyaml's event stream is read, not its node tree: an alias, a tag or a level too deep is met before anything grows.
Stricter than the core schema in one point: a number with leading zeros (`012`) stays text, since YAML 1.1 reads it as
10 and YAML 1.2 as 12, and nobody who writes it into a contract means either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chainloop_ci.contract.nodes import (
    Budget,
    Entry,
    Node,
    Path,
    Place,
    Scalar,
    Tree,
    broken,
    check_text,
    decode,
    duplicate_key,
    parse_float,
    parse_integer,
    pointer,
)
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import ContractInvalidError, Finding

MAX_ALIASES = 100
"""Most aliases (`*name`) in one contract."""

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = deferred_pattern(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_OCTAL = deferred_pattern(r"0o[0-7]+\Z")
_HEXADECIMAL = deferred_pattern(r"0x[0-9a-fA-F]+\Z")
_FLOAT = deferred_pattern(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = deferred_pattern(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def read_yaml(raw: bytes, *, pure: bool = False) -> Tree:
    """Return the one document of a YAML file.

    libyaml does the scanning where pyyaml was built with it; `pure` takes pyyaml's own scanner, ten times slower.

    Raises:
        ContractInvalidError: it is not YAML, holds several documents, or is over a limit.
        LimitExceededError: it is too large.
    """
    import yaml

    text = decode(raw)
    composer = _Composer()
    loader = yaml.SafeLoader if pure else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = loader(text)
        while events.check_event():
            composer.feed(events.get_event())
    except (yaml.YAMLError, ValueError) as error:
        raise _syntax_error(error, text) from error
    if composer.root is None:
        raise broken("empty", "the contract is empty")
    return Tree(composer.root, tuple(composer.findings))


def resolve_plain(text: str, place: Place) -> Scalar:
    """Return the value of an unquoted scalar by the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.match(text):
        return parse_integer(text, 10, place)
    if _OCTAL.match(text):
        return parse_integer(text[2:], 8, place)
    if _HEXADECIMAL.match(text):
        return parse_integer(text[2:], 16, place)
    if _FLOAT.match(text):
        return parse_float(text, place)
    if _NOT_FINITE.match(text):
        raise broken("number-too-large", f"{text} is no number of a contract: put it in quotes", place)
    return text


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end was not met yet."""

    node: Node
    anchor: str | None
    nodes_before: int
    height: int = 1
    key: tuple[str, Place] | None = None
    """The field whose value comes next."""


@dataclass(slots=True)
class _Composer:
    """Builds the tree from the event stream."""

    root: Node | None = None
    findings: list[Finding] = field(default_factory=list)
    _stack: list[_Open] = field(default_factory=list)
    _anchors: dict[str, tuple[Node, int, int]] = field(default_factory=dict)
    """Name → value, number of values in it, levels in it."""
    _aliases: int = 0
    _budget: Budget = field(default_factory=Budget)

    def feed(self, event: Any) -> None:
        """Take the next event."""
        handler = _HANDLERS.get(type(event).__name__)
        if handler is not None:
            handler(self, event, Place(event.start_mark.line + 1, event.start_mark.column + 1))

    def document(self, event: Any, place: Place) -> None:
        if self.root is not None:
            raise broken("several-documents", "a file holds one contract, this one has a second document", place)

    def scalar(self, event: Any, place: Place) -> None:
        self._refuse_tag(event, place)
        text = check_text(event.value, place)
        if self._expects_key():
            self._set_key(text, place, quoted=not event.implicit[0])
            return
        node = Node(resolve_plain(text, place) if event.implicit[0] else text, place)
        self._budget.spend(place, len(self._stack))
        self._remember(event.anchor, node, 1, 0)
        self._attach(node)

    def open(self, event: Any, place: Place) -> None:
        self._refuse_tag(event, place)
        self._refuse_complex_key(place)
        node = Node({} if type(event).__name__ == "MappingStartEvent" else [], place)
        self._attach(node)
        opened = _Open(node, event.anchor, self._budget.nodes)
        self._budget.spend(place, len(self._stack))
        self._stack.append(opened)

    def close(self, event: Any, place: Place) -> None:
        done = self._stack.pop()
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, done.height + 1)
        self._remember(done.anchor, done.node, self._budget.nodes - done.nodes_before, done.height)

    def alias(self, event: Any, place: Place) -> None:
        self._refuse_complex_key(place)
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise broken("too-many-aliases", f"a contract has at most {MAX_ALIASES} aliases, this one has more", place)
        if event.anchor not in self._anchors:
            raise broken("unknown-alias", f"the alias *{event.anchor} has no finished anchor above it", place)
        node, nodes, height = self._anchors[event.anchor]
        self._budget.spend(place, len(self._stack) + height, nodes)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, height + 1)
        self._attach(node)

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node.value, dict) and self._stack[-1].key is None

    def _set_key(self, name: str, place: Place, *, quoted: bool) -> None:
        if name == "<<" and not quoted:
            self._note("merge-key", "merge keys (<<) are not part of YAML 1.2", place, "write the fields out")
        self._stack[-1].key = (name, place)

    def _attach(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
        elif isinstance(parent.node.value, dict) and parent.key is not None:
            name, place = parent.key
            parent.key = None
            if name in parent.node.value:
                self.findings.append(duplicate_key(name, parent.node.value[name].place, place, self._path()))
            else:
                parent.node.value[name] = Entry(node, place)

    def _remember(self, anchor: str | None, node: Node, nodes: int, height: int) -> None:
        if anchor:
            self._anchors[anchor] = (node, nodes, height)

    def _refuse_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            hint = "leave the tag out; to make a text of a number or a word put it in quotes"
            self._note("tag", f"tags are not read in a contract: found {event.tag[:80]}", place, hint)

    def _refuse_complex_key(self, place: Place) -> None:
        if self._expects_key():
            raise broken("complex-key", "the name of a field is a text, found a list, a mapping or an alias", place)

    def _note(self, code: str, message: str, place: Place, hint: str) -> None:
        path = pointer(self._path())
        self.findings.append(Finding(code, message, path=path, line=place.line, column=place.column, hint=hint))

    def _path(self) -> Path:
        """Return the path of the innermost open list or mapping."""
        parents = self._stack[:-1]
        return tuple(_last_step(parent.node.value) for parent in parents)


def _last_step(value: object) -> str | int:
    """Return the step to the child that was attached last."""
    if isinstance(value, dict):
        return str(next(reversed(value), ""))
    return len(value) - 1 if isinstance(value, list) else ""


_HANDLERS = {
    "DocumentStartEvent": _Composer.document,
    "ScalarEvent": _Composer.scalar,
    "AliasEvent": _Composer.alias,
    "SequenceStartEvent": _Composer.open,
    "MappingStartEvent": _Composer.open,
    "SequenceEndEvent": _Composer.close,
    "MappingEndEvent": _Composer.close,
}


def _syntax_error(error: Exception, text: str) -> ContractInvalidError:
    """Translate pyyaml's error into ours, with a hint for the mistakes that people make."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if mark is None:
        return broken("yaml-syntax", f"not YAML: {problem}"[:200])
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    place = Place(mark.line + 1, mark.column + 1)
    context = f"{error.context}: " if getattr(error, "context", None) else ""  # type: ignore[attr-defined]  # only marked errors have it
    return broken("yaml-syntax", f"not YAML: {context}{problem}", place, _hint(problem, line, mark.column))


def _hint(problem: str, line: str, column: int) -> str | None:
    found = line[column : column + 1]
    if "tab character" in problem or found == "\t" or line.lstrip(" ").startswith("\t"):
        return "YAML is indented with spaces: replace the tab"
    if "cannot start any token" in problem and found:
        return f"put a value that begins with {found} in quotes"
    if "mapping values are not allowed" in problem:
        return "put a value that holds a colon in quotes, or check the indentation"
    if "expected key" in problem or "block end" in problem:
        return "check the indentation: fields of one mapping stand in one column"
    return None
