"""Turn endpoints into Flask routes: who asks, may they, is the request well formed; then handler and answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import Any

from flask import Flask, Request, Response, g, request
from werkzeug.routing import BaseConverter, UnicodeConverter, ValidationError

from chainloop_ci.api.access import Role
from chainloop_ci.api.limits import ORGANIZATION_HEADER
from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import parse_request, prepare_request, to_dict
from chainloop_ci.attestation.strict_json import parse_strict
from chainloop_ci.errors import Finding, RequestInvalidError, UsageError
from server.errors import BodyTooLargeError, MediaTypeError
from server.model.principal import Principal
from server.routes.endpoints import Answer, Call, Endpoint, Query
from server.services.body_places import WAITED_FOR_BYTES
from server.wiring import Services

API_PREFIX = "/api/v1"

NOBODY = Principal(token_id="", token_name="", role=Role.ATTEST, organization_id="", organization="")
"""Who asks without a token: no organization has this id, so that nothing is reached."""


class DigestConverter(BaseConverter):
    """`<digest:name>`: `sha256:` and 64 lower-case hexadecimal digits."""

    regex = "sha256:[0-9a-f]{64}"


class AnyDigestConverter(BaseConverter):
    """`<anydigest:name>`: a digest of referrers: SHA-256 of bytes, or SHA-1 of a commit."""

    regex = "sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40}"


class TextConverter(UnicodeConverter):
    """`<name>`: what PostgreSQL can keep; nothing is called otherwise."""

    def to_python(self, value: str) -> str:
        """Return the text; with a NUL it leads nowhere."""
        if "\0" in value:
            raise ValidationError
        return value


def register(app: Flask, endpoints: Iterable[Endpoint], services: Services) -> None:
    """Add a route to `app` for every endpoint; the converters must be installed."""
    # HEAD first: Flask adds it to every GET route, and an endpoint of its own must win.
    for endpoint in sorted(endpoints, key=lambda item: item.method != "HEAD"):
        if endpoint.body is not None:
            prepare_request(endpoint.body)
        app.add_url_rule(
            API_PREFIX + endpoint.path,
            endpoint=f"{endpoint.method} {endpoint.path}",
            view_func=_View(endpoint, services),
            methods=[endpoint.method],
            provide_automatic_options=False,
        )


def install_converters(app: Flask) -> None:
    """Make the converters known to the URL map of `app`."""
    app.url_map.converters["default"] = TextConverter
    app.url_map.converters["digest"] = DigestConverter
    app.url_map.converters["anydigest"] = AnyDigestConverter


class _View:
    """The Flask view of one endpoint."""

    def __init__(self, endpoint: Endpoint, services: Services) -> None:
        self._endpoint = endpoint
        self._services = services

    def __call__(self, **path: object) -> Response:
        limit = self._endpoint.max_body_bytes
        g.max_body_bytes = limit
        # One more: Flask cuts a body without length at its limit and does not say so; `read_body` sees the extra byte.
        request.max_content_length = None if limit is None else limit + 1
        principal = NOBODY if self._endpoint.is_public else authenticated(self._services)
        g.hold_place = partial(self._services.body_places.hold, principal)
        if not self._endpoint.is_public:
            principal.require_role(self._endpoint.roles)
        needs_organization = self._endpoint.needs_organization and not self._endpoint.is_public
        if needs_organization and not principal.organization_id:
            raise UsageError(
                "an instance token must say which organization it means",
                hint=f"name it: on the command line with --org, in a request with the header {ORGANIZATION_HEADER}",
            )
        call = Call(
            principal=principal,
            services=self._services,
            path={name: str(value) for name, value in path.items()},
            query=_checked_query(self._endpoint.query, request),
            body=_checked_body(self._endpoint, request),
        )
        return _response(self._endpoint, self._endpoint.handler(call))


def authenticated(services: Services) -> Principal:
    """Return who makes the present request; its log line names the token.

    Raises:
        NotAuthenticatedError: no token, or not a good one.
    """
    principal = services.authenticator.authenticate(
        request.headers.get("Authorization", ""), request.headers.get(ORGANIZATION_HEADER), g.client_address
    )
    g.token_id = principal.token_id
    g.organization_id = principal.organization_id
    return principal


def _checked_query(known: tuple[Query, ...], request: Request) -> dict[str, str]:
    """Return the query parameters with their defaults; wrong, repeated and unknown ones are refused, all at once."""
    given = Counter(name for name, _ in request.args.items(multi=True))
    names = ", ".join(sorted(item.name for item in known)) or "none"
    findings = [
        Finding("unknown-parameter", f"unknown query parameter; this route takes: {names}", path=f"?{name[:64]}")
        for name in given
        if name not in {item.name for item in known}
    ]
    values = {item.name: str(item.schema["default"]) for item in known if "default" in item.schema}
    for item in known:
        if given[item.name] > 1:
            findings.append(Finding("repeated-parameter", "given more than once", path=f"?{item.name}"))
        elif given[item.name]:
            values[item.name] = request.args[item.name]
            findings += _violations(item, values[item.name])
    if findings:
        raise RequestInvalidError(
            "the query does not fit this route: " + "; ".join(map(str, findings[:5])), findings=findings
        )
    return values


def _violations(query: Query, text: str) -> list[Finding]:
    value: Any = text
    if query.schema.get("type") == "integer":
        # 18 digits: more do not fit any limit here, and very long texts are slow to read.
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else text
    elif query.schema.get("type") == "boolean":
        value = {"true": True, "false": False}.get(text, text)
    if "\0" in text:
        # PostgreSQL keeps no text with one, so nothing is called so.
        return [Finding("invalid-parameter", "expected a text without NUL", path=f"?{query.name}")]
    errors = _validator(json.dumps(query.schema, sort_keys=True)).iter_errors(value)
    return [Finding("invalid-parameter", error.message[:300], path=f"?{query.name}") for error in errors]


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))


def _checked_body(endpoint: Endpoint, request: Request) -> Any:
    if endpoint.raw_body is not None:
        require_media_type(endpoint.raw_body.split(","), request)
        return None
    if endpoint.body is None:
        return None
    require_media_type(["application/json"], request)
    return parse_request(endpoint.body, parse_strict(read_body(request)))


def read_body(request: Request) -> bytes:
    """Return the body of an endpoint's request whole.

    Raises:
        BodyTooLargeError: it is over the limit of its endpoint.
        RequestInvalidError: less came than was announced.
        UploadsBusyError: it has not come yet, and too many others neither (T30).
    """
    limit: int | None = g.max_body_bytes
    if limit is None:
        raise ValueError("a body without limit is streamed, never read whole")
    if (request.content_length or 0) > limit or len(raw := _read_at_its_place(request)) > limit:
        raise BodyTooLargeError(
            f"a request body may have {limit} bytes here, this one has {request.content_length or 'more'}"
        )
    if request.content_length not in (None, len(raw)):
        message = f"the body broke off: {request.content_length} bytes were announced, {len(raw)} came"
        raise RequestInvalidError(message, hint="send it again", findings=[Finding("body-incomplete", message)])
    return raw


def _read_at_its_place(request: Request) -> bytes:
    place: AbstractContextManager[None] = nullcontext() if has_come(request) else g.hold_place()
    with place:
        return request.get_data(cache=False)


def has_come(request: Request) -> bool:
    """Tell whether the connection waited for the whole body before the request got its thread."""
    length = request.content_length
    return length is not None and length <= WAITED_FOR_BYTES and "Expect" not in request.headers


def require_media_type(accepted: Iterable[str], request: Request) -> None:
    """Refuse a body of another type.

    Raises:
        MediaTypeError: names those that are taken.
    """
    names = [name.strip() for name in accepted]
    if request.mimetype not in names:
        raise MediaTypeError(
            f"expected a body of type {' or '.join(names)}, found {request.mimetype[:100] or 'none'}",
            hint="set the header Content-Type",
        )


def _response(endpoint: Endpoint, value: Any) -> Response:
    status, headers = endpoint.status, dict[str, str]()
    if isinstance(value, Answer):
        status, headers = value.status or status, dict(value.headers)
        value = value.value
    if isinstance(value, Response):
        value.headers.update(headers)
        return value
    if value is None:
        return Response(status=status, headers=headers)
    return Response(json.dumps(_document(value)), status, headers, mimetype="application/json")


def _document(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Page):
        items = [to_dict(item) for item in value.items]
        return {"items": items} if value.next_cursor is None else {"items": items, "nextCursor": value.next_cursor}
    return to_dict(value)
