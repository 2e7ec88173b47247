"""The one JSON reader for bytes that are signed, or that come from somebody else (R10, threat T24).

Two readers of one document must never see two things. So whatever the standards leave open is refused: duplicate keys,
keys that differ in case only (Go's reader takes them for the same), NaN and Infinity, lone surrogates, integers that
other languages cannot hold, nesting that makes other readers fall over, and every encoding but UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice

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
    reader = _Reader()
    document = reader.read(text)
    if reader.suspicious or ("\\u" in text and re.search(_SURROGATE_ESCAPE, text)):
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


class _Reader:
    """Hooks of one run of the parser. Places are unknown while it runs, so what is wrong is only marked here."""

    def __init__(self) -> None:
        self.suspicious = False

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
        fields = dict(pairs)
        duplicates = len(fields) != len(pairs)
        variants = len(fields) > 1 and len(set(map(str.casefold, fields))) != len(fields)
        if not duplicates and not variants:
            return fields
        self.suspicious = True
        flawed = _Flawed(fields)
        flawed.clashes = tuple(islice(_clashes([key for key, _ in pairs]), MAX_FINDINGS + 1))
        return flawed

    def _constant(self, name: str) -> object:
        return self._refuse("json-constant", f"{name} is not JSON")

    def _integer(self, text: str) -> object:
        if len(text) <= _MAX_INTEGER_CHARACTERS and abs(value := int(text)) <= MAX_INTEGER:
            return value
        return self._refuse(
            "json-integer", f"expected an integer up to 2^53, found {text[:24]} ({len(text)} characters)"
        )

    def _number(self, text: str) -> object:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            return self._refuse("json-number", f"{text[:24]} is too large for a number")
        return value

    def _refuse(self, code: str, message: str) -> _Refused:
        self.suspicious = True
        return _Refused(code, message)


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
    if text.count("[") + text.count("{") <= MAX_DEPTH:
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
