"""Queries of the sealed secrets of sources' webhooks."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from chainloop_ci.api.source_address import SourceKind
from server.model.hook_secrets import HookSecrets, WatchedSource
from server.model.sources import StoredSource
from server.store.source_tables import sources
from server.store.sources import to_source
from server.store.times import optional_text, optional_time


def find_watched(connection: Connection, source_id: str, kind: SourceKind) -> WatchedSource | None:
    """Return the source that a webhook names, whosever it is, with its secrets; None: there is none of that kind.

    Who sends shows a secret of the source and no token: the source says which organization it is.
    """
    row = connection.execute(_find(), {"source": source_id, "kind": kind.value}).first()
    if row is None:
        return None
    secrets = HookSecrets(row.hook_secret, row.previous_hook_secret, optional_time(row.previous_hook_secret_until))
    return WatchedSource(to_source(row), secrets)


def save(connection: Connection, source: StoredSource, secrets: HookSecrets) -> None:
    """Write the secrets of a source's webhook."""
    own = (sources.c.organization_id == source.organization_id, sources.c.id == source.id)
    values = {
        "hook_secret": secrets.current,
        "previous_hook_secret": secrets.previous,
        "previous_hook_secret_until": optional_text(secrets.previous_until),
    }
    connection.execute(update(sources).where(*own).values(**values))


@cache
def _find() -> Select[Any]:
    """Return the query; made once, since it is asked for every webhook."""
    return select(sources).where(sources.c.id == bindparam("source"), sources.c.kind == bindparam("kind"))
