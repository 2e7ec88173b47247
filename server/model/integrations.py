"""Integrations as they are stored: a registration holds credentials, an attachment says what is told to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from chainloop_ci.api.integrations import Attachment, RegisteredRepository, Registration
from server.model.app_installations import APP_KEY, BoundInstallation
from server.model.deliveries import Breaker
from server.model.events import Event, EventKind

MAX_REGISTRATIONS = 100
"""Of one organization."""
MAX_ATTACHMENTS = 1000
"""Of one registration."""


class RegistrationState(StrEnum):
    """Whether anything is sent."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Its credential is not taken, or an administrator paused it; what is due waits."""


@dataclass(frozen=True, slots=True)
class BoundRepository:
    """A repository that a registration may speak for (R44)."""

    host: str
    """Base URL of the forge, as `https://github.com`."""
    repository_id: str
    """The forge's own number, which stays when the repository is renamed."""
    name: str
    """`owner/name` or `group/project`."""


@dataclass(frozen=True, slots=True)
class StoredRegistration:
    """A row of `registrations`."""

    id: str
    organization_id: str
    kind: str
    """Which integration: a member of registry 4."""
    name: str
    created_at: datetime
    created_by: str
    host: str = ""
    """Base URL of what is called; the credentials are sealed for it (R44)."""
    settings: Mapping[str, object] = field(default_factory=dict)
    sealed: str | None = None
    """The credentials, which only `secret_box` opens."""
    credential_names: tuple[str, ...] = ()
    """What they are called; that is no secret."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What the third party said of them when it was asked the last time."""
    credential_expires_at: datetime | None = None
    state: RegistrationState = RegistrationState.ACTIVE
    paused_reason: str = ""
    breaker: Breaker = field(default_factory=Breaker)
    checked_at: datetime | None = None
    findings: tuple[str, ...] = ()
    """What the last check found wrong."""
    removed_at: datetime | None = None
    repositories: tuple[BoundRepository, ...] = ()

    def speaks_for(self, host: str, repository_id: str | None) -> bool:
        """Tell whether an administrator has listed this repository (R44)."""
        return any(item.host == host and item.repository_id == repository_id for item in self.repositories)

    @property
    def installation_id(self) -> str | None:
        """Return the number of the App's installation that it speaks as; None: it has no App's key."""
        named = self.settings.get("installationId")
        return str(named) if named is not None and APP_KEY in self.credential_names else None

    @property
    def shown_host(self) -> str:
        """Return the address as people may see it: without its query, which is often a secret."""
        plain, question, _ = self.host.partition("?")
        return f"{plain}?…" if question else plain

    def api(
        self,
        *,
        attachments: int,
        waiting: int,
        dead: int,
        forged_statuses: int = 0,
        installation: BoundInstallation | None = None,
    ) -> Registration:
        """Return the wire form: no credential, and none of what it is sealed as."""
        return Registration(
            id=self.id,
            kind=self.kind,
            name=self.name,
            url=self.shown_host,
            state=self.state.value,
            created_at=self.created_at,
            created_by=self.created_by,
            settings=dict(self.settings),
            credentials=self.credential_names,
            repositories=tuple(
                RegisteredRepository(item.host, item.repository_id, item.name) for item in self.repositories
            ),
            paused_reason=self.paused_reason,
            credential_expires_at=self.credential_expires_at,
            checked_at=self.checked_at,
            findings=self.findings,
            facts=dict(self.facts),
            failures=self.breaker.failures,
            left_alone_until=self.breaker.open_until,
            attachments=attachments,
            waiting=waiting,
            dead=dead,
            installation=installation.api() if installation else None,
            forged_statuses=forged_statuses,
        )


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A row of `attachments`."""

    id: str
    organization_id: str
    registration_id: str
    kind: str
    """The registration's."""
    created_at: datetime
    created_by: str
    project_id: str | None = None
    workflow_id: str | None = None
    events: tuple[str, ...] = ()
    """Kinds of events, `*` at the end stands for all that begin so; empty: those that the integration is made for."""
    settings: Mapping[str, object] = field(default_factory=dict)
    removed_at: datetime | None = None
    project: str | None = None
    workflow: str | None = None
    registration: str = ""

    def covers(self, event: Event) -> bool:
        """Tell whether an event happened in its scope."""
        if self.organization_id != event.organization_id:
            return False
        if event.only_registration_id is not None:
            return self.registration_id == event.only_registration_id
        if self.workflow_id is not None:
            return self.workflow_id == event.workflow_id
        return self.project_id is None or self.project_id == event.project_id

    def knows_of(self, event: Event) -> bool:
        """Tell whether it may be asked about an event of its organization that is of no project, as a commit is."""
        is_anyones = event.only_registration_id is None and event.project_id is None and event.workflow_id is None
        return is_anyones and self.organization_id == event.organization_id

    def wants(self, kind: EventKind, made_for: tuple[str, ...]) -> bool:
        """Tell whether it is told of events of a kind; `made_for` is the integration's own choice."""
        return any(matches(kind, pattern) for pattern in self.events or made_for)

    def api(self) -> Attachment:
        """Return the wire form."""
        return Attachment(
            id=self.id,
            registration=self.registration,
            registration_id=self.registration_id,
            kind=self.kind,
            created_at=self.created_at,
            created_by=self.created_by,
            project=self.project,
            workflow=self.workflow,
            events=self.events,
            settings=dict(self.settings),
        )

    @property
    def breadth(self) -> int:
        """Return how much it covers, so that the narrowest of several can be found."""
        return 0 if self.workflow_id else 1 if self.project_id else 2


def matches(kind: EventKind, pattern: str) -> bool:
    """Tell whether a kind of events fits a pattern: a kind, or `run.*`, or `*`."""
    return fnmatchcase(kind.value, pattern)
