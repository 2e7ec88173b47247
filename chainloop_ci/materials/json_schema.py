"""Checking a JSON document against a schema of this package.

`jsonschema_rs` and not `jsonschema`: the latter takes quadratic time for arrays of unique items. A schema is compiled
when it is first needed, once per process. References are answered from this package only: nothing is ever fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from chainloop_ci.errors import Finding, MaterialRejectedError
from chainloop_ci.materials.json_document import name_type, shorten
from chainloop_ci.materials.json_slices import Path, Slice, is_small, slices
from chainloop_ci.materials.rejection import MAX_FINDINGS, cap_findings, cap_warnings, rejected
from chainloop_ci.records import record

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_MAX_OPTIONS = 8
_MAX_MESSAGE = 300
_MAX_PIECES = 3
"""Broken pieces of a large document that are listed: one that violates alternatives takes long and says little."""
_DEEP = "violations deep in a large document, where they are not listed"
_ALTERNATIVES = ("oneOf", "anyOf")


@record
class SchemaFile:
    """A schema in `schemas/` and the files that it refers to by `<base><file name>`."""

    title: str
    """For people: «CycloneDX 1.6»."""
    path: str
    """`cyclonedx/bom-1.6.SNAPSHOT.schema.json`."""
    base: str = ""
    refers_to: tuple[str, ...] = ()
    """File names in the same folder."""
    relax: Callable[[Any], Any] | None = None
    """Returns the schema without the rules whose violation is only worth a warning; None: there are none."""


@record
class Violation:
    """One place where a document does not fit its schema."""

    error: ValidationError
    path: Path
    """Member names and indexes that lead to the place."""
    piece: Slice
    """What was looked at."""

    @property
    def keyword(self) -> str:
        """Return the keyword of JSON Schema that is violated: `required`, `uniqueItems`, `oneOf`."""
        return self.error.kind.name

    def to_finding(self) -> Finding:
        """Return the violation in words; of alternatives, what the nearest one lacks."""
        nearest = _nearest(self.error)
        place = self.piece.locate(tuple(nearest.instance_path)) or self.path
        return Finding("schema-violation", _describe(nearest), path=json_pointer(place))


@record
class Violations:
    """Where a document does not fit its schema."""

    listed: tuple[Violation, ...] = ()
    are_all: bool = True
    """False: the document is too large for a whole list, there may be more."""

    def __bool__(self) -> bool:
        return bool(self.listed) or not self.are_all

    def without(self, is_tolerated: Callable[[Violation], bool]) -> Violations:
        """Return those that are not tolerated."""
        return replace(self, listed=tuple(entry for entry in self.listed if not is_tolerated(entry)))


def json_pointer(path: Sequence[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of `path`; the whole document is an empty text."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def prepare_schemas(schemas: Iterable[SchemaFile]) -> None:
    """Compile `schemas` now: later nothing is imported and no file is read for them."""
    for schema in schemas:
        _compile(schema)
        if schema.relax:
            _compile_relaxed(schema)


def find_violations(schema: SchemaFile, document: object, expected: str) -> Violations:
    """Return the violations; a document that fits costs one fast pass. Of a large one only the first are listed.

    Raises:
        MaterialRejectedError: nested more deeply than the checker follows; `expected` names the document.
    """
    validator = _compile(schema)
    try:
        if validator.is_valid(document):
            return Violations()
        if is_small(document):
            return Violations(tuple(_list_violations(schema, Slice(document))))
        return Violations(tuple(_first(schema, document)), are_all=False)
    except ValueError as error:
        # The checker's own limit, below that of the JSON reader; it has no class of its own.
        raise rejected(expected, "JSON that is nested too deeply to be checked") from error


def fits_relaxed(schema: SchemaFile, document: object) -> bool:
    """Tell whether nothing is violated but what `schema.relax` takes away; one fast pass, whatever the number."""
    return schema.relax is not None and _compile_relaxed(schema).is_valid(document)


def refuse_violations(expected: str, schema: SchemaFile, violations: Violations) -> MaterialRejectedError:
    """Return the error that lists `violations`; `expected` is what it calls the document, with its article."""
    count = len(violations.listed)
    least = "" if violations.are_all else "at least "
    findings = [violation.to_finding() for violation in violations.listed[:MAX_FINDINGS]]
    if violations.are_all:
        listed = cap_findings(findings, count)
    else:
        more = "and more, which are not listed" if findings else _DEEP
        listed = (*findings, Finding("more-findings", more))
    return rejected(
        f"{expected} that fits the schema of {schema.title}",
        f"{least}{max(1, count)} violation{'s' if count > 1 else ''}",
        hint="repair what writes the document, or add it with --no-strict-validation to get warnings instead",
        findings=listed,
    )


def warn_of_violations(violations: Violations) -> tuple[str, ...]:
    """Return `violations` as warnings: the first ones and, where it is known, how many more."""
    listed = [f"schema: {violation.to_finding()}" for violation in violations.listed[:MAX_FINDINGS]]
    if violations.are_all:
        return cap_warnings(listed, len(violations.listed))
    return (*listed, "there are more violations in this large document" if listed else f"schema: {_DEEP}")


def _first(schema: SchemaFile, document: object) -> Iterator[Violation]:
    """Yield the first violations of a large document, one more than are ever listed."""
    seen: set[tuple[str, Path]] = set()
    validator = _compile(schema)
    broken = (piece for piece in slices(document) if not validator.is_valid(piece.document))
    for piece in islice(broken, _MAX_PIECES):
        for violation in _list_violations(schema, piece):
            key = (violation.keyword, violation.path)
            if key not in seen:
                seen.add(key)
                yield violation
            if len(seen) > MAX_FINDINGS:
                return


def _list_violations(schema: SchemaFile, piece: Slice) -> Iterator[Violation]:
    for error in _compile(schema).iter_errors(piece.document):
        path = piece.locate(tuple(error.instance_path))
        if path is not None:
            yield Violation(error, path, piece)


# --- compiling ---------------------------------------------------------------------------------------------------


def _load(path: str) -> Any:
    from importlib.resources import files

    return json.loads(files("chainloop_ci.materials").joinpath("schemas", *path.split("/")).read_bytes())


def _refuse_fetch(uri: str) -> Any:
    raise LookupError(f"a schema refers to {uri}, which this package does not hold")


@cache
def _compile(schema: SchemaFile) -> Validator:
    return _compile_document(schema, _load(schema.path))


@cache
def _compile_relaxed(schema: SchemaFile) -> Validator:
    if schema.relax is None:
        return _compile(schema)
    return _compile_document(schema, schema.relax(_load(schema.path)))


def _compile_document(schema: SchemaFile, document: Any) -> Validator:
    import jsonschema_rs

    folder = schema.path.rpartition("/")[0]
    resources = [(schema.base + name, _load(f"{folder}/{name}")) for name in schema.refers_to]
    return jsonschema_rs.validator_for(
        document,
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
