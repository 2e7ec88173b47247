"""What `audit export` does: kind after kind, page after page, into the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainloop_ci.api.audit_export import ExportCatalogue, ExportKind, find_kind
from chainloop_ci.attestation.times import render_time
from chainloop_ci.audit.file import AuditFile, Counts, opened
from chainloop_ci.audit.layout import FORMAT
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.audit_export import ExportFilter, get_catalogue, read_pages
from chainloop_ci.client.http import HttpClient

_TELL_EACH = 10_000
"""Things between two lines that say how far it is."""
_IDENTITY = ("organization_id", "project", "since", "until")
"""What every export into one file has in common."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to."""

    rows: int
    added: int
    changed: int
    gone: int
    """Things that the server has no more; they stay in the file."""
    manifest: dict[str, Any]


def run_export(world: World, path: Path, wanted: ExportFilter, version: str) -> Exported:
    """Bring a file up to date with the control plane.

    Raises:
        UsageError: the file is another export.
        FileUnwritableError: it cannot be written.
    """
    http = world.http_client()
    catalogue = get_catalogue(http)
    for name in catalogue.withheld:
        world.output.warning("not exported: only an administrator may", kind=name)
    with opened(path) as file:
        file.begin(_about(catalogue, http, wanted, version), _IDENTITY)
        counts, gone = Counts(), 0
        for name in catalogue.kinds:
            kind = find_kind(name)
            if kind is None:
                world.output.warning("not exported: this chainloop does not know it", kind=name)
                continue
            came, went = _export_kind(world, http, file, kind, wanted, render_time(catalogue.at))
            counts, gone = counts + came, gone + went
        manifest = file.complete(render_time(catalogue.at))
    rows = sum(item["rows"] for name, item in manifest["tables"].items() if not name.startswith(("export_", "sqlite_")))
    return Exported(rows, counts.added, counts.changed, gone, manifest)


def _about(catalogue: ExportCatalogue, http: HttpClient, wanted: ExportFilter, version: str) -> dict[str, str]:
    return {
        "format": FORMAT,
        "organization": catalogue.organization,
        "organization_id": catalogue.organization_id,
        "control_plane": http.base_url,
        "chainloop_version": version,
        "project": wanted.project or "",
        "since": wanted.since or "",
        "until": wanted.until or "",
        "withheld": " ".join(catalogue.withheld),
    }


def _export_kind(
    world: World, http: HttpClient, file: AuditFile, kind: ExportKind, wanted: ExportFilter, moment: str
) -> tuple[Counts, int]:
    counts, seen, done, told = Counts(), set[str](), 0, 0
    begin = file.cursor(kind.name) if kind.goes_on else None
    for page in read_pages(http, kind.name, begin, wanted):
        came, things = file.take(kind, page)
        counts += came
        done += len(things)
        if not kind.goes_on:
            seen |= things
        if done - told >= _TELL_EACH:
            told = done
            world.output.info("exporting", kind=kind.name, things=told)
    gone = 0 if kind.goes_on else file.mark_gone(kind, frozenset(seen), moment)
    if counts != Counts() or gone:
        world.output.info("exported", kind=kind.name, added=counts.added, changed=counts.changed, gone=gone)
    return counts, gone
