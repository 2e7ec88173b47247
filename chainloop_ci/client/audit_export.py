"""Read an audit export: what there is, and page after page of each kind."""

from __future__ import annotations

from collections.abc import Iterator

from chainloop_ci.api.audit_export import ExportCatalogue, ExportPage
from chainloop_ci.api.limits import MAX_PAGE
from chainloop_ci.client.answers import read_record
from chainloop_ci.client.http import HttpClient
from chainloop_ci.records import record


@record
class ExportFilter:
    """What the export is kept to; None does not matter. Names are the query's."""

    project: str | None = None
    since: str | None = None
    """RFC 3339, as `until`."""
    until: str | None = None


def get_catalogue(http: HttpClient) -> ExportCatalogue:
    """Return what the token may export."""
    return read_record(ExportCatalogue, http.json("GET", "audit-export"))


def read_pages(http: HttpClient, kind: str, cursor: str | None, wanted: ExportFilter) -> Iterator[ExportPage]:
    """Yield the pages of a kind behind a cursor, until there is no more."""
    filters = {"project": wanted.project, "since": wanted.since, "until": wanted.until}
    while True:
        query = {**filters, "limit": MAX_PAGE, "cursor": cursor}
        page = read_record(ExportPage, http.json("GET", f"audit-export/{kind}", query=query))
        yield page
        if page.is_complete:
            return
        cursor = page.cursor
