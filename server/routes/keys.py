"""Routes of verification keys."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.access import KeyRequest, VerificationKey
from server.model.principal import ADMINS, READERS
from server.routes.endpoints import PAGING, Call, Endpoint


def _list(call: Call) -> Any:
    return call.services.keys.list(call.principal, call.paging)


def _register(call: Call) -> Any:
    return call.services.keys.register(call.principal, call.body)


def _get(call: Call) -> Any:
    return call.services.keys.get(call.principal, call.path["key_id"])


def _retire(call: Call) -> Any:
    return call.services.keys.retire(call.principal, call.path["key_id"])


def _revoke(call: Call) -> Any:
    return call.services.keys.revoke(call.principal, call.path["key_id"])


_TAG = "verification-keys"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/verification-keys",
        READERS,
        _list,
        "List verification keys, newest first, ended ones too.",
        _TAG,
        answer=VerificationKey,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "POST",
        "/verification-keys",
        ADMINS,
        _register,
        "Register a key for named workflows or projects, or explicitly for the whole organization.",
        _TAG,
        answer=VerificationKey,
        body=KeyRequest,
        status=201,
    ),
    Endpoint(
        "GET",
        "/verification-keys/<digest:key_id>",
        READERS,
        _get,
        "Show a key and what it verifies.",
        _TAG,
        answer=VerificationKey,
    ),
    Endpoint(
        "POST",
        "/verification-keys/<digest:key_id>/retire",
        ADMINS,
        _retire,
        "End a key for new attestations; what it verified stays verified.",
        _TAG,
        answer=VerificationKey,
    ),
    Endpoint(
        "POST",
        "/verification-keys/<digest:key_id>/revoke",
        ADMINS,
        _revoke,
        "Withdraw a key that somebody else may hold.",
        _TAG,
        answer=VerificationKey,
    ),
)
