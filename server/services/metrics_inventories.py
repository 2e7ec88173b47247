"""Metrics of the forges' repositories: how many no workflow comes from, and how old the lists of them are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from sqlalchemy import Connection

from server.model.inventories import InventoryFacts
from server.services.metrics_families import Families
from server.store import inventories

MAX_COUNTED = 10_000
"""Repositories that are counted one by one."""


@dataclass(frozen=True, slots=True)
class InventoryUse:
    """What was read for one answer."""

    uncovered: Mapping[tuple[bool, bool], int]
    """By whether they are archived, and whether they are forks."""
    lists: Sequence[InventoryFacts]


def read_inventories(connection: Connection, organization_id: str, kinds: Sequence[str]) -> InventoryUse:
    """Return what the families need; `kinds` are those of integrations that list repositories."""
    if not kinds:
        return InventoryUse({}, ())
    return InventoryUse(
        inventories.count_uncovered(connection, organization_id, limit=MAX_COUNTED),
        inventories.list_facts(connection, organization_id, kinds),
    )


def inventory_families(families: Families, organization: str, use: InventoryUse) -> Iterator[Metric]:
    """Yield the metric families."""
    counts = dict.fromkeys(("active", "fork", "archived"), 0)
    for (is_archived, is_fork), number in use.uncovered.items():
        counts["archived" if is_archived else "fork" if is_fork else "active"] += number
    yield families.gauge(
        "chainloop_uncovered_repositories",
        f"Repositories of the forges that no workflow comes from; {MAX_COUNTED} in all stand for so many or more.",
        ("org", "kind"),
        [((organization, kind), float(number)) for kind, number in counts.items()] if use.lists else [],
    )
    yield families.gauge(
        "chainloop_repositories_listed_timestamp_seconds",
        "When the newest whole list of a registration's repositories was begun; 0: there is none yet.",
        ("org", "registration"),
        [((organization, item.registration), _listed_at(item)) for item in use.lists],
    )


def _listed_at(item: InventoryFacts) -> float:
    listed = item.inventory.listed_at if item.inventory else None
    return listed.timestamp() if listed else 0.0
