"""The tokens of CUE's data subset. Source: The CUE Language Specification, "Lexical elements"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from chainloop_ci.contract.nodes import MAX_NODES, Lines, Place, broken, check_text
from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import ContractInvalidError

_PATTERNS = (
    ("comment", r"//[^\n]*"),
    ("newline", r"\n"),
    ("space", r"[ \t\r]+"),
    # No possessive quantifiers here: Python 3.11.2 matches them wrongly around a lookahead.
    ("text", r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"""|"(?!"")(?:[^"\\\n]|\\.)*"'),
    ("number", r"(?:0|[1-9](?:_?[0-9])*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?(?![0-9A-Za-z_.])"),
    ("name", r"[A-Za-z_$][A-Za-z0-9_$]*"),
    ("mark", r"[{}\[\]:,\-+]"),
)
_TOKEN = deferred_pattern("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS))
_MAX_TOKENS = 6 * MAX_NODES
_FULL_CUE = (
    "full CUE is read by the `cue` program: install it (or name it with CHAINLOOP_CUE), or export the contract: "
    "cue export --out json FILE > contract.json"
)
_ENDS_A_LINE = frozenset(("text", "number", "name"))
_ESCAPE = deferred_pattern(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "/": "/", "\\": "\\", '"': '"'}


class Token(NamedTuple):
    """One token; a comma that the end of a line stands for has the text of a newline."""

    kind: str
    text: str
    offset: int


def unsupported(what: str, place: Place) -> ContractInvalidError:
    """Return the error for CUE that is more than data."""
    message = f"{what} is more than the data subset of CUE that is read here"
    return broken("cue-unsupported", message, place, _FULL_CUE)


def not_cue(message: str, place: Place) -> ContractInvalidError:
    """Return the error for what the data subset has no rule for; full CUE may have one."""
    return broken("cue-syntax", message, place, _FULL_CUE)


def tokens(text: str, lines: Lines) -> Iterator[Token]:
    """Yield the tokens, with the commas that CUE puts at the end of a line, and an `end` token last.

    Raises:
        ContractInvalidError: a character that begins no token of the data subset.
    """
    at, ends, count = 0, False, 0
    while at < len(text):
        count += 1
        if count > _MAX_TOKENS:
            raise broken(
                "too-many-values", f"a contract has at most {MAX_NODES} values, this one has more", lines.place(at)
            )
        match = _TOKEN.match(text, at)
        if match is None:
            _refuse_character(text, at, lines.place(at))
        kind = str(match.lastgroup)
        if kind == "newline" and ends:
            yield Token("comma", "\n", at)
            ends = False
        elif kind not in ("comment", "newline", "space"):
            yield Token("comma" if match[0] == "," else kind, match[0], at)
            ends = kind in _ENDS_A_LINE or match[0] in "}]"
        at = match.end()
    yield Token("end", "", at)


def _refuse_character(text: str, at: int, place: Place) -> NoReturn:
    found = text[at]
    if found == '"':
        raise not_cue("the text in quotes does not end", place)
    if found == "'":
        raise unsupported("a bytes literal ('…')", place)
    if found == "#":
        raise unsupported("a definition or a raw text (#…)", place)
    if found in "0123456789":
        raise unsupported("a number of this form", place)
    if found.isalpha():
        raise not_cue(f"expected a field name or a value, found {found!r}: put the text in quotes", place)
    raise unsupported(f"{found!r}", place)


def decode_text(literal: str, place: Place) -> str:
    """Return the value of a quoted text, simple or of several lines.

    Raises:
        ContractInvalidError: an escape that does not exist, an interpolation, or a wrong indentation.
    """
    if "\r" in literal:
        raise unsupported("a carriage return inside a text", place)
    body = _dedent(literal[3:-3], place) if literal.startswith('"""') else literal[1:-1]
    return check_text(_ESCAPE.sub(lambda match: _unescape(match[1], place), body), place)


def _dedent(body: str, place: Place) -> str:
    """Remove the white space before the closing quotes from each line, and the first and last line break."""
    first, *rest = body.split("\n")
    if first or not rest or rest[-1].strip(" \t"):
        raise not_cue('a text of several lines begins and ends on lines of their own (""")', place)
    indent = rest.pop()
    if any(line and not line.startswith(indent) for line in rest):
        raise not_cue('each line of the text is indented at least as far as its closing """', place)
    return "\n".join(line.removeprefix(indent) for line in rest)


def _unescape(escape: str, place: Place) -> str:
    if escape in _ESCAPES:
        return _ESCAPES[escape]
    if escape == "(":
        raise unsupported(r"an interpolation \(…)", place)
    if escape[0] in "uU" and len(escape) > 1 and (code := int(escape[1:], 16)) <= 0x10FFFF:
        return chr(code)
    raise not_cue(f"the escape \\{escape} does not exist in a text", place)
