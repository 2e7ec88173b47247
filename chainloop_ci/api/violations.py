"""What a body of a request breaks of its record's schema, in plain words.

jsonschema's own sentences repeat the whole value, so that what is wrong with a long one is cut off, and speak of
schemas to people who wrote none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chainloop_ci.api.limits import COMMIT_PATTERN, LINES_PATTERN, ONE_LINE_PATTERN, UUID_PATTERN
from chainloop_ci.contract.limits import NAME_PATTERN, NAME_RULE
from chainloop_ci.digests import DIGEST_PATTERN
from chainloop_ci.errors import Finding

_CODE = "invalid-field"
_MAX_SHOWN = 80
_MAX_LISTED = 12
_WORDS = {"object": "an object", "array": "a list", "string": "text", "boolean": "true or false", "integer": "a number"}
_FOUND = {dict: "an object", list: "a list", type(None): "null"}
_LEAST = {"minLength": "characters", "minItems": "items", "minProperties": "entries"}
_MOST = {"maxLength": "characters", "maxItems": "items", "maxProperties": "entries"}
_PATTERNS = {
    ONE_LINE_PATTERN: "holds a control character",
    LINES_PATTERN: "holds a control character",
    NAME_PATTERN: NAME_RULE,
    UUID_PATTERN: "is no id (a UUID in lower case)",
    COMMIT_PATTERN: "is not the whole hash of a commit in lower case",
    DIGEST_PATTERN: "is no digest: `sha256:` and 64 hexadecimal digits in lower case",
}
_FORMATS = {"date-time": "a time such as 2026-12-31T12:00:00Z"}


def describe(error: Any) -> Iterator[Finding]:
    """Return findings for one error of jsonschema's."""
    keyword, rule, found = error.validator, error.validator_value, error.instance
    path = [str(part) for part in error.absolute_path]
    if keyword == "required":
        # The library has an error for each of them, and says only in its sentence which one is meant.
        name = re.findall(r"'(.*)'", error.message)[0]
        yield _finding([*path, name], f"the field {name!r} is missing")
    elif keyword == "additionalProperties":
        for name in (name for name in found if name not in error.schema["properties"]):
            yield _finding([*path, name], f"unknown field {name[:_MAX_SHOWN]!r}{_meant(name, error.schema)}")
    elif keyword == "pattern":
        yield _finding(path, f"{_shown(found)} {_PATTERNS.get(rule, f'does not match {rule}')}")
    else:
        yield _finding(path, _sentence(keyword, rule, found) or str(error.message)[:300])


def _sentence(keyword: str, rule: Any, found: Any) -> str | None:
    shown = _shown(found)
    match keyword:
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            return f"expected {' or '.join(_WORDS.get(kind, kind) for kind in kinds)}, found {shown}"
        case "enum":
            return f"expected one of {', '.join(map(str, rule))}, found {shown}"
        case "format":
            return f"expected {_FORMATS.get(rule, rule)}, found {shown}"
        case "minimum":
            return f"expected {rule} or more, found {shown}"
        case "maximum":
            return f"expected {rule} or less, found {shown}"
        case "uniqueItems":
            return "an item is there twice"
    if keyword in _LEAST and (rule, len(found)) == (1, 0):
        return "expected something, found nothing"
    if keyword in _LEAST:
        return f"expected at least {rule} {_LEAST[keyword]}, found {len(found)}"
    if keyword in _MOST:
        return f"expected at most {rule} {_MOST[keyword]}, found {len(found)}"
    return None


def _meant(name: str, schema: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    known = list(schema["properties"])
    near = get_close_matches(name[:_MAX_SHOWN], known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    more = len(known) - _MAX_LISTED
    return f"; known here: {', '.join(known[:_MAX_LISTED])}{f' and {more} others' if more > 0 else ''}"


def _shown(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, str):
        return repr(found[:_MAX_SHOWN])
    if isinstance(found, int | float):
        return f"the number {found}"
    return _FOUND.get(type(found), type(found).__name__)


def _finding(path: list[str], message: str) -> Finding:
    return Finding(_CODE, message, path="/" + "/".join(path))
