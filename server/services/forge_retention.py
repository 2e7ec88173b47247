"""Forget what forges told long ago of commits that nobody attested: the tables stay bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from server.store import forge_retention
from server.store.database import Database
from server.store.forge_retention import FORGETTABLE

BATCH = 200
"""Rows of one transaction: others wait for the database meanwhile."""
LEAST = timedelta(days=35)
"""GitHub runs jobs again, and keeps deployments waiting, for 30 days. Source: GitHub Docs, "Re-running workflows and
jobs", "Reviewing deployments"."""


def forget_forge_facts(database: Database, now: datetime, retention: timedelta) -> Iterator[Mapping[str, int]]:
    """Delete what is older than the retention, in short steps."""
    before = now - max(retention, LEAST)
    for what in FORGETTABLE:
        while True:
            with database.read() as connection:
                # It looks at much: writers must not wait for that.
                old = forge_retention.list_old(connection, what, before, limit=BATCH)
            if not old:
                break
            with database.write() as connection:
                gone = forge_retention.forget(connection, what, before, old)
            yield {what.name: gone}
            if not gone:
                # Somebody came back to all of them; the next sweep looks again.
                break
