"""The OpenAPI 3.1 document, written from the endpoints and the wire records; nothing in it is typed by hand twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import chainloop_ci
from chainloop_ci.api.limits import ORGANIZATION_HEADER, PROBLEM_MEDIA_TYPE, STATE_DIGEST_HEADER, UUID_PATTERN
from chainloop_ci.api.problems import Problem
from chainloop_ci.api.record import nested, schema
from chainloop_ci.digests import DIGEST_PATTERN
from server.routes.endpoints import Endpoint

API_PREFIX = "/api/v1"

_PARAMETER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
_PATH_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "uuid": {"type": "string", "pattern": UUID_PATTERN},
    "int": {"type": "integer", "minimum": 0},
    "digest": {"type": "string", "pattern": DIGEST_PATTERN},
    "anydigest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40})$"},
    "string": {"type": "string"},
}
_PROBLEMS = {
    400: "The JSON cannot be read, or an instance token named no organization.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token's role or scope lacks the right.",
    404: "It does not exist, or belongs to another organization.",
    409: "It does not fit what is there now.",
    412: "`If-Match` names a revision or a state that is no longer the newest.",
    413: "The body is over its limit, which the answer says.",
    414: "The address is too long.",
    415: "The body has another media type.",
    422: "The request or what it carries is wrong; `findings` lists everything.",
    431: "The header fields are too large.",
    503: "The store is busy; repeat the request after `Retry-After` seconds.",
    507: "The store or the quota is full; reading goes on.",
}
_ALWAYS = (400, 401, 403, 404, 414, 422, 431, 503)
_WRITES = (409, 413, 415, 507)


def openapi_document(endpoints: Sequence[Endpoint], public_url: str) -> dict[str, Any]:
    """Return the document for these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = API_PREFIX + _PARAMETER.sub(lambda match: "{" + match["name"] + "}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chainloop control plane",
            "version": chainloop_ci.__version__,
            "description": "Contracts, workflow runs, attestations and artifacts of CI jobs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "responses": {_problem_name(status): _problem(text) for status, text in _PROBLEMS.items()},
            "parameters": {"Organization": _organization_parameter()},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "clp_…",
                    "description": "An API token of an organization, or an instance token.",
                }
            },
        },
    }


def page_sections(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the document's operations by tag, as the page for people shows them."""
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return [
        {"name": tag["name"], "operations": [item for item in operations if item["tags"] == [tag["name"]]]}
        for tag in document["tags"]
    ]


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    roles = ", ".join(sorted(role.value for role in endpoint.roles))
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": f"Roles: {roles}." if roles else "Needs no token.",
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "parameters": [*_parameters(endpoint), *_organization(endpoint)],
        "responses": {**_answers(endpoint), **_problem_answers(endpoint)},
    }
    if endpoint.is_public:
        operation["security"] = []
    body = _request_body(endpoint)
    return {**operation, "requestBody": body} if body else operation


def _organization(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [] if endpoint.is_public else [{"$ref": "#/components/parameters/Organization"}]


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[a-zA-Z0-9]+", _PARAMETER.sub(lambda match: f"by {match['name']}", endpoint.path))
    return endpoint.method.lower() + "".join(word.capitalize() for word in words)


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    path = [
        {
            "name": match["name"],
            "in": "path",
            "required": True,
            "schema": dict(_PATH_SCHEMAS[match["kind"] or "string"]),
        }
        for match in _PARAMETER.finditer(endpoint.path)
    ]
    query = [
        {"name": item.name, "in": "query", "description": item.description, "schema": dict(item.schema)}
        for item in endpoint.query
    ]
    headers = [
        {
            "name": item.name,
            "in": "header",
            "description": item.description,
            "required": item.required,
            "schema": {"type": "string"},
        }
        for item in endpoint.headers
    ]
    return [*path, *query, *headers]


def _request_body(endpoint: Endpoint) -> dict[str, Any] | None:
    if endpoint.raw_body is not None:
        content: dict[str, Any] = {name.strip(): {"schema": {}} for name in endpoint.raw_body.split(",")}
    elif endpoint.body is not None:
        content = {"application/json": {"schema": _reference(endpoint.body)}}
    else:
        return None
    limit = endpoint.max_body_bytes
    return {
        "required": True,
        "content": content,
        "description": f"At most {limit} bytes." if limit else "Streamed; the largest blob is the server's setting.",
    }


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    statuses = {endpoint.status, *((200,) if endpoint.is_repeatable else ())}
    return {str(status): _answer(endpoint) for status in sorted(statuses)}


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.raw_answer is not None:
        return {"description": "The exact bytes.", "content": {endpoint.raw_answer: {"schema": {}}}}
    if endpoint.answer is None:
        return {"description": "Done."}
    content: dict[str, Any] = _reference(endpoint.answer)
    if endpoint.is_list:
        properties = {"items": {"type": "array", "items": content}, "nextCursor": {"type": "string"}}
        content = {"type": "object", "required": ["items"], "properties": properties}
    return {"description": endpoint.summary, "content": {"application/json": {"schema": content}}}


def _problem_answers(endpoint: Endpoint) -> dict[str, Any]:
    statuses = {*_ALWAYS, *(_WRITES if endpoint.method not in ("GET", "HEAD") else ())}
    if endpoint.is_public:
        statuses -= {401, 403}
    if any(header.name in ("If-Match", STATE_DIGEST_HEADER) for header in endpoint.headers):
        statuses.add(412)
    return {str(status): {"$ref": f"#/components/responses/{_problem_name(status)}"} for status in sorted(statuses)}


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": _reference(Problem)}}}


def _organization_parameter() -> dict[str, Any]:
    return {
        "name": ORGANIZATION_HEADER,
        "in": "header",
        "description": "Only for an instance token: the organization that the request means.",
        "schema": {"type": "string"},
    }


def _reference(record: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{record.__name__}"}


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the schemas of all records; what clients send is closed, what the server sends is open."""
    requests = {record for item in endpoints if item.body for record in nested(item.body)}
    answers = {record for item in endpoints if item.answer for record in nested(item.answer)} | set(nested(Problem))
    records = sorted(requests | answers, key=lambda record: record.__name__)
    return {record.__name__: schema(record, closed=record in requests and record not in answers) for record in records}
