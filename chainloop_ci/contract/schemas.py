"""The JSON Schemas of a contract: v1 (`schemaVersion`, body at the top) and v2 (`apiVersion`, `kind`, …, `spec`).

Source: reference section 2.2, and 9.1 for embedded policies. The lists of names come from the enums, so that they
cannot disagree. `description` of a pattern is the sentence that a person reads when it does not match. There is no
`$ref`: a schema path can be walked as it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from chainloop_ci.contract.limits import MAX_MATERIAL_NAME, MAX_MATERIALS, MAX_TEXT, NAME_PATTERN, NAME_RULE
from chainloop_ci.contract.types import ContractSchema, MaterialType, PrivilegedEvent, RunnerType

Schema = dict[str, Any]

API_VERSION = "chainloop.dev/v1"
KIND = "Contract"
MAX_ENV_NAMES = 200
MAX_ANNOTATIONS = 200
MAX_NAME = 253
"""Longest name of what is no material, in characters."""

ENV_NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"
RUNNER_NAMES = tuple(member.value for member in RunnerType if member is not RunnerType.GENERIC)

_POLICY_API_VERSIONS = (API_VERSION, "workflowcontract.chainloop.dev/v1")
_REQUIREMENT = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?/){1,2}[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?(@[A-Za-z0-9_.+-]+)?$"


def _object(properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False, **more}


def _array(items: Schema, limit: int, noun: str) -> Schema:
    return {"type": "array", "items": items, "maxItems": limit, "title": noun}


def _text(limit: int = MAX_TEXT) -> Schema:
    return {"type": "string", "maxLength": limit}


def _pattern(pattern: str, rule: str, limit: int = MAX_NAME) -> Schema:
    return {"type": "string", "pattern": pattern, "maxLength": limit, "description": rule}


def _enum(*values: str) -> Schema:
    return {"enum": [*values]}


def _texts(noun: str) -> Schema:
    """Return the schema of a mapping of texts with free names."""
    return {"type": "object", "additionalProperties": _text(), "maxProperties": MAX_ANNOTATIONS, "title": noun}


def _name() -> Schema:
    return _pattern(NAME_PATTERN, NAME_RULE)


def _annotation() -> Schema:
    name = _pattern("^[A-Za-z0-9_]+$", "must contain only letters, numbers, and underscores")
    return _object({"name": name, "value": _text()}, ("name",))


def _material() -> Schema:
    properties = {
        "type": _enum(*MaterialType),
        "name": _pattern(NAME_PATTERN, NAME_RULE, MAX_MATERIAL_NAME),
        "optional": {"type": "boolean"},
        "output": {"type": "boolean"},
        "annotations": _array(_annotation(), MAX_ANNOTATIONS, "annotations"),
        "skipUpload": {"type": "boolean"},
        "group": _pattern(f"^({NAME_PATTERN[1:-1]})?$", NAME_RULE),
    }
    return _object(properties, ("type", "name"))


def _metadata(**more: Schema) -> Schema:
    finding = _enum("VULNERABILITY", "SAST", "LICENSE_VIOLATION")
    properties = {"description": _text(), "annotations": _texts("annotations"), "findingType": finding}
    return _object({"name": _name(), **properties, **more}, ("name",))


def _embedded_policy() -> Schema:
    kinds = [kind for kind in MaterialType if kind is not MaterialType.ARTIFACT]
    legacy = [kind for kind in kinds if kind not in (MaterialType.STRING, MaterialType.EVIDENCE)]
    source = {"embedded": {"type": "string"}, "path": _text()}
    phases = _array(_enum("INIT", "PUSH"), 2, "phases")
    script = _object({"kind": _enum(*kinds), **source, "ref": _text(), "attestationPhases": phases})
    input_name = _pattern("^[a-zA-Z][a-zA-Z0-9_]*$", "must begin with a letter, then letters, numbers, and underscores")
    argument = {"name": input_name, "description": _text(), "required": {"type": "boolean"}, "default": _text()}
    spec = {
        "policies": _array(script, MAX_MATERIALS, "policies"),
        "inputs": _array(_object(argument, ("name",)), MAX_ANNOTATIONS, "inputs"),
        "autoMatch": {"type": "object"},
        "type": _enum(*legacy),
        **source,
    }
    header = {"apiVersion": _enum(*_POLICY_API_VERSIONS), "kind": {"const": "Policy"}}
    properties = {**header, "metadata": _metadata(organization=_text(MAX_NAME)), "spec": _object(spec)}
    return _object(properties, ("apiVersion", "kind", "metadata", "spec"))


def _policy_attachment() -> Schema:
    requirement = _pattern(_REQUIREMENT, "must look like [organization/]framework/requirement[@version]")
    properties = {
        "ref": _text(),
        "embedded": _embedded_policy(),
        "selector": _object({"name": _text(MAX_NAME), "matchMode": _enum("UNSPECIFIED", "EXACT", "PREFIX")}),
        "disabled": {"type": "boolean"},
        "with": _texts("arguments"),
        "requirements": _array(requirement, MAX_ANNOTATIONS, "requirements"),
        "gate": {"type": "boolean"},
    }
    return _object(properties, oneOf=[{"required": ["ref"]}, {"required": ["embedded"]}])


def _policy_group() -> Schema:
    skip = _array(_text(MAX_NAME), MAX_MATERIALS, "names")
    properties = {"ref": _text(), "with": _texts("arguments"), "skip": skip, "gate": {"type": "boolean"}}
    return _object(properties, ("ref",))


def _body() -> Schema:
    env_rule = "must be the name of an environment variable: letters, numbers, and underscores"
    attachments = _array(_policy_attachment(), MAX_MATERIALS, "policies")
    events = _array(_enum(*PrivilegedEvent), len(PrivilegedEvent), "events")
    return {
        "materials": _array(_material(), MAX_MATERIALS, "materials"),
        "envAllowList": _array(_pattern(ENV_NAME_PATTERN, env_rule), MAX_ENV_NAMES, "environment variables"),
        "runner": _object({"type": _enum(*RUNNER_NAMES), "privilegedEvents": events}, ("type",)),
        "annotations": _array(_annotation(), MAX_ANNOTATIONS, "annotations"),
        "policies": _object({"materials": attachments, "attestation": attachments}),
        "policyGroups": _array(_policy_group(), MAX_MATERIALS, "policy groups"),
    }


@cache
def contract_schema(form: ContractSchema) -> Schema:
    """Return the JSON Schema (2020-12) of one contract form, in camelCase. Shared: not to be changed."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if form is ContractSchema.V1:
        return dialect | _object({"schemaVersion": {"const": "v1"}, **_body()}, ("schemaVersion",))
    properties = {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": KIND},
        "metadata": _metadata(organization=_text(MAX_NAME)),
        "spec": _object(_body()),
    }
    return dialect | _object(properties, ("apiVersion", "kind", "metadata", "spec"))


@cache
def validator(form: ContractSchema) -> Any:
    """Return the compiled validator of one contract form."""
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(contract_schema(form))
