"""Queries of registrations, the repositories that they speak for, and their attachments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, tuple_, update

from server.model.deliveries import Breaker
from server.model.event_repository import EventRepository
from server.model.integrations import BoundRepository, RegistrationState, StoredAttachment, StoredRegistration
from server.model.paging import Key
from server.store.event_tables import attachments, registration_repositories, registrations
from server.store.tables import projects, workflows
from server.store.times import from_text, optional_text, optional_time, to_text

_PLAIN = ("id", "organization_id", "kind", "name", "created_by", "host", "sealed", "paused_reason")


def add(connection: Connection, registration: StoredRegistration) -> None:
    """Insert a registration with its repositories."""
    connection.execute(
        insert(registrations).values(
            **{name: getattr(registration, name) for name in ("id", "organization_id", "kind", "name", "created_by")},
            created_at=to_text(registration.created_at),
            **_changing(registration),
        )
    )
    _save_repositories(connection, registration)


def save(connection: Connection, registration: StoredRegistration) -> None:
    """Write what may change of a registration, its repositories too."""
    connection.execute(update(registrations).where(*_is(registration)).values(**_changing(registration)))
    connection.execute(
        delete(registration_repositories).where(
            registration_repositories.c.registration_id == registration.id,
            registration_repositories.c.organization_id == registration.organization_id,
        )
    )
    _save_repositories(connection, registration)


def save_breaker(connection: Connection, registration_id: str, breaker: Breaker) -> None:
    """Write how the target has behaved; the id is unique on the whole server."""
    changed = {"failures": breaker.failures, "open_until": optional_text(breaker.open_until)}
    connection.execute(update(registrations).where(registrations.c.id == registration_id).values(**changed))


def find(connection: Connection, organization_id: str, registration_id: str) -> StoredRegistration | None:
    """Return a registration of the organization, a removed one too, or None."""
    own = registrations.c.organization_id == organization_id
    row = connection.execute(select(registrations).where(registrations.c.id == registration_id, own)).first()
    return _with_repositories(connection, [row])[0] if row else None


def find_by_name(connection: Connection, organization_id: str, name: str) -> StoredRegistration | None:
    """Return the registration of that name which was not removed, or None."""
    row = connection.execute(_kept(organization_id).where(registrations.c.name == name)).first()
    return _with_repositories(connection, [row])[0] if row else None


def get_any(connection: Connection, registration_id: str) -> StoredRegistration:
    """Return a registration of any organization: the dispatcher serves all of them."""
    row = connection.execute(select(registrations).where(registrations.c.id == registration_id)).one()
    return _with_repositories(connection, [row])[0]


def find_breaker(connection: Connection, registration_id: str) -> Breaker:
    """Return how the target has behaved until now; the id is unique on the whole server."""
    columns = (registrations.c.failures, registrations.c.open_until)
    row = connection.execute(select(*columns).where(registrations.c.id == registration_id)).one()
    return Breaker(row.failures, optional_time(row.open_until))


def list_kept_of_all(connection: Connection, *, after: str = "", limit: int) -> list[StoredRegistration]:
    """Return registrations of all organizations by id: the dispatcher checks all of them."""
    query = select(registrations).where(registrations.c.removed_at.is_(None), registrations.c.id > after)
    return _with_repositories(connection, connection.execute(query.order_by(registrations.c.id).limit(limit)).all())


def count(connection: Connection, organization_id: str) -> int:
    """Return how many registrations the organization has."""
    return int(connection.execute(select(func.count()).select_from(_kept(organization_id).subquery())).scalar_one())


def list_page(
    connection: Connection, organization_id: str, *, after: Key | None, limit: int
) -> list[StoredRegistration]:
    """Return registrations that were not removed, newest first."""
    columns = registrations.c
    query = _kept(organization_id)
    if after is not None:
        query = query.where(tuple_(columns.created_at, columns.id) < tuple_(*after))
    rows = connection.execute(query.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)).all()
    return _with_repositories(connection, rows)


def add_attachment(connection: Connection, attachment: StoredAttachment) -> None:
    """Insert an attachment."""
    plain = ("id", "organization_id", "registration_id", "project_id", "workflow_id", "created_by")
    connection.execute(
        insert(attachments).values(
            **{name: getattr(attachment, name) for name in plain},
            created_at=to_text(attachment.created_at),
            **_attachment_changing(attachment),
        )
    )


def save_attachment(connection: Connection, attachment: StoredAttachment) -> None:
    """Write what may change of an attachment."""
    own = attachments.c.organization_id == attachment.organization_id
    changed = update(attachments).where(attachments.c.id == attachment.id, own)
    connection.execute(changed.values(**_attachment_changing(attachment)))


def find_attachment(connection: Connection, organization_id: str, attachment_id: str) -> StoredAttachment | None:
    """Return an attachment of the organization, a removed one too, or None."""
    own = attachments.c.organization_id == organization_id
    row = connection.execute(_attachments().where(attachments.c.id == attachment_id, own)).first()
    return _attachment(row) if row else None


def count_attachments(connection: Connection, organization_id: str, registration_ids: Sequence[str]) -> dict[str, int]:
    """Return how many attachments registrations have; those without any are not in it."""
    place = attachments.c
    own = (place.organization_id == organization_id, place.registration_id.in_(registration_ids))
    query = select(place.registration_id, func.count()).where(*own, place.removed_at.is_(None))
    return {row[0]: row[1] for row in connection.execute(query.group_by(place.registration_id))}


def remove_attachments_of(connection: Connection, organization_id: str, workflow_id: str) -> int:
    """Delete the attachments of a workflow that is being deleted, and return how many there were."""
    own = (attachments.c.organization_id == organization_id, attachments.c.workflow_id == workflow_id)
    return connection.execute(delete(attachments).where(*own)).rowcount


def list_attachments(
    connection: Connection, organization_id: str, *, registration_id: str | None = None
) -> list[StoredAttachment]:
    """Return the attachments that were not removed, in the order in which they were made."""
    query = _attachments().where(
        attachments.c.organization_id == organization_id,
        attachments.c.removed_at.is_(None),
        registrations.c.removed_at.is_(None),
    )
    if registration_id is not None:
        query = query.where(attachments.c.registration_id == registration_id)
    ordered = query.order_by(attachments.c.created_at, attachments.c.id)
    return [_attachment(row) for row in connection.execute(ordered)]


def _kept(organization_id: str) -> Select[Any]:
    own = registrations.c.organization_id == organization_id
    return select(registrations).where(own, registrations.c.removed_at.is_(None))


def _is(registration: StoredRegistration) -> Iterable[Any]:
    return (registrations.c.id == registration.id, registrations.c.organization_id == registration.organization_id)


def _changing(registration: StoredRegistration) -> dict[str, Any]:
    return {
        "host": registration.host,
        "settings": json.dumps(registration.settings, sort_keys=True),
        "sealed": registration.sealed,
        "credential_names": json.dumps(registration.credential_names),
        "facts": json.dumps(registration.facts, sort_keys=True),
        "credential_expires_at": optional_text(registration.credential_expires_at),
        "state": registration.state.value,
        "paused_reason": registration.paused_reason,
        "failures": registration.breaker.failures,
        "open_until": optional_text(registration.breaker.open_until),
        "checked_at": optional_text(registration.checked_at),
        "findings": json.dumps(registration.findings),
        "removed_at": optional_text(registration.removed_at),
    }


def _save_repositories(connection: Connection, registration: StoredRegistration) -> None:
    if not registration.repositories:
        return
    rows = [
        {
            "registration_id": registration.id,
            "organization_id": registration.organization_id,
            "host": item.host,
            "repository_id": item.repository_id,
            "name": item.name,
        }
        for item in registration.repositories
    ]
    connection.execute(insert(registration_repositories), rows)


def list_speakers(connection: Connection, organization_id: str, place: EventRepository) -> frozenset[str]:
    """Return the registrations of the organization that list a repository (R44)."""
    of = registration_repositories.c
    is_it = of.repository_id == place.id if place.id is not None else func.lower(of.name) == (place.name or "").lower()
    query = select(of.registration_id).where(of.organization_id == organization_id, of.host == place.host, is_it)
    return frozenset(row.registration_id for row in connection.execute(query))


def _with_repositories(connection: Connection, rows: Sequence[Row[Any]]) -> list[StoredRegistration]:
    place = registration_repositories.c
    query = select(registration_repositories).where(place.registration_id.in_([row.id for row in rows]))
    bound: dict[str, list[BoundRepository]] = {}
    for found in connection.execute(query.order_by(place.host, place.name)):
        repository = BoundRepository(found.host, found.repository_id, found.name)
        bound.setdefault(found.registration_id, []).append(repository)
    return [_record(row, tuple(bound.get(row.id, ()))) for row in rows]


def _record(row: Row[Any], repositories: tuple[BoundRepository, ...]) -> StoredRegistration:
    return StoredRegistration(
        **{name: getattr(row, name) for name in _PLAIN},
        created_at=from_text(row.created_at),
        settings=json.loads(row.settings),
        credential_names=tuple(json.loads(row.credential_names)),
        facts=json.loads(row.facts),
        credential_expires_at=optional_time(row.credential_expires_at),
        state=RegistrationState(row.state),
        breaker=Breaker(row.failures, optional_time(row.open_until)),
        checked_at=optional_time(row.checked_at),
        findings=tuple(json.loads(row.findings)),
        removed_at=optional_time(row.removed_at),
        repositories=repositories,
    )


def _attachments() -> Select[Any]:
    joined = (
        attachments.join(registrations, registrations.c.id == attachments.c.registration_id)
        .outerjoin(projects, projects.c.id == attachments.c.project_id)
        .outerjoin(workflows, workflows.c.id == attachments.c.workflow_id)
    )
    return select(
        attachments,
        registrations.c.kind,
        registrations.c.name.label("registration"),
        projects.c.name.label("project"),
        workflows.c.name.label("workflow"),
    ).select_from(joined)


def _attachment_changing(attachment: StoredAttachment) -> dict[str, Any]:
    return {
        "events": json.dumps(attachment.events),
        "settings": json.dumps(attachment.settings, sort_keys=True),
        "removed_at": optional_text(attachment.removed_at),
    }


def _attachment(row: Row[Any]) -> StoredAttachment:
    plain = ("id", "organization_id", "registration_id", "kind", "created_by", "project_id", "workflow_id")
    return StoredAttachment(
        **{name: getattr(row, name) for name in plain},
        created_at=from_text(row.created_at),
        events=tuple(json.loads(row.events)),
        settings=json.loads(row.settings),
        removed_at=optional_time(row.removed_at),
        registration=row.registration,
        project=row.project,
        workflow=row.workflow,
    )


def pause(connection: Connection, registration_id: str, reason: str) -> bool:
    """Stop an active registration of any organization; tell whether it was active."""
    active = registrations.c.state == RegistrationState.ACTIVE.value
    changed = update(registrations).where(registrations.c.id == registration_id, active)
    values = {"state": RegistrationState.PAUSED.value, "paused_reason": reason}
    return bool(connection.execute(changed.values(**values)).rowcount)


def note_check(
    connection: Connection,
    registration: StoredRegistration,
    at: datetime,
    findings: Sequence[str],
    expires_at: datetime | None,
    facts: Mapping[str, object],
) -> None:
    """Write down what a check of the credential found."""
    changed = update(registrations).where(*_is(registration))
    connection.execute(
        changed.values(
            checked_at=to_text(at),
            findings=json.dumps(list(findings)),
            credential_expires_at=optional_text(expires_at),
            facts=json.dumps(facts, sort_keys=True),
        )
    )
