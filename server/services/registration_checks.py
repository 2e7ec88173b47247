"""Ask third parties daily whether credentials will do, so that an operator hears of an end before it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from server.integrations.types import Checked
from server.model.events import Event, EventKind
from server.model.integrations import StoredRegistration
from server.services.registrations import note_check
from server.services.third_parties import AT_ONCE, ThirdParties
from server.store import events, registrations
from server.store.database import Database

WARN_BEFORE = timedelta(days=14)
"""So long before its end a credential is told of."""


class RegistrationChecks:
    """The use case of the dispatcher."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        third_parties: ThirdParties,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._third_parties = third_parties

    def check_all(self) -> Iterator[Mapping[str, int]]:
        """Ask about every registration that can be asked about without doing something, a few at a time."""
        after: str | None = ""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check") as pool:
            while after is not None:
                with self._database.read() as connection:
                    found = registrations.list_kept_of_all(connection, after=after, limit=AT_ONCE)
                after = found[-1].id if found else None
                asked = [item for item in found if self._is_asked(item)]
                answers = list(pool.map(self._ask, asked))
                for registration, checked in zip(asked, answers, strict=True):
                    self._note(registration, checked)
                if asked:
                    yield {"checked": len(asked), "wrong": sum(bool(each.findings) for each in answers)}

    def _is_asked(self, registration: StoredRegistration) -> bool:
        known = self._third_parties.integrations.get(registration.kind)
        return known is not None and known.is_checked_daily

    def _ask(self, registration: StoredRegistration) -> Checked:
        """Return the answer; that there is none is a finding, and what was known of the credential stays."""
        check = self._third_parties.integrations[registration.kind].check
        return self._third_parties.ask(registration, check, partial(_known, registration))

    def _note(self, registration: StoredRegistration, checked: Checked) -> None:
        now = self._now()
        with self._database.write() as connection:
            note_check(connection, registration, checked, now)
            if is_first_warning(registration, checked.credential_expires_at, now):
                self._warn(connection, registration, checked.credential_expires_at, now)

    def _warn(
        self, connection: Connection, registration: StoredRegistration, expires_at: datetime | None, now: datetime
    ) -> None:
        facts = {"registration": registration.name, "expiresAt": f"{expires_at:%Y-%m-%dT%H:%M:%SZ}"}
        events.add(
            connection,
            Event(
                id=self._new_id(),
                organization_id=registration.organization_id,
                kind=EventKind.CREDENTIAL_EXPIRING,
                at=now,
                subject=registration.id,
                facts=facts,
            ),
        )


def is_first_warning(registration: StoredRegistration, expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether a credential ends soon and the check before this one did not know it yet."""
    if expires_at is None or expires_at - now > WARN_BEFORE:
        return False
    same = registration.credential_expires_at == expires_at
    checked_at = registration.checked_at
    return not (same and checked_at is not None and expires_at - checked_at <= WARN_BEFORE)


def _known(registration: StoredRegistration, finding: str) -> Checked:
    return Checked((finding,), (), registration.credential_expires_at, registration.facts)
