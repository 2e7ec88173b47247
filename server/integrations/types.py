"""What an integration is: which events it is made for, what it makes of one, how it tells a third party.

An integration knows neither the store nor the services: it gets records and returns what came of a try.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chainloop_ci.api.words import IntegrationKind
from chainloop_ci.errors import NotFoundError
from server.egress.transport import Transport
from server.model.app_installations import Installation
from server.model.deliveries import Outcome
from server.model.events import Event
from server.model.integrations import BoundRepository, StoredAttachment, StoredRegistration
from server.model.inventories import RepositoryPage


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to be told because of an event."""

    name: str
    """Tells the parts of one event apart: `status`, `comment`."""
    lane: str
    """What is told in order, such as all of one run, or one context of one commit."""
    content: Mapping[str, object]
    """JSON values, without secrets; every try sends just this."""
    replaces_older: bool = False
    """Whether what was not sent yet of this lane need not be sent any more."""


@dataclass(frozen=True, slots=True)
class Target:
    """A registration with its credentials opened; lives for one try and is never written down."""

    registration_id: str
    organization_id: str
    kind: str
    host: str
    """Base URL, which the credentials are for (R44)."""
    settings: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)
    repositories: tuple[BoundRepository, ...] = ()

    def speaks_for(self, host: str, repository_id: str | None) -> bool:
        """Tell whether an administrator has listed this repository (R44)."""
        return any(item.host == host and item.repository_id == repository_id for item in self.repositories)

    @property
    def accounts(self) -> frozenset[str]:
        """Return the accounts or top-level groups of the listed repositories, in lower case."""
        return frozenset(item.name.partition("/")[0].lower() for item in self.repositories if item.host == self.host)

    def find_named(self, host: str, name: str) -> BoundRepository | None:
        """Return the listed repository of a name at the host of the credentials (R44); case does not count."""
        named = (item for item in self.repositories if item.host == host == self.host)
        return next((item for item in named if item.name.lower() == name.lower()), None)


def target_of(registration: StoredRegistration, credentials: Mapping[str, str]) -> Target:
    """Return a registration as an integration sees it, with its credentials opened."""
    return Target(
        registration_id=registration.id,
        organization_id=registration.organization_id,
        kind=registration.kind,
        host=registration.host,
        settings=registration.settings,
        credentials=credentials,
        repositories=registration.repositories,
    )


@dataclass(frozen=True, slots=True)
class Message:
    """What a try has to tell."""

    delivery_id: str
    """The same for every try."""
    event_id: str
    event_kind: str
    event_at: datetime
    part: str
    lane: str
    content: Mapping[str, Any]
    attempt: int
    """1 for the first try."""
    memory: Mapping[str, Any]
    """What the last delivery of this lane asked to remember."""
    settings: Mapping[str, Any]
    """Of the attachment."""


def _no_secret(organization_id: str, source_id: str) -> str:
    raise NotFoundError(
        f"the source {source_id} has no secret for its webhooks",
        hint="give the source a secret first",
    )


def _no_attestation(organization_id: str, digest: str) -> bytes:
    raise NotFoundError(f"there is no attestation {digest}")


@dataclass(frozen=True, slots=True)
class Tools:
    """The world of an integration."""

    transport: Transport
    """The only way out (R45)."""
    now: Callable[[], datetime]
    public_url: str
    """The only source of links to this server (R47)."""
    hook_secret: Callable[[str, str], str] = _no_secret
    """Return the newest secret of the webhooks of an organization's source: no content of a delivery holds one."""
    load_attestation: Callable[[str, str], bytes] = _no_attestation
    """Return the exact bytes that an organization has stored under a digest: content that names it stays the same."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the third party said of a registration's settings and credentials."""

    findings: tuple[str, ...] = ()
    """What is wrong, in words that say what to do; with any, nothing is registered. Empty: nothing."""
    warnings: tuple[str, ...] = ()
    """What works and should be otherwise, such as a required check that anybody can satisfy (R40)."""
    credential_expires_at: datetime | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    """What `describe` shows: who the credential is, which rights it has, whether statuses are enforced (R40)."""
    repositories: tuple[BoundRepository, ...] = ()
    """Those that were asked for, with the numbers that the forge knows them by."""
    installation: Installation | None = None
    """Of an App, when the forge has shown it to the App's own key (R42)."""
    visibility: Mapping[str, bool] = field(default_factory=dict)
    """Whether anybody may read a repository, by its number; left out where the forge does not say (R47)."""


@dataclass(frozen=True, slots=True)
class Integration:
    """An entry of registry 4."""

    kind: IntegrationKind
    title: str
    """What it is, in half a line."""
    events: tuple[str, ...]
    """Kinds that an attachment is told of unless it says otherwise."""
    settings_schema: Mapping[str, Any]
    """JSON Schema of a registration's settings."""
    credential_names: tuple[str, ...]
    """The secrets that a registration may hold."""
    required_credentials: tuple[tuple[str, ...], ...]
    """At least one of these sets must be there."""
    attachment_schema: Mapping[str, Any]
    """JSON Schema of an attachment's settings."""
    parts: Callable[[Event, StoredAttachment], tuple[Part, ...]]
    """Pure: what an event becomes for an attachment that wants it; nothing for what does not concern it."""
    deliver: Callable[[Target, Message, Tools], Outcome]
    """One try, within `TRY_SECONDS`; raises only for a defect."""
    check: Callable[[Target, Tools], Checked]
    """Ask the third party whether settings and credentials will do; called when an admin registers, and daily."""
    list_repositories: Callable[[Target, str, Tools], RepositoryPage] | None = None
    """One page of the repositories that the credential shows, within `TRY_SECONDS`; the text is where it begins, empty
    at first. None: it is of no forge."""
    always: tuple[str, ...] = ()
    """Kinds of events that it is told of whatever the filter of an attachment says: those that it is asked questions
    by."""
    usual_host: str = ""
    """What is called unless a registration says otherwise; empty: it has to say it."""
    other_names: tuple[str, ...] = ()
    """Base URLs that lead where `usual_host` does."""
    has_no_path: bool = False
    """Whether a base URL is scheme and host alone: what stands behind them is not looked at."""
    host_is_address: bool = False
    """Whether the host of a registration is a whole address with path and query, and not a base URL."""
    kept_credentials: Mapping[str, str] = field(default_factory=dict)
    """Where the old value goes when one is replaced: the receiver needs both for a while."""
    is_checked_daily: bool = True
    """False: `check` does something at the third party that it would see every day."""
    answers_verdicts: bool = False
    """Whether it puts verdicts on commits: of several such attachments the narrowest one does, so that a context has
    one author (R40)."""


TRY_SECONDS = 30.0
"""What one try may take with everything that it asks; well below a lease."""
