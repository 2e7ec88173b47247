"""Queries of sources and of the workflows that come from them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, tuple_, update

from chainloop_ci.api.runs import RunState
from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.paging import Key
from server.model.principal import Reach
from server.model.sources import ExpectedRuns, StoredSource, StoredWorkflowSource
from server.store.event_tables import registration_repositories, registrations
from server.store.source_tables import sources, workflow_sources
from server.store.tables import projects, workflow_runs, workflows
from server.store.times import from_text, to_text


def find(connection: Connection, organization_id: str, source_id: str) -> StoredSource | None:
    """Return a source of the organization, or None."""
    row = connection.execute(_find(), {"organization": organization_id, "source": source_id}).first()
    return to_source(row) if row else None


def find_by_address(connection: Connection, organization_id: str, address: SourceAddress) -> StoredSource | None:
    """Return the organization's source at that address, in whatever spelling, or None."""
    own = (sources.c.organization_id == organization_id, sources.c.kind == address.kind.value)
    row = connection.execute(select(sources).where(*own, sources.c.address_key == address.key)).first()
    return to_source(row) if row else None


def find_by_repository(
    connection: Connection, organization_id: str, address: SourceAddress, repository_id: str | None
) -> StoredSource | None:
    """Return the organization's source of a repository: by the forge's own id, else by its address; None: it has none.

    A repository keeps its id when it is renamed.
    """
    own = (sources.c.organization_id == organization_id, sources.c.kind == address.kind.value)
    known = select(sources).where(*own, sources.c.host == address.host, sources.c.repository_id == repository_id)
    row = connection.execute(known).first() if repository_id else None
    return to_source(row) if row else find_by_address(connection, organization_id, address)


def list_page(connection: Connection, reach: Reach, *, after: Key | None, limit: int) -> list[tuple[StoredSource, int]]:
    """Return the sources in reach, newest first, each with the number of workflows in reach that come from it."""
    held = select(func.count()).select_from(
        workflow_sources.join(workflows, workflows.c.id == workflow_sources.c.workflow_id)
    )
    held = held.where(workflow_sources.c.source_id == sources.c.id, *_of_workflows(reach))
    count = held.scalar_subquery()
    order = (sources.c.created_at, sources.c.id)
    query = select(sources, count.label("workflows")).where(sources.c.organization_id == reach.organization_id)
    if not reach.is_whole:
        query = query.where(count > 0)
    if after:
        query = query.where(tuple_(*order) < tuple_(*after))
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return [(to_source(row), row.workflows) for row in connection.execute(query)]


def count(connection: Connection, organization_id: str) -> int:
    """Return how many sources the organization has."""
    query = select(func.count()).select_from(sources).where(sources.c.organization_id == organization_id)
    return int(connection.execute(query).scalar_one())


def add(connection: Connection, source: StoredSource) -> None:
    """Insert a source."""
    address = source.address
    connection.execute(
        insert(sources).values(
            id=source.id,
            organization_id=source.organization_id,
            kind=address.kind.value,
            host=address.host,
            repository=address.repository,
            address_key=address.key,
            created_at=to_text(source.created_at),
            **_learned(source),
        )
    )


def save(connection: Connection, source: StoredSource) -> None:
    """Write what the forge told of a source."""
    own = (sources.c.organization_id == source.organization_id, sources.c.id == source.id)
    connection.execute(update(sources).where(*own).values(**_learned(source)))


def save_hook(connection: Connection, source: StoredSource, hook_id: str | None) -> None:
    """Write the forge's number of our webhook."""
    own = (sources.c.organization_id == source.organization_id, sources.c.id == source.id)
    connection.execute(update(sources).where(*own).values(hook_id=hook_id))


def remove(connection: Connection, source: StoredSource) -> None:
    """Delete a source that no workflow comes from; one whose webhooks may have come stays, with what they told."""
    own = (sources.c.organization_id == source.organization_id, sources.c.id == source.id)
    connection.execute(delete(sources).where(*own, sources.c.hook_secret.is_(None)))


def find_of_workflow(connection: Connection, organization_id: str, workflow_id: str) -> StoredWorkflowSource | None:
    """Return the source of a workflow, or None."""
    row = connection.execute(_find_of_workflow(), {"organization": organization_id, "workflow": workflow_id}).first()
    return _binding(row) if row else None


def names_from(connection: Connection, source: StoredSource) -> list[tuple[str, str, str]]:
    """Return id, project and name of every workflow that comes from a source."""
    query = (
        select(workflows.c.id, projects.c.name.label("project"), workflows.c.name)
        .join(workflow_sources, workflow_sources.c.workflow_id == workflows.c.id)
        .join(projects, projects.c.id == workflows.c.project_id)
        .where(workflows.c.organization_id == source.organization_id, workflow_sources.c.source_id == source.id)
        .order_by(workflows.c.id)
    )
    return [(row.id, row.project, row.name) for row in connection.execute(query)]


def list_bindings(connection: Connection, source: StoredSource) -> list[tuple[StoredWorkflowSource, str, str]]:
    """Return every workflow that comes from a source, with the names of its project and of itself."""
    place = {"organization": source.organization_id, "source": source.id}
    return [(_binding(row), row.project, row.workflow) for row in connection.execute(_list_bindings(), place)]


def list_addresses(connection: Connection, organization_id: str, source_ids: Iterable[str]) -> dict[str, str]:
    """Return the addresses of sources of the organization, by their ids."""
    own = (sources.c.organization_id == organization_id, sources.c.id.in_(list(source_ids)))
    return {row.id: str(to_source(row).address) for row in connection.execute(select(sources).where(*own))}


def bind(connection: Connection, bound: StoredWorkflowSource) -> None:
    """Give a workflow its source, in the place of the one that it has."""
    unbind(connection, bound.source.organization_id, bound.workflow_id)
    expected = bound.expected
    connection.execute(
        insert(workflow_sources).values(
            workflow_id=bound.workflow_id,
            organization_id=bound.source.organization_id,
            source_id=bound.source.id,
            ci_file=expected.ci_file,
            branch=expected.branch,
            event=expected.event,
            paths=json.dumps(expected.paths),
            cadence_seconds=expected.cadence_seconds,
            grace_seconds=expected.grace_seconds,
            created_at=to_text(bound.created_at),
        )
    )


def unbind(connection: Connection, organization_id: str, workflow_id: str) -> None:
    """Take a workflow's source from it; the source itself stays."""
    columns = workflow_sources.c
    own = (columns.organization_id == organization_id, columns.workflow_id == workflow_id)
    connection.execute(delete(workflow_sources).where(*own))


def find_first_claim(connection: Connection, organization_id: str, workflow_id: str) -> str | None:
    """Return the id of the first run whose attestation was stored and whose CI system can be a source, or None."""
    columns = workflow_runs.c
    query = select(columns.id).where(
        columns.organization_id == organization_id,
        columns.workflow_id == workflow_id,
        columns.state == RunState.SUCCESS.value,
        columns.ci_provider.in_([kind.value for kind in SourceKind]),
    )
    row = connection.execute(query.order_by(columns.sequence).limit(1)).first()
    return str(row.id) if row else None


def find_bound(connection: Connection, organization_id: str, address: SourceAddress) -> tuple[str, str] | None:
    """Return the organization's registration that lists a repository, and the forge's id of that, or None (R44)."""
    listed = registration_repositories.c
    query = (
        select(listed.registration_id, listed.repository_id)
        .join(registrations, registrations.c.id == listed.registration_id)
        .where(
            listed.organization_id == organization_id,
            registrations.c.kind == address.kind.value,
            registrations.c.removed_at.is_(None),
            listed.host == address.host,
            func.lower(listed.name) == address.repository.lower(),
        )
        .order_by(registrations.c.created_at, registrations.c.id)
        .limit(1)
    )
    row = connection.execute(query).first()
    return (row.registration_id, row.repository_id) if row else None


def _of_workflows(reach: Reach) -> list[Any]:
    scope = [workflows.c.organization_id == reach.organization_id]
    if reach.project_id is not None:
        scope.append(workflows.c.project_id == reach.project_id)
    if reach.workflow_id is not None:
        scope.append(workflows.c.id == reach.workflow_id)
    return scope


@cache
def _find() -> Select[Any]:
    """Return the query; made once like those below, since the dispatcher asks it for every event of a commit."""
    return select(sources).where(
        sources.c.organization_id == bindparam("organization"), sources.c.id == bindparam("source")
    )


@cache
def _find_of_workflow() -> Select[Any]:
    return _bindings().where(workflow_sources.c.workflow_id == bindparam("workflow"))


@cache
def _list_bindings() -> Select[Any]:
    return (
        _bindings()
        .add_columns(projects.c.name.label("project"), workflows.c.name.label("workflow"))
        .join(workflows, workflows.c.id == workflow_sources.c.workflow_id)
        .join(projects, projects.c.id == workflows.c.project_id)
        .where(workflow_sources.c.source_id == bindparam("source"))
        .order_by(workflows.c.id)
    )


def _bindings() -> Select[Any]:
    names = ("workflow_id", "ci_file", "branch", "event", "paths", "cadence_seconds", "grace_seconds")
    own = [workflow_sources.c[name] for name in names]
    return (
        select(sources, *own, workflow_sources.c.created_at.label("bound_at"))
        .join(workflow_sources, workflow_sources.c.source_id == sources.c.id)
        .where(workflow_sources.c.organization_id == bindparam("organization"))
    )


def _learned(source: StoredSource) -> dict[str, Any]:
    return {name: getattr(source, name) for name in _LEARNED}


_LEARNED = (
    "repository_id",
    "default_branch",
    "hook_id",
    "registration_id",
    "is_public",
    "names_in_public",
    "untrusted_heads_pass",
    "token_is_protected",
)


def to_source(row: Row[Any]) -> StoredSource:
    """Return the record of a row of `sources`."""
    return StoredSource(
        id=row.id,
        organization_id=row.organization_id,
        address=SourceAddress(SourceKind(row.kind), row.host, row.repository),
        created_at=from_text(row.created_at),
        **{name: getattr(row, name) for name in _LEARNED},
    )


def _binding(row: Row[Any]) -> StoredWorkflowSource:
    return StoredWorkflowSource(
        workflow_id=row.workflow_id,
        source=to_source(row),
        expected=ExpectedRuns(
            ci_file=row.ci_file,
            branch=row.branch,
            event=row.event,
            paths=tuple(json.loads(row.paths)),
            cadence_seconds=row.cadence_seconds,
            grace_seconds=row.grace_seconds,
        ),
        created_at=from_text(row.bound_at),
    )
