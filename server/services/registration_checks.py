"""Ask third parties daily whether credentials will do, so that an operator hears of an end before it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chainloop_ci.errors import ChainloopError
from server.integrations.types import Checked, Integration, Tools, target_of
from server.model.events import Event, EventKind
from server.model.integrations import StoredRegistration
from server.services.credentials import Credentials
from server.services.registrations import note_check
from server.store import events, registrations
from server.store.database import Database

WARN_BEFORE = timedelta(days=14)
"""So long before its end a credential is told of."""
AT_ONCE = 8
"""Third parties that are asked at the same time: one that hangs holds up the others of its group only."""


class RegistrationChecks:
    """The use case of the dispatcher."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        integrations: Mapping[str, Integration],
        credentials: Credentials,
        tools: Tools,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._integrations = integrations
        self._credentials = credentials
        self._tools = tools

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
        known = self._integrations.get(registration.kind)
        return known is not None and known.is_checked_daily

    def _ask(self, registration: StoredRegistration) -> Checked:
        """Return the answer; that there is none is a finding, and what was known of the credential stays."""
        try:
            opened = self._credentials.open(registration)
            return self._integrations[registration.kind].check(target_of(registration, opened), self._tools)
        except ChainloopError as error:
            return _known(registration, error.message)
        except Exception as error:  # noqa: BLE001  # one registration must not end the checks of the others
            return _known(registration, f"the check failed: {type(error).__name__}; the server's log says more")

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
