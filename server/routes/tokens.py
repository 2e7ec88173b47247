"""Routes of API tokens, and of what a token may know of itself."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.access import ApiToken, CreatedToken, TokenRequest, TokenRotation, WhoAmI
from server.model.principal import ADMINS, EVERYBODY
from server.routes.endpoints import PAGING, Call, Endpoint


def _whoami(call: Call) -> Any:
    return call.services.tokens.whoami(call.principal)


def _list(call: Call) -> Any:
    return call.services.tokens.list(call.principal, call.paging)


def _create(call: Call) -> Any:
    return call.services.tokens.create(call.principal, call.body)


def _get(call: Call) -> Any:
    return call.services.tokens.get(call.principal, call.path["token_id"])


def _rotate(call: Call) -> Any:
    return call.services.tokens.rotate(call.principal, call.path["token_id"], call.body)


def _revoke(call: Call) -> Any:
    return call.services.tokens.revoke(call.principal, call.path["token_id"])


_TAG = "api-tokens"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/whoami",
        EVERYBODY,
        _whoami,
        "Show the token that asks: its role, its scope, its end.",
        _TAG,
        answer=WhoAmI,
        needs_organization=False,
    ),
    Endpoint(
        "GET",
        "/api-tokens",
        ADMINS,
        _list,
        "List API tokens, newest first, ended ones too.",
        _TAG,
        answer=ApiToken,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "POST",
        "/api-tokens",
        ADMINS,
        _create,
        "Create an API token; its secret is shown this once.",
        _TAG,
        answer=CreatedToken,
        body=TokenRequest,
        status=201,
    ),
    Endpoint(
        "GET",
        "/api-tokens/<uuid:token_id>",
        ADMINS,
        _get,
        "Show an API token and its last use.",
        _TAG,
        answer=ApiToken,
    ),
    Endpoint(
        "POST",
        "/api-tokens/<uuid:token_id>/rotate",
        ADMINS,
        _rotate,
        "Replace a token's secret; the old one works on for the overlap.",
        _TAG,
        answer=CreatedToken,
        body=TokenRotation,
    ),
    Endpoint(
        "POST",
        "/api-tokens/<uuid:token_id>/revoke",
        ADMINS,
        _revoke,
        "End a token at once, and the open runs that it began.",
        _TAG,
        answer=ApiToken,
    ),
)
