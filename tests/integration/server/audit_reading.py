"""Reading an audit export as the command line does: page after page, from a cursor on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.server.conftest import Tenant

Read = Callable[..., tuple[list[dict[str, Any]], str | None]]


def reader_of(api: Any, tenant: Tenant) -> Read:
    """Return what reads all pages of a kind from a cursor on, and returns the rows and the last cursor."""

    def read(kind: str, cursor: str | None = None, *, role: str = "admin", **query: Any) -> Any:
        rows: list[dict[str, Any]] = []
        while True:
            wanted = {**query, **({"cursor": cursor} if cursor else {})}
            page = api(tenant.token(role)).get(f"/audit-export/{kind}", query_string=wanted)
            assert page.status_code == 200, page.json
            rows += page.json["rows"]
            cursor = page.json.get("cursor")
            if page.json["isComplete"]:
                return rows, cursor

    return read


def of(rows: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """Return the rows of one table."""
    return [item["row"] for item in rows if item["table"] == table]
