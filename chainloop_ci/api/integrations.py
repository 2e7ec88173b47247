"""Integrations on the wire: what there is, what is registered and attached, what was told to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Annotated

from chainloop_ci.api.limits import LINES_PATTERN, MAX_NAME, NAME_PATTERN
from chainloop_ci.api.record import about
from chainloop_ci.api.words import DeliveryState, IntegrationKind
from chainloop_ci.records import record

MAX_URL = 2048
MAX_SECRETS = 10
"""Credentials of one registration."""
MAX_SECRET = 16 * 1024
"""Characters of one: a private key has some thousand."""
MAX_EVENTS = 50
"""Patterns in the filter of one attachment."""
EVENT_PATTERN = r"^(\*|[a-z-]+\.(\*|[a-z-]+))$"

_NAME = about("DNS-1123 label, unique in the organization.", pattern=NAME_PATTERN, maxLength=MAX_NAME)
_URL = about(
    "Base URL of what is called, or the whole address of a webhook; left out: the integration's usual one.",
    maxLength=MAX_URL,
)
# A private key has many lines. No other keyword: these are secrets, and not to be looked at more than that.
_SECRETS = about(
    f"Secrets under the names that the integration knows, {MAX_SECRETS} at most; they are sealed and never shown.",
    writeOnly=True,
    additionalProperties={"type": "string", "pattern": LINES_PATTERN},
)
_SETTINGS = about("As the integration's schema of settings says.", maxProperties=100)


@record
class AvailableIntegration:
    """An integration that this server knows."""

    kind: IntegrationKind
    title: str
    events: Annotated[tuple[str, ...], about("What an attachment is told of unless it says otherwise.")]
    settings_schema: Annotated[dict[str, object], about("JSON Schema of a registration's settings.")]
    attachment_schema: Annotated[dict[str, object], about("JSON Schema of an attachment's settings.")]
    credentials: Annotated[tuple[str, ...], about("The secrets that a registration may hold.")]
    required_credentials: Annotated[tuple[str, ...], about("Sets of them, joined by `+`; one set has to be there.")]
    usual_url: str = ""


@record
class RegistrationRequest:
    """Register an integration; the third party is asked whether settings and credentials will do."""

    kind: IntegrationKind
    name: Annotated[str, _NAME]
    url: Annotated[str | None, _URL] = None
    settings: Annotated[dict[str, object], _SETTINGS] = field(default_factory=dict)
    credentials: Annotated[dict[str, str], _SECRETS] = field(default_factory=dict)


@record
class RegistrationChange:
    """Change a registration; what is left out stays.

    Another URL needs all credentials anew (R44). The third party is asked again, and what waited goes on.
    """

    url: Annotated[str | None, _URL] = None
    settings: Annotated[dict[str, object] | None, _SETTINGS] = None
    credentials: Annotated[dict[str, str], _SECRETS] = field(default_factory=dict)
    dropped_credentials: Annotated[tuple[str, ...], about("Names of those to forget.", maxItems=MAX_SECRETS)] = ()


@record
class RegisteredRepository:
    """A repository that a registration may speak for (R44)."""

    host: str
    id: Annotated[str, about("The forge's own number.")]
    name: str


@record
class AppInstallation:
    """An installation of a GitHub App that is bound to the organization, and to no other (R42)."""

    id: Annotated[str, about("GitHub's number of it.")]
    account: Annotated[str, about("Who installed the App.")]
    bound_at: datetime


@record
class Registration:
    """A registered integration, without its credentials."""

    id: str
    kind: str
    name: str
    url: Annotated[str, about("Without its query, which may be a secret.")]
    state: Annotated[str, about("`active` or `paused`.")]
    created_at: datetime
    created_by: str
    settings: dict[str, object] = field(default_factory=dict)
    credentials: Annotated[tuple[str, ...], about("Names of the secrets that it holds.")] = ()
    repositories: tuple[RegisteredRepository, ...] = ()
    paused_reason: str = ""
    credential_expires_at: datetime | None = None
    checked_at: Annotated[datetime | None, about("When the third party was asked the last time.")] = None
    findings: Annotated[tuple[str, ...], about("What was wrong then, or should be otherwise.")] = ()
    facts: Annotated[dict[str, object], about("What the third party says of the credential.")] = field(
        default_factory=dict
    )
    failures: Annotated[int, about("Of its target, in a row.")] = 0
    left_alone_until: Annotated[datetime | None, about("Nothing is tried before: its target is down.")] = None
    attachments: int = 0
    waiting: Annotated[int, about("Deliveries that wait.")] = 0
    dead: Annotated[int, about("Deliveries that were given up.")] = 0
    installation: Annotated[
        AppInstallation | None,
        about("Whose webhooks come to this organization; none without an App's key, or when it ended."),
    ] = None
    forged_statuses: Annotated[
        int, about("Statuses under our names in its repositories that somebody else wrote, of the last seven days.")
    ] = 0


@record
class AttachmentRequest:
    """Let a registration be told what happens: in the whole organization, a project, or a workflow of it."""

    registration: Annotated[str, about("Name or id.", maxLength=MAX_NAME)]
    project: Annotated[str | None, about("Narrows it to a project.", maxLength=MAX_NAME)] = None
    workflow: Annotated[str | None, about("Narrows it to a workflow of that project.", maxLength=MAX_NAME)] = None
    events: Annotated[
        tuple[str, ...],
        about(
            "Kinds of events; `*` at the end stands for all that begin so. None: those that the integration is for.",
            maxItems=MAX_EVENTS,
            items={"type": "string", "pattern": EVENT_PATTERN, "maxLength": 64},
        ),
    ] = ()
    settings: Annotated[dict[str, object], about("As the integration's schema says.", maxProperties=100)] = field(
        default_factory=dict
    )


@record
class Attachment:
    """A registration that is told what happens somewhere."""

    id: str
    registration: str
    registration_id: str
    kind: str
    created_at: datetime
    created_by: str
    project: str | None = None
    workflow: str | None = None
    events: tuple[str, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)


@record
class Delivery:
    """One thing that is told to one target because of one event."""

    id: str
    registration: str
    registration_id: str
    event_id: str
    event: Annotated[str, about("Kind of the event.")]
    part: Annotated[str, about("An event may be told in several: `status`, `comment`.")]
    lane: Annotated[str, about("Within a lane the order of events is kept.")]
    state: DeliveryState
    created_at: datetime
    attempts: int = 0
    run_id: str | None = None
    attachment_id: Annotated[str, about("Which attachment wanted it.")] = ""
    next_attempt_at: Annotated[datetime | None, about("While it is pending.")] = None
    finished_at: datetime | None = None
    outcome_code: Annotated[str, about("Of the last try: an HTTP status, or the code of an error.")] = ""
    outcome_detail: str = ""


@record
class DeliveryAttempt:
    """One try."""

    number: int
    at: datetime
    duration_milliseconds: int
    outcome: Annotated[str, about("`delivered`, `retry`, `refused`, `unauthorized`, …")]
    code: str
    detail: str = ""


@record
class DeliveryDetail:
    """A delivery with what it says and everything that was tried."""

    delivery: Delivery
    content: Annotated[Mapping[str, object], about("What is told; the same with every try. No secret is in it.")]
    tries: tuple[DeliveryAttempt, ...] = ()


@record
class EventRecord:
    """Something that happened; integrations are told of it."""

    id: str
    kind: str
    at: datetime
    subject: Annotated[str, about("Id or name of what it happened to.")]
    project_id: str | None = None
    workflow_id: str | None = None
    run_id: str | None = None
    facts: Annotated[dict[str, object], about("Names and values; never a secret.")] = field(default_factory=dict)
