"""Schemas of OpenAPI 3.0 as JSON Schema: `nullable`, exclusive bounds, and references that lie in one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

# Words of OpenAPI that are no constraint.
NO_CONSTRAINTS = {
    "nullable",
    "example",
    "examples",
    "discriminator",
    "xml",
    "externalDocs",
    "deprecated",
    "description",
}

# Said to be strings by GitLab's description, for want of a type at their source; its documentation has numbers there.
UNTYPED = {"access_level", "notification_level", "only_allow_merge_if_all_status_checks_passed"}


def validator(document: Mapping[str, Any], schema: Mapping[str, Any], is_lenient: bool = False) -> Any:
    """Return a validator of a schema of an OpenAPI document.

    A lenient one asks for no field, and is given documents without nulls: GitLab's description of answers is so
    loose that more would be guessing (corpus/gitlab-openapi/README.md, «Do not trust»).
    """
    names = _closure(document, schema)
    components = {name: convert(_component(document, name), is_lenient) for name in names}
    whole = {**convert(schema, is_lenient), "components": {"schemas": components}}
    return jsonschema_rs.validator_for(whole, validate_formats=False)


def _component(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document["components"]["schemas"][name]
    return found


def _closure(document: Mapping[str, Any], schema: Any) -> set[str]:
    known: set[str] = set()
    queue = list(_references(schema))
    while queue:
        name = queue.pop()
        if name not in known:
            known.add(name)
            queue += _references(_component(document, name))
    return known


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix("#/components/schemas/")
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def convert(schema: Any, is_lenient: bool = False) -> dict[str, Any]:
    """Return a schema in JSON Schema's words (draft 2020-12)."""
    if "$ref" in schema:
        found: dict[str, Any] = {"$ref": schema["$ref"]}
        # GitLab's description says one object of some lists: notes, assignees, reviewers.
        return {"if": {"type": "array"}, "then": {"items": found}, "else": found} if is_lenient else found
    made = {name: value for name, value in schema.items() if name not in NO_CONSTRAINTS and not name.startswith("x-")}
    for name in ("properties", "patternProperties"):
        if name in made:
            kept = made[name].items()
            made[name] = {key: convert(value, is_lenient) for key, value in kept if not (is_lenient and key in UNTYPED)}
    for name in ("items", "additionalProperties", "not"):
        if isinstance(made.get(name), Mapping):
            made[name] = convert(made[name], is_lenient)
    for name in ("allOf", "anyOf", "oneOf"):
        if name in made:
            made[name] = [convert(value, is_lenient) for value in made[name]]
    _bounds(made)
    if is_lenient:
        made.pop("required", None)
    if schema.get("nullable") and made:
        return {"anyOf": [made, {"type": "null"}]}
    return made


def _bounds(made: dict[str, Any]) -> None:
    for bound, word in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(made.get(word), bool):
            is_exclusive = made.pop(word)
            if is_exclusive:
                made[word] = made.pop(bound)


def without_nulls(value: Any) -> Any:
    """Return a document without the fields that are null: what a lenient validator is given."""
    if isinstance(value, Mapping):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
