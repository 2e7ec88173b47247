"""Which rows of a kind an export is kept to: an organization, a project, a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, false, or_, select

from server.model.export_rules import ExportFilter
from server.store.event_tables import attachments, deliveries, events, registrations
from server.store.inbound_tables import inbound_deliveries
from server.store.metadata import metadata
from server.store.source_tables import sources, workflow_sources
from server.store.tables import (
    api_tokens,
    audit_records,
    commit_verdicts,
    contract_revisions,
    contracts,
    organizations,
    overrides,
    projects,
    refused_inits,
    refused_stores,
    verification_key_scopes,
    workflow_runs,
    workflows,
)
from server.store.times import to_text

Condition = ColumnElement[bool]


def table_of(name: str) -> Table:
    """Return the table of that name."""
    return metadata.tables[name]


def conditions_of(table: Table, wanted: ExportFilter) -> Iterator[Condition]:
    """Return what the rows of a kind's root have to be; the organization is always among it."""
    yield (organizations.c.id if table is organizations else table.c.organization_id) == wanted.organization_id
    if wanted.project_id is not None and table.name in _OF_PROJECT:
        yield _OF_PROJECT[table.name](wanted.project_id)
    if (wanted.since or wanted.until) and table.name in _OF_TIME:
        yield _OF_TIME[table.name](wanted)


def part_conditions(table: Table, wanted: ExportFilter) -> Iterator[Condition]:
    """Return what the rows of a part have to be besides belonging to their root."""
    yield table.c.organization_id == wanted.organization_id
    if wanted.project_id is None:
        return
    if table is verification_key_scopes:
        yield table.c.project_id == wanted.project_id
    if table.name == "registration_repositories":
        # Which of them are the project's cannot be told.
        yield false()


def _workflows(project_id: str) -> Select[Any]:
    return select(workflows.c.id).where(workflows.c.project_id == project_id)


def _events(project_id: str) -> Select[Any]:
    return select(events.c.sequence).where(events.c.project_id == project_id)


def _contracts(project_id: str) -> Select[Any]:
    used = select(workflows.c.contract_id).where(workflows.c.project_id == project_id)
    was_used = select(workflow_runs.c.contract_id).where(workflow_runs.c.project_id == project_id)
    return used.union(was_used).subquery().select()


def _attachment(project_id: str) -> Condition:
    return or_(attachments.c.project_id == project_id, attachments.c.workflow_id.in_(_workflows(project_id)))


def _registration(project_id: str) -> Condition:
    told = select(deliveries.c.registration_id).where(deliveries.c.event_sequence.in_(_events(project_id)))
    attached = select(attachments.c.registration_id).where(_attachment(project_id))
    return or_(registrations.c.id.in_(told), registrations.c.id.in_(attached))


def _source(project_id: str) -> Condition:
    registered = select(workflow_sources.c.source_id).where(workflow_sources.c.workflow_id.in_(_workflows(project_id)))
    judged = select(commit_verdicts.c.source_id).where(commit_verdicts.c.workflow_id.in_(_workflows(project_id)))
    return or_(sources.c.id.in_(registered), sources.c.id.in_(judged))


def _of_run(project_id: str) -> Condition:
    own = select(workflow_runs.c.id).where(workflow_runs.c.project_id == project_id)
    return refused_stores.c.run_id.in_(own)


_OF_PROJECT: Mapping[str, Callable[[str], Condition]] = {
    "api_tokens": lambda project: or_(api_tokens.c.project_id == project, api_tokens.c.project_id.is_(None)),
    "attachments": _attachment,
    # These two do not say which project they are about.
    "audit_records": lambda project: false(),
    "inbound_deliveries": lambda project: false(),
    "commit_verdicts": lambda project: commit_verdicts.c.workflow_id.in_(_workflows(project)),
    "contract_revisions": lambda project: contract_revisions.c.contract_id.in_(_contracts(project)),
    "contracts": lambda project: contracts.c.id.in_(_contracts(project)),
    "deliveries": lambda project: deliveries.c.event_sequence.in_(_events(project)),
    "events": lambda project: events.c.project_id == project,
    "overrides": lambda project: overrides.c.project_id == project,
    "projects": lambda project: projects.c.id == project,
    "refused_inits": lambda project: refused_inits.c.workflow_id.in_(_workflows(project)),
    "refused_stores": _of_run,
    "registrations": _registration,
    "sources": _source,
    "workflow_runs": lambda project: workflow_runs.c.project_id == project,
    "workflows": lambda project: workflows.c.project_id == project,
}
"""Public keys are handed out whole: who has only some of them cannot tell a stranger's signature from another's."""


def _between(column: ColumnElement[Any], wanted: ExportFilter) -> Condition:
    bounds = [column >= to_text(wanted.since)] if wanted.since else []
    bounds += [column <= to_text(wanted.until)] if wanted.until else []
    first, *rest = bounds
    return first & rest[0] if rest else first


def _refused_then(wanted: ExportFilter) -> Condition:
    begun = select(workflow_runs.c.id).where(
        workflow_runs.c.organization_id == wanted.organization_id, _between(workflow_runs.c.created_at, wanted)
    )
    return refused_stores.c.run_id.in_(begun)


def _told_then(wanted: ExportFilter) -> Condition:
    happened = select(events.c.sequence).where(
        events.c.organization_id == wanted.organization_id, _between(events.c.at, wanted)
    )
    return deliveries.c.event_sequence.in_(happened)


_OF_TIME: Mapping[str, Callable[[ExportFilter], Condition]] = {
    "audit_records": lambda wanted: _between(audit_records.c.at, wanted),
    "commit_verdicts": lambda wanted: _between(commit_verdicts.c.changed_at, wanted),
    # What belongs to a run or an event comes and stays away with it.
    "deliveries": _told_then,
    "events": lambda wanted: _between(events.c.at, wanted),
    "inbound_deliveries": lambda wanted: _between(inbound_deliveries.c.received_at, wanted),
    "refused_inits": lambda wanted: _between(refused_inits.c.at, wanted),
    "refused_stores": _refused_then,
    "workflow_runs": lambda wanted: _between(workflow_runs.c.created_at, wanted),
}
"""Kinds that are handed out whole do not stand here: what runs refer to may be older than they are."""
