"""From when on runs have to meet a contract revision: what date it may have, and another one (R38)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.attestation.times import parse_time, render_time
from chainloop_ci.errors import ConflictError, Finding, RequestInvalidError
from server.model.audit import AuditAction, audit_of
from server.model.contracts import StoredRevision
from server.model.events import EventKind
from server.model.principal import Principal
from server.services.run_events import tell
from server.store import audit, contracts

AT_ONCE = "now"
"""Stands for a date: a revision that waits is enforced from now on."""
_PATH = "?enforceFrom"


@dataclass(frozen=True, slots=True)
class WantedDate:
    """From when on a revision is to be enforced; without anything a new one at once, and one that is there as it is."""

    moment: datetime | None = None
    at_once: bool = False
    """One that is there, and waits for its date, does not wait any longer."""


AS_IT_IS = WantedDate()


def parse_date(text: str | None) -> WantedDate:
    """Return what a date means; None was not said.

    Raises:
        RequestInvalidError: not an RFC 3339 time with a zone.
    """
    if text is None or text == AT_ONCE:
        return WantedDate(at_once=text == AT_ONCE)
    try:
        return WantedDate(parse_time(text))
    except (ValueError, OverflowError):
        message = f"expected a time like 2026-01-31T12:00:00Z, or {AT_ONCE}, found {text[:40]!r}"
        raise _invalid(message, "leave the date out to enforce the contract at once") from None


def require_future(moment: datetime | None, now: datetime) -> datetime | None:
    """Return the date when it is still to come.

    Raises:
        RequestInvalidError: it has passed: a mistyped year would make every pipeline red at once.
    """
    if moment is not None and moment < now:
        raise _invalid(
            f"expected a date that is still to come, found {render_time(moment)}; it is {render_time(now)} now",
            "leave the date out to enforce the contract at once",
        )
    return moment


def refuse_first_date(date: WantedDate) -> None:
    """Refuse a date for the first revision of a contract.

    Raises:
        RequestInvalidError: there is none that runs could be held to until then.
    """
    if date.moment is not None:
        raise _invalid(
            "the first revision of a contract has no date: there is none that runs are held to until then",
            "store what is asked for at once first, be it nothing; then apply the rest with its date",
        )


def reschedule(
    connection: Connection,
    principal: Principal,
    newest: StoredRevision,
    date: WantedDate,
    now: datetime,
    new_id: Callable[[], str],
) -> StoredRevision:
    """Return the newest revision with another date; without one, or with the same, it stays as it is.

    Raises:
        RequestInvalidError: the date has passed.
        ConflictError: the revision is enforced already, which is not taken back.
    """
    moment = now if date.at_once else date.moment
    if moment is None or moment == newest.enforced_from:
        return newest
    if newest.enforced_from <= now:
        if date.at_once:
            return newest
        raise ConflictError(
            f"revision {newest.revision} of contract {newest.name} is enforced since "
            f"{render_time(newest.enforced_from)}; that is not taken back",
            hint="a workflow may go on with an older one: `chainloop workflow update NAME --minimum-revision N`",
        )
    require_future(moment, now)
    moved = replace(newest, enforced_from=moment)
    contracts.save_date(connection, moved)
    dates = {"from": render_time(newest.enforced_from), "to": render_time(moment)}
    facts = {"name": newest.name, "revision": newest.revision, "enforced_from": dates}
    audit.add(connection, audit_of(principal, now, AuditAction.CONTRACT_RESCHEDULED, newest.contract_id, facts))
    told = {"name": newest.name, "revision": newest.revision, "digest": newest.digest, "enforcedFrom": dates["to"]}
    kind = EventKind.CONTRACT_REVISED
    tell(connection, principal, kind, now, new_id, subject=newest.contract_id, facts=told)
    return moved


def list_overtaken(connection: Connection, revision: StoredRevision, now: datetime) -> list[str]:
    """Say which revisions wait for a date that means nothing any more once this one is stored."""
    dates = contracts.list_dates(connection, revision.organization_id, revision.contract_id, after=0)
    when = "at once" if revision.enforced_from <= now else f"from {render_time(revision.enforced_from)} on"
    return [
        f"revision {item.revision} was to be enforced from {render_time(item.enforced_from)} on; this newer one takes "
        f"its place, and is enforced {when}"
        for item in dates
        if item.revision < revision.revision
        and item.enforced_from > now
        and item.enforced_from >= revision.enforced_from
    ]


def _invalid(message: str, hint: str) -> RequestInvalidError:
    return RequestInvalidError(message, hint=hint, findings=[Finding("enforcement-date", message, path=_PATH)])
