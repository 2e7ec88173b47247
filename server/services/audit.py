"""What tokens did: the audit records of an organization, and everything that one token did."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.audit import Activity, AuditEntry
from chainloop_ci.api.paging import Page
from server.model.audit import SERVER_ACTOR
from server.model.audit_filters import AuditFilter, parse_action
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.run_filters import parse_moment
from server.services.activity import describe
from server.services.tokens import get_reachable, no_token
from server.store import audit, token_activity, tokens
from server.store.database import Database
from server.store.times import to_text
from server.store.token_activity import After

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """The filters of a list of audit records, as they were written."""

    token: str | None = None
    """Name or id; of a token that is gone, its id."""
    action: str | None = None
    since: str | None = None
    until: str | None = None


class Audit:
    """Use cases of what tokens did."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def list(self, principal: Principal, query: AuditQuery, paging: Paging) -> Page[AuditEntry]:
        """Return the organization's audit records, newest first; only a token of the whole organization may.

        Raises:
            RequestInvalidError: a filter or the cursor cannot be used.
            NotFoundError: a filter names a token that does not exist.
            NotAllowedError: the token is bound to a project or workflow.
        """
        binding = bind("audit-records", principal.organization_id, query=query)
        after = paging.after(binding, ("", 0))
        principal.require_reach(project_id=None)
        action = parse_action(query.action) if query.action else None
        with self._database.read() as connection:
            found_token = _find_token(connection, principal, query.token) if query.token else None
            wanted = AuditFilter(found_token, action, *_times(query.since, query.until))
            found = audit.list_page(connection, principal.organization_id, wanted, after=after, limit=paging.limit + 1)
        page = paging.page(found, binding, lambda item: (to_text(item.record.at), item.sequence))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def list_activity(
        self, principal: Principal, token_id: str, since: str | None, until: str | None, paging: Paging
    ) -> Page[Activity]:
        """Return everything that a token did, newest first: runs, refusals, changes.

        Raises:
            RequestInvalidError: a filter or the cursor cannot be used.
            NotFoundError: there is no such token, or it belongs to another organization.
            NotAllowedError: it lies outside the scope of the token that asks.
        """
        binding = bind("activity", principal.organization_id, token=token_id, since=since, until=until)
        after = paging.after(binding, After().key)
        wanted = AuditFilter(token_id, None, *_times(since, until))
        begin = After() if after is None else After(int(after[0]), str(after[1]), str(after[2]), str(after[3]))
        with self._database.read() as connection:
            get_reachable(connection, principal, token_id)
            found = token_activity.list_page(
                connection,
                principal.organization_id,
                wanted,
                after=begin,
                limit=paging.limit + 1,
            )
        page = paging.page(found, binding, lambda entry: entry.after.key)
        now = self._now()
        return Page(tuple(describe(entry.done, now) for entry in page.items), page.next_cursor)


def _find_token(connection: Connection, principal: Principal, name_or_id: str) -> str:
    """Return the id of a token, of one that is gone too, or of the operator's command line."""
    found = tokens.find_named(connection, principal.organization_id, name_or_id)
    if found:
        return found[0]
    if name_or_id == SERVER_ACTOR or _ID.fullmatch(name_or_id):
        return name_or_id
    raise no_token(name_or_id)


def _times(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    return (
        parse_moment("since", since) if since else None,
        parse_moment("until", until) if until else None,
    )
