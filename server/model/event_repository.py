"""Which repository an event is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.model.events import Event


@dataclass(frozen=True, slots=True)
class EventRepository:
    """A repository as an event names it."""

    host: str
    """Base address, as `https://github.com`."""
    id: str | None
    """The forge's own number; None where only a job named the repository."""
    name: str | None


def repository_of(event: Event) -> EventRepository | None:
    """Return the repository of a verdict or a head, or the one that a run claims; None: it is about none."""
    told, claimed = event.facts.get("repository"), event.facts.get("ci")
    if isinstance(told, Mapping):
        return _read(told.get("host"), told.get("id"), told.get("name"))
    if isinstance(claimed, Mapping):
        return _read(claimed.get("serverUrl"), None, claimed.get("repository"))
    return None


def _read(host: object, number: object, name: object) -> EventRepository | None:
    if not isinstance(host, str) or not host or not (number or name):
        return None
    return EventRepository(host.rstrip("/").lower(), str(number) if number else None, str(name) if name else None)
