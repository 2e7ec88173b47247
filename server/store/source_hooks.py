"""Queries of our webhooks at the forges."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from chainloop_ci.api.source_hooks import HookMode, HookState
from server.model.paging import Key
from server.model.source_hooks import StoredHook
from server.model.sources import StoredSource
from server.store.source_tables import source_hooks, sources
from server.store.sources import to_source
from server.store.times import from_text, optional_text, optional_time, to_text


def find(connection: Connection, organization_id: str, source_id: str) -> StoredHook | None:
    """Return what is known of a source's webhook, or None."""
    columns = source_hooks.c
    own = (columns.organization_id == organization_id, columns.source_id == source_id)
    row = connection.execute(select(source_hooks).where(*own)).first()
    return _record(row) if row else None


def save(connection: Connection, hook: StoredHook) -> None:
    """Write what is known of a source's webhook, in the place of what was known."""
    columns = source_hooks.c
    own = (columns.organization_id == hook.organization_id, columns.source_id == hook.source_id)
    connection.execute(delete(source_hooks).where(*own))
    connection.execute(
        insert(source_hooks).values(
            source_id=hook.source_id,
            organization_id=hook.organization_id,
            asked_at=to_text(hook.asked_at),
            mode=hook.mode.value,
            answered_at=optional_text(hook.answered_at),
            state=hook.state.value if hook.state else None,
            hook_id=hook.hook_id,
            differences=json.dumps(hook.differences),
            failed=hook.failed,
            asked_again=hook.asked_again,
        )
    )


def list_page(
    connection: Connection, organization_id: str, *, after: Key | None, limit: int
) -> list[tuple[StoredHook, StoredSource]]:
    """Return the webhooks of the organization's sources that were ever asked after, by source."""
    order = (sources.c.address_key, sources.c.id)
    query = (
        select(sources, *(source_hooks.c[name].label(f"hook_{name}") for name in _COLUMNS))
        .join(source_hooks, source_hooks.c.source_id == sources.c.id)
        .where(sources.c.organization_id == organization_id, source_hooks.c.organization_id == organization_id)
        .order_by(*order)
        .limit(limit)
    )
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    return [(_record(row, "hook_"), to_source(row)) for row in connection.execute(query)]


def list_of_forges(connection: Connection, organization_id: str, kinds: list[str]) -> list[StoredSource]:
    """Return the organization's sources of these kinds, by their addresses."""
    own = (sources.c.organization_id == organization_id, sources.c.kind.in_(kinds))
    query = select(sources).where(*own).order_by(sources.c.address_key, sources.c.id)
    return [to_source(row) for row in connection.execute(query)]


def list_hooked(connection: Connection, *, after: str, limit: int) -> list[StoredSource]:
    """Return sources of all organizations that have a webhook of ours, by id."""
    query = select(sources).where(sources.c.hook_id.is_not(None), sources.c.id > after)
    return [to_source(row) for row in connection.execute(query.order_by(sources.c.id).limit(limit))]


_COLUMNS = (
    "source_id",
    "organization_id",
    "asked_at",
    "mode",
    "answered_at",
    "state",
    "hook_id",
    "differences",
    "failed",
    "asked_again",
)


def _record(row: Row[Any], prefix: str = "") -> StoredHook:
    found = {name: getattr(row, prefix + name) for name in _COLUMNS}
    return StoredHook(
        **{
            **found,
            "asked_at": from_text(found["asked_at"]),
            "mode": HookMode(found["mode"]),
            "answered_at": optional_time(found["answered_at"]),
            "state": HookState(found["state"]) if found["state"] else None,
            "differences": tuple(json.loads(found["differences"])),
        }
    )
