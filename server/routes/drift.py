"""Routes of the drift view."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.drift import DriftItem
from chainloop_ci.api.inventories import RepositoryInventory, UncoveredRepository
from chainloop_ci.api.limits import MAX_NAME
from chainloop_ci.api.words import DriftKind
from server.model.principal import READERS
from server.routes.endpoints import PAGING, Call, Endpoint, Query


def _list(call: Call) -> Any:
    return call.services.drift.list(call.principal, call.query.get("kind"), call.query.get("project"), call.paging)


def _list_uncovered(call: Call) -> Any:
    return call.services.inventories.list_uncovered(call.principal, call.paging)


def _list_inventories(call: Call) -> Any:
    return call.services.inventories.list(call.principal)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/drift",
        READERS,
        _list,
        "List what has drifted from what operators asked for, each with since when and what to do.",
        "drift",
        answer=DriftItem,
        is_list=True,
        query=(
            Query("kind", "Only of this kind.", {"type": "string", "enum": [kind.value for kind in DriftKind]}),
            Query("project", "Only of this project.", {"type": "string", "maxLength": MAX_NAME}),
            *PAGING,
        ),
    ),
    Endpoint(
        "GET",
        "/drift/repositories",
        READERS,
        _list_uncovered,
        "List the repositories that forges show and no workflow comes from, as they were listed last.",
        "drift",
        answer=UncoveredRepository,
        is_list=True,
        query=PAGING,
    ),
    Endpoint(
        "GET",
        "/drift/inventories",
        READERS,
        _list_inventories,
        "List how old the lists of repositories are, by registration.",
        "drift",
        answer=RepositoryInventory,
        is_list=True,
    ),
)
