"""Says in plain words what a JSON Schema validator found, with the position and a suggestion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from chainloop_ci.contract.nodes import Node, finding_at, key_place_of
from chainloop_ci.contract.schemas import Schema, validator
from chainloop_ci.contract.types import ContractSchema
from chainloop_ci.errors import Finding

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_KINDS = {dict: "a mapping", list: "a list", str: "text", bool: "a truth value", type(None): "nothing"}
_EXPECTED = {"object": "a mapping", "array": "a list", "string": "text", "boolean": "true or false"}
_LIMITS = {"maxLength": "characters", "maxProperties": "entries"}
_SHORT_LIST = 12
MAX_FINDINGS = 200
"""Most findings that are listed: looking for suggestions takes time, and nobody reads more."""


def check_schema(form: ContractSchema, document: object, root: Node, schema: Schema) -> list[Finding]:
    """Return what the schema of `form` does not allow, up to `MAX_FINDINGS`; `root` gives the positions."""
    return find_violations(validator(form), document, root, schema)


def find_violations(checker: Any, document: object, root: Node, schema: Schema) -> list[Finding]:
    """Return what `schema`, compiled as `checker`, does not allow, up to `MAX_FINDINGS`; `root` gives the positions."""
    errors = checker.iter_errors(document)
    return list(islice((finding for error in errors for finding in _findings(error, root, schema)), MAX_FINDINGS))


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """Return «did you mean …?» for the nearest of `choices`, case and separators aside."""
    from difflib import get_close_matches

    folded = {_fold(choice): choice for choice in choices}
    near = get_close_matches(_fold(word[:100]), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[near[0]]}?" if near else None


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").removeprefix("runnertype").removeprefix("materialtype")


def _findings(error: ValidationError, root: Node, schema: Schema) -> Iterator[Finding]:
    path, instance = error.instance_path, error.instance
    keyword = str(error.schema_path[-1])
    holder = _at(schema, error.schema_path[:-1])
    rule: Any = holder.get(keyword)
    if keyword == "additionalProperties" and isinstance(instance, dict):
        yield from _unknown_fields(instance, holder, path, root)
    elif keyword == "required" and isinstance(instance, dict):
        name = str(getattr(error.kind, "property", ""))
        yield finding_at(root, [*path, name], "missing-field", f"the field {name!r} is missing")
    elif keyword in ("enum", "const"):
        yield _unknown_value(instance, [rule] if keyword == "const" else rule, path, root)
    elif keyword == "pattern":
        yield finding_at(root, path, "invalid-name", f"{_show(instance)} {holder['description']}")
    elif keyword == "type":
        yield _wrong_type(instance, str(rule), path, root)
    elif keyword in _LIMITS:
        yield _over_limit(instance, int(rule), holder.get("title", _LIMITS[keyword]), path, root)
    elif keyword == "oneOf":
        message = "expected exactly one of the fields 'ref' and 'embedded'"
        yield finding_at(root, path, "ref-or-embedded", f"{message}, found {_both(instance)}")
    else:
        yield finding_at(root, path, "invalid-field", error.message[:300])


def _at(schema: Schema, path: Sequence[str | int]) -> Schema:
    found: Any = schema
    for step in path:
        found = found[step]
    return dict(found)


def _unknown_fields(instance: dict[str, Any], holder: Schema, path: list[str | int], root: Node) -> Iterator[Finding]:
    known = holder["properties"]
    for name in (name for name in instance if name not in known):
        hint = suggest(name, known) or f"known here: {', '.join(known)}"
        finding = finding_at(root, [*path, name], "unknown-field", f"unknown field {_show(name)}", hint)
        line, column = key_place_of(root, [*path, name])
        yield replace(finding, line=line, column=column)


def _unknown_value(instance: object, choices: Sequence[str], path: list[str | int], root: Node) -> Finding:
    hint = suggest(instance, choices) if isinstance(instance, str) else None
    known = " or ".join(choices) if len(choices) < 3 else ", ".join(choices)
    if len(choices) > _SHORT_LIST:
        expected = f"one of {len(choices)} names such as {', '.join(choices[:3])}"
    else:
        expected = known if len(choices) < 3 else f"one of {known}"
    return finding_at(root, path, "unknown-value", f"expected {expected}, found {_show(instance)}", hint)


def _wrong_type(instance: object, expected: str, path: list[str | int], root: Node) -> Finding:
    scalar = isinstance(instance, bool | int | float)
    hint = "put it in quotes" if expected == "string" and scalar else None
    if expected == "boolean" and isinstance(instance, str):
        hint = "write true or false, without quotes"
    message = f"expected {_EXPECTED[expected]}, found {_show(instance)}"
    return finding_at(root, path, "wrong-type", message, hint)


def _over_limit(instance: Any, limit: int, noun: str, path: list[str | int], root: Node) -> Finding:
    return finding_at(root, path, "limit-exceeded", f"expected at most {limit} {noun}, found {len(instance)}")


def _both(instance: object) -> str:
    names = [name for name in ("ref", "embedded") if isinstance(instance, dict) and name in instance]
    return "both" if names else "neither"


def _show(value: object) -> str:
    """Return a value as it is shown in a message, cut to a readable length."""
    if isinstance(value, str):
        return repr(value[:80])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    return _KINDS.get(type(value), type(value).__name__)
