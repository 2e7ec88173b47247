"""What is left to be told, and whether everything was told as it should be."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from examples.forge.exchange import Exchange
from server.model.events import EventKind
from server.model.verdict_content import VerdictContent
from server.store.event_tables import deliveries, delivery_attempts, events, registrations
from server.store.tables import workflow_runs
from server.store.times import from_text
from tests.soak.checks import require
from tests.soak.forge_place import Life

Place = tuple[str, str]
"""A commit and a context."""
Said = tuple[str, str, str]
"""State, description and link of a status."""


@dataclass(frozen=True)
class Left:
    """What a dispatcher has still to do."""

    news: int
    """Events that nobody was told of."""
    pending: int
    open_runs: int
    ready_at: datetime | None
    """When the next try can be made; None: there is none, or one is being made now."""

    @property
    def is_nothing(self) -> bool:
        """Tell whether all is done."""
        return not (self.news or self.pending or self.open_runs)


def look(connection: Connection, living: str) -> Left:
    """Return what is left; `living` holds the leases of tries that are being made now."""
    own = deliveries.c
    query = (
        select(own.lane, own.next_attempt_at, own.holder, own.leased_until, registrations.c.open_until)
        .join(registrations, registrations.c.id == own.registration_id)
        .where(own.state == "pending")
        .order_by(own.sequence)
    )
    pending, first = 0, dict[str, Any]()
    for row in connection.execute(query):
        pending += 1
        first.setdefault(row.lane, row)
    is_busy = any(row.holder == living for row in first.values())
    ready = [max(map(from_text, filter(None, (row[1], row[3], row[4])))) for row in first.values()]
    return Left(
        news=_count(connection, events.c.fanned_out_at.is_(None)),
        pending=pending,
        open_runs=_count(connection, workflow_runs.c.state == "initialized"),
        ready_at=None if is_busy or not ready else min(ready),
    )


def find_pause(left: Left, now: datetime) -> timedelta | None:
    """Return how long nobody will do anything; None: somebody works, or there is nothing to wait for."""
    if left.news or left.ready_at is None or left.ready_at <= now:
        return None
    return left.ready_at - now


def count_steps(connection: Connection) -> tuple[int, int]:
    """Return two figures of which one grows with everything that a dispatcher does."""
    told = select(func.count()).select_from(events).where(events.c.fanned_out_at.is_not(None))
    tries = select(func.count()).select_from(delivery_attempts)
    return connection.execute(told).scalar_one(), connection.execute(tries).scalar_one()


def count_held(connection: Connection, holder: str) -> int:
    """Return how many tries a dispatcher is making, or was when it died."""
    return _count(connection, deliveries.c.holder == holder)


def check_rows(connection: Connection) -> None:
    """Require that everything was told once, and that nothing waits for an operator."""
    by_state = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    states = {row[0]: row[1] for row in connection.execute(by_state)}
    require(set(states) <= {"delivered", "superseded", "skipped"}, f"deliveries were not made: {states}")
    paused = connection.execute(select(registrations.c.paused_reason).where(registrations.c.state != "active")).all()
    require(not paused, f"a registration waits for an operator: {paused}")
    taken = (
        select(delivery_attempts.c.delivery_sequence, func.count())
        .where(delivery_attempts.c.outcome == "delivered")
        .group_by(delivery_attempts.c.delivery_sequence)
    )
    twice = [row[0] for row in connection.execute(taken) if row[1] > 1]
    require(not twice, f"what had been delivered was tried again: {twice[:3]}")


def list_versions(connection: Connection) -> Mapping[Place, list[Said]]:
    """Return what was judged of each commit under each name, in the order of the versions."""
    query = select(events.c.facts).where(events.c.kind == EventKind.VERDICT_CHANGED.value).order_by(events.c.sequence)
    found: dict[Place, list[Said]] = defaultdict(list)
    for (facts,) in connection.execute(query):
        content = VerdictContent.from_facts(json.loads(facts))
        said = found[content.sha, content.context]
        require(content.version == len(said) + 1, f"version {content.version} of {content.lane} has another place")
        said.append((content.surfaces.github.value, content.description, content.target_url or ""))
    return found


def check_sent(versions: Mapping[Place, list[Said]], log: Iterable[Exchange]) -> None:
    """Require that every status that was sent, taken or not, was a verdict's word for word, and none after a newer one.

    So what was sent twice for one verdict was the same twice.
    """
    reached: dict[Place, int] = defaultdict(int)
    for place, said in _sent(log):
        later = [number for number, known in enumerate(versions.get(place, ())) if known == said]
        require(later, f"{said} was sent for {place}, and nobody had judged so: {versions.get(place)}")
        going_on = [number for number in later if number >= reached[place]]
        require(going_on, f"{said} was sent for {place} after a newer verdict: {versions[place]}")
        reached[place] = going_on[0]


def check_shown(lives: Iterable[Life], shown_at: Callable[[str], Mapping[str, str]]) -> None:
    """Require that the last status of every name of every commit is the right one, and that there are no others."""
    for life in lives:
        shown = shown_at(life.sha)
        require(shown == life.expected(), f"{life.sha} ({life.ending}) shows {shown}, expected {life.expected()}")


def _sent(log: Iterable[Exchange]) -> Iterator[tuple[Place, Said]]:
    for seen in log:
        if seen.method == "POST" and seen.template and seen.template.endswith("/statuses/{sha}"):
            sent = seen.sent
            place = (seen.path.rpartition("/")[2], str(sent["context"]))
            yield place, (sent["state"], sent["description"], sent["target_url"])


def _count(connection: Connection, condition: Any) -> int:
    return connection.execute(select(func.count()).where(condition)).scalar_one()
