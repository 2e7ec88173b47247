"""Take typed values out of a parsed JSON document and list everything that does not fit.

The spelling is protojson's: absent and null are the same, 64-bit integers are strings, bytes are base64, times are
RFC 3339. Unknown fields are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from chainloop_ci.attestation.dsse import decode_base64
from chainloop_ci.attestation.strict_json import MAX_INTEGER, join_pointer
from chainloop_ci.attestation.times import parse_time
from chainloop_ci.digests import Digest, parse_digest
from chainloop_ci.errors import DigestInvalidError, Finding

E = TypeVar("E", bound=StrEnum)

_WORDS: tuple[tuple[type, str], ...] = (
    (dict, "an object"),
    (list, "an array"),
    (str, "a text"),
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
)


def present(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a document without those that are empty, as protojson does; zero is a value."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value is not False and value not in ("", {}, [])
    }


class Fields:
    """One object of a document. A field that does not fit is added to `findings` and reads as absent."""

    def __init__(self, document: object, findings: list[Finding], path: str = "") -> None:
        self.path = path
        self.findings = findings
        self._fields: Mapping[str, object] = {}
        # Nearly always a dict: asking whether it is a Mapping takes longer than all the rest here.
        if isinstance(document, dict) or isinstance(document, Mapping):  # noqa: SIM101
            self._fields = document
        elif document is not None:
            self._mismatch(path or "/", "an object", document)

    def __contains__(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def names(self) -> tuple[str, ...]:
        """Return the names of all fields, in the order of the document."""
        return tuple(self._fields)

    def report(self, name: str, message: str, code: str = "invalid-field") -> None:
        """Add a finding about a field."""
        self.findings.append(Finding(code, message, path=join_pointer(self.path, name)))

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        self._mismatch(join_pointer(self.path, name), "a text", value)
        return default

    def require_text(self, name: str) -> str:
        """Return a text that must be there and not empty."""
        value = self.text(name)
        if not value and not isinstance(self._fields.get(name), int | float | list | dict):
            self.report(name, f"expected a text in {name!r}, found nothing", "missing-field")
        return value

    def choice(self, name: str, words: type[E]) -> E | None:
        """Return a word of a closed list."""
        value = self.text(name)
        if not value:
            return None
        try:
            return words(value)
        except ValueError:
            self.report(name, f"expected a {words.__name__}, found {value[:80]!r}")
            return None

    def flag(self, name: str) -> bool:
        """Return true or false; absent is false."""
        value = self._fields.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self._mismatch(join_pointer(self.path, name), "true or false", value)
        return False

    def number(self, name: str) -> int | None:
        """Return a whole number that is not negative, written as number or as decimal text."""
        value = self._fields.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
            return int(value)
        self._mismatch(join_pointer(self.path, name), "a whole number", value)
        return None

    def time(self, name: str) -> datetime | None:
        """Return a time in UTC."""
        value = self.text(name)
        if not value:
            return None
        try:
            return parse_time(value)
        except ValueError:
            self.report(name, f"expected an RFC 3339 time with zone, found {value[:80]!r}")
            return None

    def digest(self, name: str, prefix: str = "") -> Digest | None:
        """Return a digest; `prefix` stands before the text in documents that write the digits only."""
        value = self.text(name)
        if not value:
            return None
        try:
            return parse_digest(prefix + value)
        except DigestInvalidError as error:
            self.report(name, error.message)
            return None

    def binary(self, name: str) -> bytes | None:
        """Return bytes that are written as canonical base64."""
        value = self._fields.get(name)
        if value is None:
            return None
        try:
            return decode_base64(self.text(name))
        except ValueError as error:
            self.report(name, f"expected base64 in the standard alphabet: {error}")
            return None

    def child(self, name: str) -> Fields:
        """Return an object; an absent one has no fields."""
        return Fields(self._fields.get(name), self.findings, join_pointer(self.path, name))

    def children(self, name: str) -> list[Fields]:
        """Return the objects of an array."""
        value = self._fields.get(name)
        if value is None:
            return []
        path = join_pointer(self.path, name)
        if not isinstance(value, list):
            self._mismatch(path, "an array", value)
            return []
        return [self._item(item, join_pointer(path, index)) for index, item in enumerate(value)]

    def named(self, name: str) -> dict[str, Fields]:
        """Return the objects of a map."""
        entries = self.child(name)
        return {key: entries._item(value, join_pointer(entries.path, key)) for key, value in entries._fields.items()}

    def texts(self, name: str) -> dict[str, str]:
        """Return a map of texts; true and false are read as words."""
        entries = self.child(name)
        words = {key: str(value).lower() for key, value in entries._fields.items() if isinstance(value, bool)}
        others = [key for key, value in entries._fields.items() if value is not None and key not in words]
        return {**words, **{key: entries.text(key) for key in others}}

    def words(self, name: str) -> list[str]:
        """Return an array of texts."""
        value = self._fields.get(name)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self._mismatch(join_pointer(self.path, name), "an array of texts", value)
        return []

    def value(self, name: str) -> object:
        """Return a field as it stands."""
        return self._fields.get(name)

    def _item(self, value: object, path: str) -> Fields:
        if value is None:
            self._mismatch(path, "an object", value)
        return Fields(value, self.findings, path)

    def _mismatch(self, path: str, expected: str, found: object) -> None:
        word = next((word for kind, word in _WORDS if isinstance(found, kind)), "null")
        self.findings.append(Finding("invalid-field", f"expected {expected}, found {word}", path=path))
