"""Break-glass: block a workflow, distrust a run, let a commit pass; with a reason, audited, listed while it counts.

Nothing that is stored of an attestation changes (R39).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.overrides import Override, OverrideEnd, OverrideRequest
from chainloop_ci.api.paging import Page
from chainloop_ci.attestation.times import render_time
from chainloop_ci.errors import ConflictError, NotFoundError
from server.model.audit import SERVER_ACTOR, AuditAction, AuditRecord, audit_of
from server.model.events import EventKind
from server.model.overrides import OverrideKind, StoredOverride, override_event, require_form
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.services.disk_reserve import DiskReserve
from server.services.run_access import get_run
from server.services.workflow_access import get_reachable
from server.store import audit, events, overrides
from server.store.database import Database
from server.store.overrides import OverrideFilter
from server.store.times import to_text


@dataclass(frozen=True, slots=True)
class OverrideQuery:
    """The filters of a list of decisions, as they were written."""

    kind: str | None = None
    workflow: str | None = None
    """Id."""
    also_ended: bool = False


class Overrides:
    """Use cases of decisions. They work on a full disk too: that is when somebody may need them."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str], reserve: DiskReserve
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._reserve = reserve

    def set(self, principal: Principal, request: OverrideRequest) -> Override:
        """Write a decision down; it counts from now on.

        Raises:
            RequestInvalidError: it has not what its kind needs, or an end that has passed.
            NotFoundError: there is no such workflow or run, or it belongs to another organization.
            NotAllowedError: it lies outside the token's scope.
            ConflictError: the same is decided already.
        """
        require_form(request, self._now())
        return self._reserve.insist(lambda: self._set(principal, request))

    def end(self, principal: Principal, override_id: str, request: OverrideEnd) -> Override:
        """End a decision.

        Raises:
            NotFoundError: there is none of that id, or it belongs to another organization.
            NotAllowedError: it lies outside the token's scope.
            ConflictError: it has ended already.
        """
        return self._reserve.insist(lambda: self._end(principal, override_id, request))

    def list(self, principal: Principal, query: OverrideQuery, paging: Paging) -> Page[Override]:
        """Return the decisions within the token's scope, newest first; without `also_ended` those that count."""
        binding = bind("overrides", principal.organization_id, reach=principal.reach, query=query)
        after, now = paging.after(binding, ("", "")), self._now()
        wanted = OverrideFilter(
            kind=OverrideKind(query.kind) if query.kind else None,
            workflow_ids=(query.workflow,) if query.workflow else None,
            in_force_at=None if query.also_ended else now,
        )
        with self._database.read() as connection:
            found = overrides.list_page(connection, principal.reach, wanted, after=after, limit=paging.limit + 1)
        page = paging.page(found, binding, lambda item: (to_text(item.set_at), item.id))
        return Page(tuple(item.api(now) for item in page.items), page.next_cursor)

    def _set(self, principal: Principal, request: OverrideRequest) -> Override:
        with self._database.write() as connection:
            now = self._now()
            override = self._new(connection, principal, request, now)
            if lapsed := _end_lapsed_before(connection, override, now):
                events.add(connection, override_event(self._new_id(), lapsed, EventKind.OVERRIDE_ENDED, now))
            overrides.add(connection, override)
            audit.add(connection, audit_of(principal, now, AuditAction.OVERRIDE_SET, override.id, _facts(override)))
            events.add(connection, override_event(self._new_id(), override, EventKind.OVERRIDE_SET, now))
        return override.api(now)

    def _end(self, principal: Principal, override_id: str, request: OverrideEnd) -> Override:
        with self._database.write() as connection:
            now = self._now()
            found = overrides.find(connection, principal.organization_id, override_id)
            if found is None:
                raise NotFoundError(
                    f"there is no override {override_id}", hint="`chainloop workflow override list` shows their ids"
                )
            principal.require_reach(project_id=found.project_id, workflow_id=found.workflow_id)
            ended = found.ended(principal.token_id, request.reason, now)
            overrides.end(connection, ended)
            facts = {**_facts(ended), "reason": request.reason}
            audit.add(connection, audit_of(principal, now, AuditAction.OVERRIDE_ENDED, ended.id, facts))
            events.add(connection, override_event(self._new_id(), ended, EventKind.OVERRIDE_ENDED, now))
        return ended.api(now)

    def _new(
        self, connection: Connection, principal: Principal, request: OverrideRequest, now: datetime
    ) -> StoredOverride:
        run = get_run(connection, principal, request.run_id) if request.run_id else None
        workflow = get_reachable(connection, principal, run.workflow_id if run else request.workflow_id or "")
        return StoredOverride(
            id=self._new_id(),
            organization_id=principal.organization_id,
            kind=request.kind,
            project_id=workflow.project_id,
            workflow_id=workflow.id,
            reason=request.reason.strip(),
            set_at=now,
            set_by=principal.token_id,
            run_id=run.id if run else None,
            commit=request.commit,
            until=request.until,
            project=workflow.project,
            workflow=workflow.name,
            set_by_name=principal.token_name,
        )


def end_lapsed(connection: Connection, now: datetime, *, limit: int = 200) -> list[StoredOverride]:
    """End the decisions whose end has passed, and return them, each once; within a write transaction.

    They do not count since then, whether or not somebody has written that down. The dispatcher judges anew by them.
    """
    lapsed = [found.lapsed() for found in overrides.list_lapsed(connection, now, limit=limit)]
    for item in lapsed:
        _write_lapsed(connection, item, now)
    return lapsed


def _end_lapsed_before(connection: Connection, override: StoredOverride, now: datetime) -> StoredOverride | None:
    """Make room for a decision about the same, and return the one whose end has passed.

    Raises:
        ConflictError: one is in force.
    """
    known = overrides.find_unended(connection, override)
    if known is None:
        return None
    if known.in_force_at(now):
        raise ConflictError(
            f"{known.kind} of {known.what} is in force since {render_time(known.set_at)}: {known.reason}",
            hint="end it first, to decide anew: `chainloop workflow override end ID --reason TEXT`; "
            "`chainloop workflow override list` shows its id",
        )
    lapsed = known.lapsed()
    _write_lapsed(connection, lapsed, now)
    return lapsed


def _write_lapsed(connection: Connection, lapsed: StoredOverride, now: datetime) -> None:
    overrides.end(connection, lapsed)
    facts = {**_facts(lapsed), "reason": "its time is over"}
    audit.add(
        connection,
        AuditRecord(lapsed.organization_id, now, SERVER_ACTOR, AuditAction.OVERRIDE_ENDED, lapsed.id, facts),
    )


def _facts(override: StoredOverride) -> Mapping[str, object]:
    known: dict[str, object | None] = {
        "kind": override.kind.value,
        "workflow": override.workflow,
        "project": override.project,
        "run_id": override.run_id,
        "commit": override.commit,
        "until": render_time(override.until) if override.until else None,
        "reason": override.reason,
    }
    return {name: value for name, value in known.items() if value is not None}
