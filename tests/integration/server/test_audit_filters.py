"""What an export of one project, or of a time, leaves out and what it has to keep, of every kind of thing there is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, LargeBinary, insert, select
from sqlalchemy.types import Boolean, Integer

from chainloop_ci.api.audit_export import KINDS, TABLES
from server.store.export_filters import table_of
from server.wiring import Services
from tests.integration.server.audit_reading import Read, of, reader_of
from tests.integration.server.conftest import Tenant

BEFORE, FIRST, BETWEEN, LAST, AFTER = (f"2026-11-0{day}T00:00:00.000000Z" for day in range(1, 6))
_PROJECTS = ("app", "other")
_NUMBERS = itertools.count(1)
_MARKS: Mapping[str, str] = {
    "audit_records": "subject",
    "commit_verdicts": "description",
    "contract_revisions": "created_by",
    "deliveries": "lane",
    "events": "subject",
    "inbound_deliveries": "address",
}
"""The column that a row's name stands in; of tables that are not here it is the row's id."""


def _fill(connection: Connection, tenant: Tenant, table: str, mark: str, **given: object) -> Any:
    """Add a row with something in each column that has to have a value; return its primary key."""
    row: dict[str, object] = {}
    for column in table_of(table).columns:
        if column.name == "organization_id":
            row[column.name] = tenant.id
        elif not column.nullable and column.name != "sequence":
            row[column.name] = _some(column.type)
    row |= {_MARKS.get(table, "id"): mark, **given}
    return connection.execute(insert(table_of(table)).values(row)).inserted_primary_key


def _some(kind: object) -> object:
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer):
        return next(_NUMBERS)
    return b"{}" if isinstance(kind, LargeBinary) else f"{next(_NUMBERS)}"


def _fill_project(connection: Connection, tenant: Tenant, project: str) -> None:
    """Add one of everything that a project can have, in every way in which it can be the project's."""
    ids = {"project_id": tenant.projects[project], "workflow_id": tenant.workflows[f"{project}/build"]}

    def add(table: str, mark: str, **given: object) -> Any:
        return _fill(connection, tenant, table, f"{project}: {mark}", **given)

    workflows = table_of("workflows")
    used = connection.execute(select(workflows.c.contract_id).where(workflows.c.id == ids["workflow_id"])).scalar_one()
    add("contract_revisions", "of a workflow", contract_id=used, revision=7)
    add("contracts", "of an old run")
    was_used = {"contract_id": f"{project}: of an old run", "contract_revision": 1}
    add("contract_revisions", "of an old run", contract_id=was_used["contract_id"])
    add("workflow_runs", "run", **ids, **was_used, created_at=BETWEEN)
    add("refused_stores", "of a run", run_id=f"{project}: run")
    add("refused_inits", "of a workflow", workflow_id=ids["workflow_id"])
    add("overrides", "of a workflow", **ids)
    for way in ("told", "attached to the project", "attached to a workflow"):
        add("registrations", way)
    add("attachments", "project", registration_id=f"{project}: attached to the project", project_id=ids["project_id"])
    add("attachments", "workflow", registration_id=f"{project}: attached to a workflow", workflow_id=ids["workflow_id"])
    told = add("events", "told", **ids).sequence
    add("deliveries", "of an event", event_sequence=told, registration_id=f"{project}: told")
    for way in ("registered", "judged"):
        add("sources", way)
    registered = {"workflow_id": ids["workflow_id"], "source_id": f"{project}: registered"}
    columns = {"ci_file": "", "paths": "[]", "grace_seconds": 1, "created_at": BETWEEN}
    connection.execute(insert(table_of("workflow_sources")).values(organization_id=tenant.id, **registered, **columns))
    add("commit_verdicts", "judged", source_id=f"{project}: judged", workflow_id=ids["workflow_id"])
    scope = {"organization_id": tenant.id, "key_id": "key", "project_id": ids["project_id"]}
    connection.execute(insert(table_of("verification_key_scopes")).values(scope))


@pytest.fixture
def read(api: Any, acme: Tenant) -> Read:
    return reader_of(api, acme)


@pytest.fixture
def filled(services: Services, acme: Tenant) -> Tenant:
    with services.database.write() as connection:
        _fill(connection, acme, "verification_keys", "key")
        for project in _PROJECTS:
            _fill_project(connection, acme, project)
        _fill(connection, acme, "registrations", "of nobody")
        _fill(connection, acme, "sources", "of nobody")
        _fill(connection, acme, "audit_records", "of nobody")
        _fill(connection, acme, "inbound_deliveries", "of nobody")
        repository = {"registration_id": "app: told", "host": "h", "repository_id": "1", "name": "acme/app"}
        connection.execute(insert(table_of("registration_repositories")).values(organization_id=acme.id, **repository))
    return acme


EXPECTED: Mapping[str, tuple[str, ...]] = {
    "attachments": ("project", "workflow"),
    "audit_records": (),
    "commit_verdicts": ("judged",),
    "contracts": ("of an old run",),
    "contract_revisions": ("of a workflow", "of an old run"),
    "deliveries": ("of an event",),
    "events": ("told",),
    "inbound_deliveries": (),
    "overrides": ("of a workflow",),
    "refused_inits": ("of a workflow",),
    "refused_stores": ("of a run",),
    "registrations": ("told", "attached to the project", "attached to a workflow"),
    "sources": ("registered", "judged"),
    "workflow_runs": ("run",),
}
"""What is a project's, by table."""


def _marked(rows: list[dict[str, Any]], table: str) -> set[str]:
    """Return the names of the rows that these tests have made."""
    found = {str(row[_MARKS.get(table, "id")]) for row in of(rows, table)}
    return {mark for mark in found if mark == "of nobody" or ": " in mark}


def _whole(read: Read, **query: str) -> list[dict[str, Any]]:
    return [item for kind in KINDS for item in read(kind.name, **query)[0]]


@pytest.mark.parametrize("project", _PROJECTS)
def test_an_export_of_a_project_has_all_that_is_its_own_and_nothing_else(
    read: Read,
    filled: Tenant,
    project: str,
) -> None:
    rows = _whole(read, project=project)

    found = {table: _marked(rows, table) for table in EXPECTED}
    assert found == {table: {f"{project}: {mark}" for mark in marks} for table, marks in EXPECTED.items()}
    assert [row["id"] for row in of(rows, "projects")] == [filled.projects[project]]
    own = {ident for name, ident in filled.workflows.items() if name.startswith(f"{project}/")}
    assert {row["id"] for row in of(rows, "workflows")} == own
    assert {row["workflow_id"] for row in of(rows, "workflow_sources")} <= own


def test_an_export_of_a_project_shows_of_keys_tokens_and_repositories_what_does_not_tell_of_others(
    read: Read,
    filled: Tenant,
) -> None:
    rows = _whole(read, project="app")

    assert [row["project_id"] for row in of(rows, "verification_key_scopes")] == [filled.projects["app"]]
    assert {row["project_id"] for row in of(rows, "api_tokens")} == {filled.projects["app"], None}
    # Which repositories of a registration are the project's cannot be told.
    assert of(rows, "registration_repositories") == []
    assert len(of(_whole(read), "registration_repositories")) == 1


def test_an_export_without_a_project_has_everything(read: Read, filled: Tenant) -> None:
    rows = _whole(read)

    found = {table: _marked(rows, table) for table in EXPECTED}
    of_nobody = {"registrations", "sources", "audit_records", "inbound_deliveries"}
    assert found == {
        table: {f"{project}: {mark}" for project in _PROJECTS for mark in marks}
        | ({"of nobody"} if table in of_nobody else set())
        for table, marks in EXPECTED.items()
    }


def _references(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, object]]:
    """Yield each value that refers to another table, with what it refers to."""
    for item in rows:
        for column, (table, target) in TABLES[item["table"]].refers.items():
            if item["row"][column] is not None:
                yield table, target, item["row"][column]


@pytest.mark.parametrize("query", [{}, {"project": "app"}, {"since": FIRST, "until": LAST}])
def test_what_an_export_refers_to_is_in_it(read: Read, filled: Tenant, query: dict[str, str]) -> None:
    rows = _whole(read, **query)

    there = {(item["table"], name, value) for item in rows for name, value in item["row"].items() if value is not None}
    referred = set(_references(rows))
    assert len(referred) > 10
    assert referred - there == set()


MOMENTS = {"before": BEFORE, "first": FIRST, "between": BETWEEN, "last": LAST, "after": AFTER}
OF_TIME = (
    "audit_records", "commit_verdicts", "deliveries", "events", "inbound_deliveries", "refused_inits", "refused_stores",
    "workflow_runs",
)  # fmt: skip


@pytest.fixture
def timed(services: Services, acme: Tenant) -> None:
    """Make one of every kind of thing that has a time, at each moment."""
    ids = {"project_id": acme.projects["app"], "workflow_id": acme.workflows["app/build"]}
    with services.database.write() as connection:
        workflows = table_of("workflows")
        query = select(workflows.c.contract_id).where(workflows.c.id == ids["workflow_id"])
        contract = {"contract_id": connection.execute(query).scalar_one(), "contract_revision": 1}
        _fill(connection, acme, "registrations", "told")
        _fill(connection, acme, "sources", "judged")
        for name, moment in MOMENTS.items():
            mark = f"at: {name}"
            _fill(connection, acme, "audit_records", mark, at=moment)
            _fill(connection, acme, "inbound_deliveries", mark, received_at=moment)
            _fill(connection, acme, "refused_inits", mark, at=moment, workflow_id=ids["workflow_id"])
            _fill(connection, acme, "commit_verdicts", mark, changed_at=moment, source_id="judged", sha=name)
            # These belong to an event or a run, whenever they come themselves.
            told = _fill(connection, acme, "events", mark, at=moment, **ids).sequence
            _fill(connection, acme, "deliveries", mark, event_sequence=told, registration_id="told", created_at=AFTER)
            _fill(connection, acme, "workflow_runs", mark, created_at=moment, **ids, **contract)
            _fill(connection, acme, "refused_stores", mark, run_id=mark, at=AFTER)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"since": FIRST, "until": LAST}, {"first", "between", "last"}),
        ({"since": LAST}, {"last", "after"}),
        ({"until": FIRST}, {"before", "first"}),
    ],
    ids=["since-and-until", "since", "until"],
)
@pytest.mark.usefixtures("timed")
def test_an_export_of_a_time_has_what_was_then_its_ends_included(
    read: Read,
    query: dict[str, str],
    expected: set[str],
) -> None:
    rows = _whole(read, **query)

    found = {table: _marked(rows, table) for table in OF_TIME}
    assert found == {table: {f"at: {name}" for name in expected} for table in OF_TIME}
