"""End runs and begin them, each with the event that tells it: both are written, or neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from server.model.events import Event, EventKind, run_event
from server.model.principal import Principal
from server.model.runs import Run
from server.store import events, runs


def begin_run(connection: Connection, run: Run, now: datetime, new_id: Callable[[], str]) -> Run:
    """Insert a new run; return it with its place in the server's order (R18)."""
    begun = runs.add(connection, run)
    facts = {"predecessorId": run.predecessor_id}
    events.add(connection, run_event(new_id(), begun, now, EventKind.RUN_INITIALIZED, facts))
    return begun


def end_run(connection: Connection, run: Run, now: datetime, new_id: Callable[[], str], *before: Event) -> None:
    """Write a run that has just ended, and what happened to it just before."""
    runs.end(connection, run)
    events.add(connection, *before, run_event(new_id(), run, now))


def tell(
    connection: Connection,
    principal: Principal,
    kind: EventKind,
    now: datetime,
    new_id: Callable[[], str],
    *,
    subject: str,
    project_id: str | None = None,
    workflow_id: str | None = None,
    facts: Mapping[str, object],
) -> None:
    """Write an event of something that is not a run and that a principal has done."""
    events.add(
        connection,
        Event(
            id=new_id(),
            organization_id=principal.organization_id,
            kind=kind,
            at=now,
            subject=subject,
            project_id=project_id,
            workflow_id=workflow_id,
            facts={name: value for name, value in facts.items() if value not in (None, "")},
        ),
    )
