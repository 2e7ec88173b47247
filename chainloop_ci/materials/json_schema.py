"""Checking a JSON document against a schema of this package.

`jsonschema_rs` and not `jsonschema`: the latter takes quadratic time for arrays of unique items. A schema is compiled
when it is first needed, once per process. References are answered from this package only: nothing is ever fetched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.json_document import name_type, shorten
from chainloop_ci.materials.rejection import cap_findings, cap_warnings, rejected

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_MAX_OPTIONS = 8
_MAX_MESSAGE = 300
_ALTERNATIVES = ("oneOf", "anyOf")


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """A schema in `schemas/` and the files that it refers to by `<base><file name>`."""

    title: str
    """For people: «CycloneDX 1.6»."""
    path: str
    """`cyclonedx/bom-1.6.SNAPSHOT.schema.json`."""
    base: str = ""
    refers_to: tuple[str, ...] = ()
    """File names in the same folder."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a document does not fit its schema."""

    error: ValidationError

    @property
    def keyword(self) -> str:
        """Return the keyword of JSON Schema that is violated: `required`, `uniqueItems`, `oneOf`."""
        return self.error.kind.name

    @property
    def path(self) -> tuple[str | int, ...]:
        """Return member names and indexes that lead to the place."""
        return tuple(self.error.instance_path)

    def to_finding(self) -> Finding:
        """Return the violation in words; of alternatives, what the nearest one lacks."""
        nearest = _nearest(self.error)
        return Finding("schema-violation", _describe(nearest), path=json_pointer(nearest.instance_path))


def json_pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of `path`; the whole document is an empty text."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def find_violations(schema: SchemaFile, document: object, expected: str) -> list[Violation]:
    """Return every violation; a document that fits costs one fast pass.

    Raises:
        MaterialRejectedError: nested more deeply than the checker follows; `expected` names the document.
    """
    validator = _compile(schema)
    try:
        return [] if validator.is_valid(document) else [Violation(error) for error in validator.iter_errors(document)]
    except ValueError as error:
        # The checker's own limit, below that of the JSON reader; it has no class of its own.
        raise rejected(expected, "JSON that is nested too deeply to be checked") from error


def refuse_violations(expected: str, schema: SchemaFile, violations: Sequence[Violation]) -> MaterialRejectedError:
    """Return the error that lists `violations`; `expected` is what it calls the document, with its article."""
    count = len(violations)
    return rejected(
        f"{expected} that fits the schema of {schema.title}",
        f"{count} violation{'s' if count > 1 else ''}",
        hint="repair what writes the document, or add it with --no-strict-validation to get warnings instead",
        findings=cap_findings((violation.to_finding() for violation in violations), count),
    )


def warn_of_violations(violations: Sequence[Violation]) -> tuple[str, ...]:
    """Return `violations` as warnings, the first ones and a count."""
    return cap_warnings((f"schema: {violation.to_finding()}" for violation in violations), len(violations))


# --- compiling ---------------------------------------------------------------------------------------------------


def _load(path: str) -> Any:
    from importlib.resources import files

    return json.loads(files("chainloop_ci.materials").joinpath("schemas", *path.split("/")).read_bytes())


def _refuse_fetch(uri: str) -> Any:
    raise LookupError(f"a schema refers to {uri}, which this package does not hold")


@cache
def _compile(schema: SchemaFile) -> Validator:
    import jsonschema_rs

    folder = schema.path.rpartition("/")[0]
    resources = [(schema.base + name, _load(f"{folder}/{name}")) for name in schema.refers_to]
    return jsonschema_rs.validator_for(
        _load(schema.path),
        registry=jsonschema_rs.Registry(resources, retriever=_refuse_fetch),
        retriever=_refuse_fetch,
        validate_formats=True,
        mask="the value",  # a message must not carry a whole array of components
    )


# --- words -------------------------------------------------------------------------------------------------------


def _nearest(error: ValidationError) -> ValidationError:
    """Follow alternatives to the one that got deepest into the document, and there to its first error."""
    branches = [branch for branch in getattr(error.kind, "context", ()) if branch]
    if error.kind.name not in _ALTERNATIVES or not branches:
        return error
    reached = [_nearest(branch[0]) for branch in branches]
    return max(reached, key=lambda leaf: len(leaf.instance_path))


def _describe(error: ValidationError) -> str:
    kind: Any = error.kind
    match kind.name:
        case "required":
            return f"{shorten(kind.property)} is missing"
        case "enum":
            return f"expected {_list(kind.options)}, found {shorten(error.instance)}"
        case "const":
            return f"expected {shorten(kind.expected_value)}, found {shorten(error.instance)}"
        case "type":
            return f"expected {' or '.join(kind.types)}, found {name_type(error.instance)}"
        case "additionalProperties":
            return f"unknown member {', '.join(shorten(name) for name in kind.unexpected[:_MAX_OPTIONS])}"
        case "pattern":
            return f"{shorten(error.instance)} does not match {kind.pattern[:_MAX_MESSAGE]}"
        case "format":
            return f"{shorten(error.instance)} is not a {kind.format}"
        case "uniqueItems":
            return "the array holds the same item twice"
        case _:
            return error.message[:_MAX_MESSAGE]


def _list(options: Sequence[Any]) -> str:
    listed = ", ".join(shorten(option) for option in options[:_MAX_OPTIONS])
    more = len(options) - _MAX_OPTIONS
    return f"one of {listed} and {more} others" if more > 0 else f"one of {listed}" if len(options) > 1 else listed
