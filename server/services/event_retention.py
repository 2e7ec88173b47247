"""Forget what happened long ago, once everybody was told of it: the tables stay bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from server.store import delivery_facts
from server.store.database import Database

BATCH = 200
"""Events of one transaction: others wait for the database meanwhile."""


def forget_events(database: Database, before: datetime) -> Iterator[Mapping[str, int]]:
    """Delete events that were told before a time, and what came of it, in short steps; what waits is kept."""
    after: int | None = 0
    while after is not None:
        with database.read() as connection:
            # Most often nothing is old: that must not hold up writers.
            found = delivery_facts.find_old(connection, after=after, before=before, limit=BATCH)
        after = found.last
        if found.finished:
            with database.write() as connection:
                gone = delivery_facts.forget(connection, found.finished)
            yield {"events": len(found.finished), "deliveries": gone}
    with database.write() as connection:
        memories = delivery_facts.forget_memories(connection, before)
    if memories:
        yield {"memories": memories}
