"""The one JSON reader for bytes that are signed, or that come from somebody else (R10, threat T24).

Two readers of one document must never see two things. So whatever the standards leave open is refused: duplicate keys,
keys that differ in case only (Go's reader takes them for the same), NaN and Infinity, lone surrogates, integers that
other languages cannot hold, nesting that makes other readers fall over, and every encoding but UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import NoReturn

from chainloop_ci.errors import MAX_FINDINGS, Finding, JsonInvalidError, LimitExceededError, limit_findings

MAX_DEPTH = 64
"""Deepest nesting of objects and arrays (R10)."""
MAX_INTEGER = 2**53
"""Largest integer, either sign, that every reader holds exactly (R10; RFC 8259, section 6)."""
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
"""Largest document that is read unless the caller says otherwise."""

_MAX_INTEGER_CHARACTERS = len(str(-MAX_INTEGER))

# Patterns are compiled at their first use: every command loads this module, few read JSON of others.
# The closing quote is optional: an unterminated string is then consumed once, and the scan stays linear.
_STRING_OR_BRACKET = r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]'
_PART = r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[,\[{]'
_BLANKS = " \t\n\r"
_SURROGATE_ESCAPE = r"\\u[dD][89a-fA-F]"
_SURROGATE = "[\ud800-\udfff]"


def parse_strict(raw: bytes, *, max_bytes: int = MAX_DOCUMENT_BYTES, max_parts: int | None = None) -> object:
    """Return the document that `raw` holds, made of dict, list, str, int, float, bool and None.

    Raises:
        LimitExceededError: more than `max_bytes`, or more than `max_parts` texts, commas and opening brackets.
        JsonInvalidError: with every reason found, each with its place.
    """
    if len(raw) > max_bytes:
        raise LimitExceededError(f"expected a JSON document of at most {max_bytes} bytes, found {len(raw)}")
    text = _decode(raw)
    if max_parts is not None:
        _require_few(text, max_parts)
    _require_depth(text)
    document, is_plain = _read(text)
    if not is_plain or ("\\" in text and re.search(_SURROGATE_ESCAPE, text)):
        findings = limit_findings(_flaws(document, ""))
        if findings:
            raise _refusal(findings)
    return document


def join_pointer(path: str, part: str | int) -> str:
    """Return the JSON pointer of a child (RFC 6901); lone surrogates are written out, so that the text can be sent."""
    if isinstance(part, str):
        part = _printable(part).replace("~", "~0").replace("/", "~1")
    return f"{path}/{part}"


class _Refused:
    """Stands where a scalar stood that is not accepted."""

    __slots__ = ("code", "message")

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message


class _Flawed(dict[str, object]):
    """An object whose keys are ambiguous."""

    clashes: tuple[tuple[str, str], ...] = ()
    """Pairs of code and message."""


class _SuspiciousError(Exception):
    """Something that is refused was met: the document is read once more, to list everything with its place."""


def _plain_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) == len(pairs) and (len(fields) < 2 or len(set(map(str.casefold, fields))) == len(fields)):
        return fields
    raise _SuspiciousError


def _plain_integer(text: str) -> int:
    if len(text) <= _MAX_INTEGER_CHARACTERS and abs(value := int(text)) <= MAX_INTEGER:
        return value
    raise _SuspiciousError


def _plain_number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _SuspiciousError
    return value


def _no_constant(name: str) -> NoReturn:
    raise _SuspiciousError


# Made once and without any state of a reading: nearly every document has nothing to mark.
_PLAIN = json.JSONDecoder(
    object_pairs_hook=_plain_object,
    parse_constant=_no_constant,
    parse_int=_plain_integer,
    parse_float=_plain_number,
)


def _read(text: str) -> tuple[object, bool]:
    """Return the document, and whether nothing is marked in it."""
    try:
        document, end = _PLAIN.raw_decode(text)
    except (_SuspiciousError, json.JSONDecodeError):
        return _Reader().read(text), False
    if end == len(text) or not text[end:].strip(_BLANKS):
        return document, True
    return _Reader().read(text), False


class _Reader:
    """Reads a document that is not plain. Places are unknown meanwhile, so what is wrong is only marked here."""

    def read(self, text: str) -> object:
        try:
            return json.loads(
                text,
                object_pairs_hook=self._object,
                parse_constant=self._constant,
                parse_int=self._integer,
                parse_float=self._number,
            )
        except json.JSONDecodeError as error:
            finding = Finding("json-syntax", error.msg, line=error.lineno, column=error.colno)
            raise _refusal([finding]) from error

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        with suppress(_SuspiciousError):
            return _plain_object(pairs)
        flawed = _Flawed(pairs)
        flawed.clashes = tuple(islice(_clashes([key for key, _ in pairs]), MAX_FINDINGS + 1))
        return flawed

    def _constant(self, name: str) -> object:
        return _Refused("json-constant", f"{name} is not JSON")

    def _integer(self, text: str) -> object:
        with suppress(_SuspiciousError):
            return _plain_integer(text)
        found = f"{text[:24]} ({len(text)} characters)"
        return _Refused("json-integer", f"expected an integer up to 2^53, found {found}")

    def _number(self, text: str) -> object:
        with suppress(_SuspiciousError):
            return _plain_number(text)
        return _Refused("json-number", f"{text[:24]} is too large for a number")


def _clashes(keys: list[str]) -> Iterator[tuple[str, str]]:
    exact: set[str] = set()
    folded: dict[str, str] = {}
    for key in keys:
        if key in exact:
            yield "json-duplicate-key", f"the key {_shown(key)} stands more than once"
        elif key.casefold() in folded:
            other = folded[key.casefold()]
            yield "json-case-variant", f"the keys {_shown(other)} and {_shown(key)} differ in case only"
        exact.add(key)
        folded.setdefault(key.casefold(), key)


def _flaws(value: object, path: str) -> Iterator[Finding]:
    if isinstance(value, _Refused):
        yield Finding(value.code, value.message, path=path or "/")
    elif isinstance(value, str):
        yield from _surrogates(value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flaws(item, join_pointer(path, index))
    elif isinstance(value, dict):
        if isinstance(value, _Flawed):
            for code, message in value.clashes:
                yield Finding(code, message, path=path or "/")
        for key, item in value.items():
            yield from _surrogates(key, path)
            yield from _flaws(item, join_pointer(path, key))


def _surrogates(text: str, path: str) -> Iterator[Finding]:
    if re.search(_SURROGATE, text):
        yield Finding("json-surrogate", f"{_shown(text)} holds half of a surrogate pair", path=path or "/")


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8, found byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise _refusal([Finding("json-encoding", message, line=line)]) from error


def _require_depth(text: str) -> None:
    """Refuse deep nesting before the parser, which recurses, sees it."""
    if _has_few(text, "[", MAX_DEPTH // 2) and _has_few(text, "{", MAX_DEPTH // 2):
        return
    depth = 0
    for match in re.finditer(_STRING_OR_BRACKET, text):
        first = text[match.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                line = text.count("\n", 0, match.start()) + 1
                raise _refusal([Finding("json-depth", f"nested deeper than {MAX_DEPTH} levels", line=line)])
        elif first in "]}":
            depth = max(0, depth - 1)


def _has_few(text: str, bracket: str, limit: int) -> bool:
    """Tell whether there are at most `limit`, without a look at each character: texts are long, brackets few."""
    place = -1
    for _ in range(limit + 1):
        place = text.find(bracket, place + 1)
        if place < 0:
            return True
    return False


def _require_few(text: str, limit: int) -> None:
    """Refuse a document of very many parts before the parser makes an object of each (T30)."""
    if len(text) <= limit or sum(map(text.count, '",[{')) <= limit:
        return
    # Texts hold commas and brackets too: one text is one part.
    if next(islice(re.finditer(_PART, text), limit, None), None) is not None:
        raise LimitExceededError(f"expected a JSON document of at most {limit} texts, commas and brackets, found more")


def _refusal(findings: Sequence[Finding]) -> JsonInvalidError:
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    return JsonInvalidError(f"not JSON that every reader reads alike: {findings[0]}{more}", findings=findings)


def _printable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shown(text: str) -> str:
    return repr(text[:80])
