"""How often a job's requests ask the database: what creeps in here is paid by every job of every organization."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import EMPTY_CONTRACT, Job, Key, put_contract, register_key
from tests.integration.server.webhooks import make_hook

Count = Callable[[Callable[[], Any]], list[str]]


@pytest.fixture
def statements(services: Services) -> Count:
    """Return what lists the statements, those that begin a transaction aside, that an accepted request asks."""
    seen: list[str] = []

    @event.listens_for(services.database.engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    def count(send: Callable[[], Any]) -> list[str]:
        seen.clear()
        answer = send()
        assert answer.status_code < 300, answer.text
        return list(seen)

    return count


@pytest.fixture
def bare_job(api: Any, acme: Tenant, key: Key) -> Job:
    """Return a job whose contract asks for nothing; one like it has been there, so that its rows of counters are."""
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    service_account = api(acme.token("attest", "workflow"))
    first, second = (Job(service_account, acme, key, contract=EMPTY_CONTRACT) for _ in range(2))
    first.begin()
    first.push()
    return second


def test_the_crafting_context_takes_three_statements(bare_job: Job, statements: Count) -> None:
    asked = statements(lambda: bare_job.api.get("/crafting-context"))

    assert len(asked) == 3, asked


def test_beginning_a_run_takes_ten_statements(bare_job: Job, statements: Count) -> None:
    asked = statements(bare_job.begin)

    assert len(asked) == 10, asked


def test_storing_an_attestation_takes_seventeen_statements(bare_job: Job, statements: Count) -> None:
    bare_job.begin()

    asked = statements(bare_job.push)

    # Two of them for its commit, which the job before has attested too: the edge, and what is newer of the commit.
    assert len(asked) == 17, asked


def test_taking_a_webhook_takes_two_statements_and_one_commit(
    api: Any, client: Any, clock: Any, acme: Tenant, services: Services, statements: Count
) -> None:
    hook = make_hook(api, client, clock, acme, "github:acme/app")
    run = {"id": 7, "status": "in_progress", "head_sha": "a" * 40, "updated_at": "2026-11-30T06:00:00Z"}
    payload = {"workflow_run": run, "repository": {"id": 1, "full_name": "acme/app"}}

    asked = statements(lambda: hook.github("workflow_run", payload))

    # Whose it is, and its row; the dispatcher does the rest.
    assert [statement.split()[0] for statement in asked] == ["SELECT", "INSERT"]


def test_many_materials_take_one_statement_more(job: Job, statements: Count) -> None:
    job.begin()
    job.add_everything()

    asked = statements(job.push)

    # One for all materials, and one for the first row of a counter; the commit is new.
    assert len(asked) == 18, asked


def test_a_job_writes_in_two_transactions(services: Services, bare_job: Job) -> None:
    seen: list[str] = []

    @event.listens_for(services.database.engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, _values: Any, _context: Any, _many: bool) -> None:
        seen.append(statement)

    bare_job.api.get("/crafting-context")
    bare_job.begin()
    bare_job.push()

    begun = [statement for statement in seen if re.match("BEGIN (IMMEDIATE|ISOLATION LEVEL READ COMMITTED)", statement)]
    assert len(begun) == 2
