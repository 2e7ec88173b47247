"""Wire records: frozen dataclasses whose JSON Schema is the one source for request checks, OpenAPI and the client.

A field is written in snake_case in Python and camelCase on the wire. `Annotated[…, about(…)]` adds what a type does
not say: description, limits, pattern. `None` is left out on the wire; a missing optional field reads as its default.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from itertools import islice
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from chainloop_ci.api.limits import ONE_LINE_PATTERN
from chainloop_ci.attestation.times import parse_time, render_time
from chainloop_ci.contract.limits import MAX_TEXT
from chainloop_ci.digests import DIGEST_PATTERN, Digest, parse_digest
from chainloop_ci.errors import MAX_FINDINGS, DigestInvalidError, Finding, RequestInvalidError, limit_findings

R = TypeVar("R")


class About:
    """What a type does not say of a wire field: JSON Schema keywords, `description` among them."""

    __slots__ = ("keywords",)

    def __init__(self, keywords: dict[str, Any]) -> None:
        self.keywords = keywords


def about(description: str = "", **keywords: Any) -> About:
    """Return the wire facts of a field, for `Annotated`; `keywords` are JSON Schema's (`maxLength`, `pattern`, …)."""
    return About({"description": description, **keywords} if description else keywords)


@cache
def camel(name: str) -> str:
    """Return the wire name of a Python field name."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _keywords(cls: Any) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema keywords that the fields of `cls` are annotated with."""
    return {
        name: next((extra.keywords for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, About)), {})
        for name, hint in get_type_hints(cls, include_extras=True).items()
    }


def _optional(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return inner[0], len(inner) < len(get_args(hint))
    return hint, False


def _type_schema(hint: Any, *, closed: bool) -> dict[str, Any]:
    hint, _ = _optional(hint)
    if hint is Digest:
        return {"type": "string", "pattern": DIGEST_PATTERN}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
    if hint is float:
        return {"type": "number"}
    if hint is str:
        return {"type": "string", "maxLength": MAX_TEXT} | ({"pattern": ONE_LINE_PATTERN} if closed else {})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"type": "string", "enum": [str(member.value) for member in hint]}
    if dataclasses.is_dataclass(hint):
        return {"$ref": f"#/components/schemas/{typing.cast(type, hint).__name__}"}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _type_schema(get_args(hint)[0], closed=closed)}
    if get_origin(hint) in (dict, Mapping, typing.get_origin(Mapping[str, str])):
        value = get_args(hint)[1]
        values = {} if value in (Any, object) else _type_schema(value, closed=closed)
        return {"type": "object", "additionalProperties": values}
    return {}


@cache
def schema(cls: type, *, closed: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a record, nested records by `$ref` to `#/components/schemas/<Name>`.

    `closed` refuses unknown fields: requests are closed, answers are open (a newer server may add fields).
    """
    properties: dict[str, Any] = {}
    required: list[str] = []
    for item in dataclasses.fields(cls):
        property_schema = _type_schema(_hints(cls)[item.name], closed=closed) | _keywords(cls)[item.name]
        properties[camel(item.name)] = property_schema
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            required.append(camel(item.name))
    result: dict[str, Any] = {"type": "object", "properties": properties}
    if cls.__doc__ and not cls.__doc__.startswith(cls.__name__ + "("):
        result["description"] = cls.__doc__.split("\n\n")[0].strip()
    if required:
        result["required"] = required
    if closed:
        result["additionalProperties"] = False
    return result


def nested(cls: type) -> tuple[type, ...]:
    """Return every record that `cls` refers to, itself first."""
    found: dict[type, None] = {}

    def visit(hint: Any) -> None:
        hint, _ = _optional(hint)
        for part in get_args(hint):
            visit(part)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in found:
            found[hint] = None
            for inner in _hints(hint).values():
                visit(inner)

    visit(cls)
    return tuple(found)


@cache
def _validator(cls: Any) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, expression: str, instance: Any, schema: Any) -> Any:
        # Python's "$" also matches before a trailing newline; in JSON Schema it does not.
        if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", expression), instance):
            yield ValidationError(f"does not match {expression}")

    def items(validator: Any, rule: Any, instance: Any, schema: Any) -> Any:
        # A list that is too long is refused for that, and not looked into (T30).
        if not isinstance(instance, list) or len(instance) <= schema.get("maxItems", len(instance)):
            yield from typing.cast(Any, Draft202012Validator).VALIDATORS["items"](validator, rule, instance, schema)

    definitions = {record.__name__: schema(record, closed=True) for record in nested(cls)}
    document = {**schema(cls, closed=True), "components": {"schemas": definitions}}
    strict: Any = typing.cast(Any, extend)(Draft202012Validator, {"pattern": pattern, "items": items})
    # The library's own check of times exists only where an optional package of others is installed.
    formats = FormatChecker(formats=())
    formats.checks("date-time", raises=ValueError)(_is_time)
    return strict(document, format_checker=formats)


def _is_time(instance: object) -> bool:
    return not isinstance(instance, str) or bool(parse_time(instance))


def prepare_request(cls: type) -> None:
    """Build the check of a request record ahead of its first request; loading the schema library takes a while."""
    _validator(typing.cast(Any, cls))


def parse_request(cls: type[R], document: object) -> R:
    """Check a request body against the record's closed schema and return the record.

    Raises:
        RequestInvalidError: with every violation, up to `MAX_FINDINGS`, each with its JSON pointer.

    """
    errors = _validator(typing.cast(Any, cls)).iter_errors(document)
    found = (finding for error in errors for finding in _violations(cls, error))
    findings = sorted(islice(found, MAX_FINDINGS + 1), key=lambda finding: str(finding.path))
    if not findings:
        try:
            return from_dict(cls, document)
        except ValueError as error:
            findings = [Finding("invalid-field", str(error)[:300], path="/")]
    raise RequestInvalidError(
        f"the request body does not fit {cls.__name__}: " + "; ".join(map(str, findings[:5])),
        findings=limit_findings(findings),
    )


def _violations(cls: Any, error: Any) -> Iterator[Finding]:
    """Return what is wrong; messages show the value, which must not be seen where it is a secret (`writeOnly`)."""
    secret = {camel(name) for name, keywords in _keywords(cls).items() if keywords.get("writeOnly")}
    path = list(map(str, error.absolute_path))
    if secret.intersection(path[:1]):
        yield Finding("invalid-field", f"is not what `{error.validator}` of the schema says", path="/" + "/".join(path))
    else:
        # Not at the top: every command loads the records, and checks no request.
        from chainloop_ci.api.violations import describe

        yield from describe(error)


def _read(hint: Any, value: Any) -> Any:
    hint, optional = _optional(hint)
    if value is None and optional:
        return None
    if hint is datetime:
        return parse_time(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type, hint), value)
    if get_origin(hint) is tuple:
        return tuple(_read(get_args(hint)[0], item) for item in _require(list, value))
    if get_origin(hint) in (dict, typing.get_origin(Mapping[str, str])):
        inner = get_args(hint)[1]
        if inner is object:
            # Whatever JSON has; an audit export has millions of these values.
            return dict(_require(dict, value))
        return {key: _read(inner, item) for key, item in _require(dict, value).items()}
    return _read_scalar(hint, value)


def _read_scalar(hint: Any, value: Any) -> Any:
    if hint is Digest:
        return parse_digest(_require(str, value))
    if hint is float:
        return _require((int, float), value)
    return _require(hint, value) if hint in (str, int, bool) else value


def _require(kinds: type | tuple[type, ...], value: Any) -> Any:
    """Return `value` when it is of one of `kinds`; true and false are no numbers."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        named = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise ValueError(f"expected {named}, found {type(value).__name__}")
    return value


def from_dict(cls: type[R], document: Any) -> R:
    """Return the record that a checked document describes; unknown fields are ignored.

    Raises:
        ValueError: a field is missing or not of its kind.

    """
    if not isinstance(document, Mapping):
        raise ValueError(f"{cls.__name__}: expected an object, found {type(document).__name__}")
    values: dict[str, Any] = {}
    record = typing.cast(Any, cls)
    hints = _hints(record)
    for item in dataclasses.fields(record):
        name = camel(item.name)
        if document.get(name) is not None:
            try:
                values[item.name] = _read(hints[item.name], document[name])
            except (TypeError, AttributeError, ValueError, DigestInvalidError) as error:
                raise ValueError(f"{cls.__name__}.{name}: {error}") from error
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ValueError(f"{cls.__name__}: field {name} is missing")
    return cls(**values)


def to_dict(record: Any) -> dict[str, Any]:
    """Return the wire form of a record: camelCase, without None, times as RFC 3339 in UTC."""
    return {
        wire_name: _write(value)
        for name, wire_name in _names(record.__class__)
        if (value := getattr(record, name)) is not None
    }


_PLAIN = frozenset((str, int, float, bool))
"""Types whose values are written as they are; not those of enums, which are texts of their own."""


@cache
def _names(cls: Any) -> tuple[tuple[str, str], ...]:
    return tuple((item.name, camel(item.name)) for item in dataclasses.fields(cls))


def _write(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return render_time(value)
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _write(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_write(item) for item in value]
    return value
