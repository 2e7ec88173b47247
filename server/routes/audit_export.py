"""Routes of the audit export: what there is, and the rows of one kind."""

from __future__ import annotations

from typing import Any

from chainloop_ci.api.audit_export import ExportCatalogue, ExportPage
from server.model.principal import READERS
from server.routes.endpoints import PAGING, Call, Endpoint, Query
from server.services.audit_export import ExportQuery

_FILTERS = (
    Query("project", "Name of a project: only what belongs to it."),
    Query("since", "RFC 3339 time: only what began then or later."),
    Query("until", "RFC 3339 time: only what began then or earlier."),
)


def _describe(call: Call) -> Any:
    return call.services.audit_export.describe(call.principal)


def _read(call: Call) -> Any:
    query = ExportQuery(**{item.name: call.query.get(item.name) for item in _FILTERS})
    return call.services.audit_export.read(call.principal, call.path["kind"], query, call.paging)


_TAG = "audit-export"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/audit-export", READERS, _describe, "Say what there is to export.", _TAG, answer=ExportCatalogue),
    Endpoint(
        "GET",
        "/audit-export/<kind>",
        READERS,
        _read,
        "Return rows of one kind; the cursor of the last page leads to what is new another day.",
        _TAG,
        answer=ExportPage,
        query=(*_FILTERS, *PAGING),
    ),
)
