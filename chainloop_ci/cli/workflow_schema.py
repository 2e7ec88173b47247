"""The JSON Schema of a workflow's document: `apiVersion`, `kind: Workflow`, `metadata`, `spec`.

It has the shape of a contract's (`contract.schemas`): `description` of a pattern is the sentence that a person reads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from chainloop_ci.api.limits import MAX_NAME, ONE_LINE_PATTERN
from chainloop_ci.api.source_address import MAX_SOURCE
from chainloop_ci.api.sources import EVENT_PATTERN, MAX_CI_FILE, MAX_PATHS
from chainloop_ci.cli.names import MAX_CONTRACT_NAME
from chainloop_ci.contract.limits import NAME_PATTERN, NAME_RULE
from chainloop_ci.contract.schemas import API_VERSION, Schema

KIND = "Workflow"
MAX_TEAM = 100
MAX_DESCRIPTION = 500

_DURATION = {
    "type": "string",
    "pattern": "^([0-9]{1,9}[smhdw])+$",
    "maxLength": 40,
    "description": "must be a duration like 30m, 24h or 7d",
}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def _name(limit: int) -> Schema:
    return {"type": "string", "pattern": NAME_PATTERN, "maxLength": limit, "description": NAME_RULE}


def _line(limit: int) -> Schema:
    rule = "must be one line of text"
    return {
        "type": "string",
        "pattern": ONE_LINE_PATTERN,
        "maxLength": limit,
        "description": rule,
    }


def _source() -> Schema:
    event = {"type": "string", "pattern": EVENT_PATTERN, "maxLength": 64, "description": "must be an event like push"}
    properties = {
        "repository": _line(MAX_SOURCE),
        "ciFile": _line(MAX_CI_FILE),
        "branch": _line(255),
        "event": event,
        "paths": {"type": "array", "items": _line(MAX_CI_FILE), "maxItems": MAX_PATHS, "title": "patterns of paths"},
        "cadence": _DURATION,
        "grace": _DURATION,
    }
    return _object(properties, "repository")


@cache
def workflow_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a workflow's document. Shared: not to be changed."""
    spec = {
        "project": _name(MAX_NAME),
        "team": _line(MAX_TEAM),
        "description": {"type": "string", "maxLength": MAX_DESCRIPTION},
        "contract": _name(MAX_CONTRACT_NAME),
        "source": _source(),
    }
    properties = {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": KIND},
        "metadata": _object({"name": _name(MAX_NAME)}, "name"),
        "spec": _object(spec, "project"),
    }
    required = ("apiVersion", "kind", "metadata", "spec")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _object(properties, *required)


@cache
def workflow_validator() -> Any:
    """Return the compiled validator of a workflow's document."""
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(workflow_schema())
