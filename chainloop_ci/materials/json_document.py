"""Reading a JSON document whole, and saying what it is when it is not what was asked for.

RFC 8259 allows NaN nowhere, and UTF-8 only. A UTF-8 byte order mark is ignored (section 8.1): some tools write one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.content_form import form_of, is_binary, is_blank, name_form, wide_encoding_of
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Form

JsonObject = Mapping[str, object]

_JSON_FORMS = (Form.JSON_OBJECT, Form.JSON_ARRAY)
_MAX_NAME = 40
_SURROGATE = deferred_pattern(r"\\u[dD][89a-fA-F]")
_TOKENS = deferred_pattern(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN')


class _ConstantFoundError(ValueError):
    """NaN or Infinity was met: Python's reader takes them, JSON does not have them."""


class _RepeatedKeyError(ValueError):
    """A member was met twice: which of the two counts differs from reader to reader."""


def _refuse_constant(name: str) -> object:
    raise _ConstantFoundError(name)


def _refuse_repeated(members: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(members)
    if len(document) != len(members):
        seen: set[str] = set()
        for name, _ in members:
            if name in seen:
                raise _RepeatedKeyError(name)
            seen.add(name)
    return document


def read_object(raw: bytes, expected: str) -> JsonObject:
    """Return the JSON object that `raw` holds; `expected` is what the error calls it, with its article.

    Raises:
        MaterialRejectedError: not text, not UTF-8, not JSON, not an object, or with a member twice in one object; a
            syntax error has line and column.
    """
    text = _decode(raw, expected)
    try:
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated)
        _require_whole_characters(text, document, expected)
    except json.JSONDecodeError as error:
        raise _not_json(raw, expected, error) from error
    except _ConstantFoundError as error:
        raise _constant(text, expected, str(error)) from error
    except _RepeatedKeyError as error:
        raise _repeated(expected, str(error)) from error
    except RecursionError as error:
        raise rejected(expected, "JSON that is nested too deeply to be read") from error
    except ValueError as error:
        # The only other one: an integer with more digits than the interpreter converts.
        raise rejected(expected, "JSON with a number of several thousand digits") from error
    if not isinstance(document, dict):
        raise rejected(expected, _name_value(document))
    return document


def _require_whole_characters(text: str, document: object, expected: str) -> None:
    """Refuse half of a surrogate pair: it is no character, and nothing that holds it can be written again."""
    if not _SURROGATE.search(text):
        return
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise rejected(expected, r"JSON with half a character (an unpaired \ud800 to \udfff)") from error


def _decode(raw: bytes, expected: str) -> str:
    if wide_encoding_of(raw):
        raise rejected(expected, name_form(raw), hint="write the file as UTF-8")
    if is_blank(raw) or is_binary(raw) or form_of(raw) in (Form.ZIP, Form.GZIP):
        raise rejected(expected, name_form(raw), hint=_hint(raw))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise rejected(
            expected, f"text that is not UTF-8 (line {line}, byte {error.start})", hint="write the file as UTF-8"
        ) from error


def _hint(raw: bytes) -> str | None:
    if form_of(raw) in (Form.ZIP, Form.GZIP):
        return "add the document itself, not an archive of it"
    return "check the step that writes the file" if is_blank(raw) else None


def _not_json(raw: bytes, expected: str, error: json.JSONDecodeError) -> MaterialRejectedError:
    form = form_of(raw)
    found = "broken JSON" if form in _JSON_FORMS else f"{form or 'text'} that is not JSON"
    if form is Form.XML:
        found = "XML"
    return _syntax_error(expected, found, error.lineno, error.colno, error.msg)


def _constant(text: str, expected: str, name: str) -> MaterialRejectedError:
    place = next((match for match in _TOKENS.finditer(text) if not match.group().startswith('"')), None)
    start = place.start() if place else 0
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    return _syntax_error(expected, "broken JSON", line, column, f"{name} is not a JSON value")


def _repeated(expected: str, name: str) -> MaterialRejectedError:
    finding = Finding("json-duplicate-key", f"the member {shorten(name)} stands twice in one object")
    return rejected(
        expected,
        f"JSON in which {finding.message}",
        hint="repair what writes the document: readers differ in which of the two they take",
        findings=[finding],
    )


def _syntax_error(expected: str, found: str, line: int, column: int, reason: str) -> MaterialRejectedError:
    finding = Finding("json-syntax", reason, line=line, column=column)
    return rejected(expected, f"{found} (line {line}, column {column}: {reason})", findings=[finding])


# --- what a document is -------------------------------------------------------------------------------------------


def _name_value(value: object) -> str:
    if isinstance(value, dict):
        return "a JSON object"
    if isinstance(value, list):
        return "a JSON array" if value else "an empty JSON array ([])"
    return f"a JSON {name_type(value)}"


def name_type(value: object) -> str:
    """Return the JSON Schema name of the type of `value`."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")


def name_document(document: JsonObject) -> str:
    """Say in words what `document` is: the format that it names itself, else its first keys."""
    if not document:
        return "an empty JSON object ({})"
    if document.get("bomFormat") == "CycloneDX":
        return f"a CycloneDX {shorten(document.get('specVersion'))} SBOM"
    if is_spdx3(document):
        return "an SPDX 3 document"
    if "spdxVersion" in document:
        return f"an SPDX document ({shorten(document['spdxVersion'])})"
    if isinstance(document.get("runs"), list):
        return f"a SARIF log (version {shorten(document.get('version'))})"
    keys = ", ".join(shorten(key) for key in list(document)[:5])
    return f"a JSON object with {keys}{', …' if len(document) > 5 else ''}"


def is_spdx3(document: JsonObject) -> bool:
    """Tell whether `document` is SPDX 3: JSON-LD whose context says so (SPDX 3.0.1, "Serialization in JSON-LD")."""
    return "spdx.org/rdf/3" in str(document.get("@context"))[:200]


def shorten(value: object) -> str:
    """Return a value as it stands in JSON, at most `_MAX_NAME` characters of it; containers by their type only."""
    if isinstance(value, (dict, list)):
        return f"an {name_type(value)}"
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= _MAX_NAME else written[: _MAX_NAME - 1] + "…"


# --- members whose type nobody has checked -------------------------------------------------------------------------


def object_of(value: object) -> JsonObject:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects_of(value: object) -> list[JsonObject]:
    """Return the objects in `value` if it is an array, else nothing."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts_of(value: object) -> list[str]:
    """Return the strings in `value` if it is an array, else nothing."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return `value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def value_at(document: object, path: Sequence[str | int]) -> object:
    """Return what stands at `path` (member names and indexes) in `document`.

    The path must come from a check of the same document: nothing else stands in the way of a wrong one.
    """
    value: Any = document
    for step in path:
        value = value[step]
    return value
