"""What forges told long ago is forgotten, except what a verdict or a gate still follows from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from server.model.forge_facts import LONG_AGO, CiStatus
from server.model.forged_statuses import ForgedStatus
from server.model.gate_requests import GateState, StoredGateRequest
from server.services.forge_retention import BATCH, LEAST, forget_forge_facts
from server.store import forge_retention, forged_statuses, gate_requests, sources
from server.store.forge_retention import FORGETTABLE
from server.store.tables import ci_jobs, ci_runs, heads
from server.store.tables import forged_statuses as forged_table
from server.store.tables import gate_requests as gates_table
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import COMMIT, Job
from tests.integration.server.judged import Repository
from tests.integration.server.test_gate_requests import register

RETENTION = timedelta(days=90)
OTHER = "b" * 40


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def forget(services: Services, clock: Clock) -> Callable[..., dict[str, int]]:
    """Return what lets time pass, forgets, and says how much that was."""

    def passed(retention: timedelta = RETENTION, **span: float) -> dict[str, int]:
        clock.advance(**(span or {"days": 91}))
        done: dict[str, int] = {}
        for counts in forget_forge_facts(services.database, clock(), retention):
            for name, number in counts.items():
                done[name] = done.get(name, 0) + number
        return done

    return passed


def rows(services: Services, table: Any) -> int:
    with services.database.read() as connection:
        return len(connection.execute(select(table)).all())


def change(repository: Repository, sha: str = COMMIT, **more: Any) -> None:
    """Hear of a pull request's head that is closed, with a CI run on it that has ended."""
    repository.see_head(sha, event="pull_request", pull_request="7", branch="feature", is_open=False, **more)
    repository.end_run(f"run of {sha[:4]}", sha=sha)


def test_a_closed_change_that_nobody_attested_goes_with_its_ci_runs_and_jobs(
    services: Services, repository: Repository, forget: Any
) -> None:
    change(repository)
    assert forget(days=89) == {}

    assert forget(days=2) == {"heads": 1, "ci_runs": 1}

    assert [rows(services, table) for table in (heads, ci_runs, ci_jobs)] == [0, 0, 0]


def test_what_a_run_was_confirmed_by_stays_and_its_verdict_with_it(
    services: Services, repository: Repository, forget: Any, job: Job, clock: Clock
) -> None:
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="feature")
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)
    clock.advance(minutes=1)
    repository.end_run()
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="feature", is_open=False)
    assert repository.kind() == "success"

    assert forget(days=400) == {}

    # Judged anew it is what it was.
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="feature", is_open=False)
    assert repository.kind() == "success"


@pytest.mark.parametrize(
    "told",
    [{"sha": OTHER}, {"sha": "", "status": CiStatus.QUEUED, "told_at": LONG_AGO, "ended_at": None}],
    ids=["of another commit", "unknown to the forge"],
)
def test_r30_what_contradicts_a_claim_stays(
    services: Services, repository: Repository, forget: Any, job: Job, told: dict[str, Any]
) -> None:
    """R30: a claim that the forge has denied is not merely unconfirmed again some months later."""
    job.begin()
    repository.end_run(**told)

    assert forget(days=400) == {}

    assert rows(services, ci_runs) == 1


@pytest.mark.parametrize(("said", "unsaid"), [("ci_head_sha", "attested_commit"), ("attested_commit", "ci_head_sha")])
def test_what_was_told_of_a_commit_that_a_run_names_in_any_way_stays(
    services: Services, repository: Repository, forget: Any, job: Job, said: str, unsaid: str
) -> None:
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)
    with services.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE workflow_runs SET ci_run_id = NULL, {said} = '{COMMIT}', {unsaid} = NULL")
    repository.end_run("78")

    assert forget(days=400) == {}


def test_a_ci_run_that_was_told_of_just_now_stays_whatever_time_it_names(repository: Repository, forget: Any) -> None:
    repository.end_run(sha="", told_at=LONG_AGO)

    assert forget(days=30) == {}


@pytest.mark.parametrize(
    "head",
    [
        {"event": "pull_request", "pull_request": "7", "branch": "feature", "is_open": True},
        {"event": "push", "branch": "main", "is_open": False},
    ],
    ids=["open", "of the default branch"],
)
def test_a_head_that_somebody_may_still_ask_for_stays_and_so_do_its_ci_runs(
    services: Services, repository: Repository, forget: Any, head: dict[str, Any]
) -> None:
    repository.see_head(COMMIT, **head)
    repository.end_run()

    assert forget(days=400) == {}

    assert [rows(services, table) for table in (heads, ci_runs, ci_jobs)] == [1, 1, 1]


def test_a_head_whose_verdict_still_waits_for_its_time_stays(
    services: Services, repository: Repository, forget: Any, acme: Tenant
) -> None:
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="feature")
    said = repository.said()
    assert said is not None
    assert said.holds_until is not None
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="feature", is_open=False)

    waiting = forget(days=91)
    repository.settle()

    assert waiting == {}
    assert forget(days=1) == {"heads": 1}


def test_a_push_to_a_branch_goes_where_the_default_branch_is_known(
    services: Services, repository: Repository, forget: Any
) -> None:
    repository.see_head(COMMIT, event="push", branch="feature", is_open=False)

    assert forget() == {"heads": 1}


def test_a_push_stays_while_nobody_knows_which_branch_is_the_default(
    services: Services, repository: Repository, forget: Any
) -> None:
    with services.database.write() as connection:
        source = sources.find(connection, repository.tenant.id, repository.source_id)
        assert source is not None
        sources.save(connection, replace(source, default_branch=None))
    repository.see_head(COMMIT, event="push", branch="feature", is_open=False)

    assert forget() == {}


def test_a_closed_change_goes_although_its_own_branch_is_called_as_the_default_one(
    repository: Repository, forget: Any
) -> None:
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="main", is_fork=True, is_open=False)

    assert forget() == {"heads": 1}


def test_what_somebody_came_back_to_while_it_was_looked_for_stays(
    services: Services, repository: Repository, clock: Clock
) -> None:
    change(repository)
    clock.advance(days=91)
    with services.database.read() as connection:
        found = forge_retention.list_old(connection, FORGETTABLE[0], clock(), limit=BATCH)
    repository.see_head(COMMIT, event="pull_request", pull_request="7", branch="feature", is_open=True)

    with services.database.write() as connection:
        gone = forge_retention.forget(connection, FORGETTABLE[0], clock(), found)

    assert (len(found), gone, rows(services, heads)) == (1, 0, 1)


def test_nothing_goes_before_jobs_can_be_run_again_however_short_the_setting_is(
    repository: Repository, forget: Any
) -> None:
    change(repository)

    assert forget(timedelta(days=4), days=LEAST.days - 1) == {}
    assert forget(timedelta(days=4), days=2) == {"heads": 1, "ci_runs": 1}


def test_more_than_one_batch_goes(services: Services, repository: Repository, forget: Any) -> None:
    for number in range(BATCH + 1):
        repository.end_run(str(number), sha=OTHER)

    assert forget() == {"ci_runs": BATCH + 1}


def test_deployments_go_when_they_were_answered_long_ago_or_asked_for_in_vain(
    services: Services, repository: Repository, acme: Tenant, forget: Any, clock: Clock
) -> None:
    registration = register(services, acme)

    def asked(ci_run_id: str, **answer: Any) -> None:
        host = "https://github.com"
        request = StoredGateRequest(
            acme.id, registration.id, host, "4711", "acme/app", ci_run_id, "production", COMMIT, clock(), **answer
        )
        with services.database.write() as connection:
            gate_requests.put(connection, request)

    asked("1")
    asked("2", state=GateState.APPROVED, answered_at=clock())
    asked("3", state=GateState.REJECTED, answered_at=clock() + timedelta(days=30))

    assert forget() == {"gate_requests": 2}
    assert forget(days=30) == {"gate_requests": 1}


def test_forged_statuses_go(
    services: Services, repository: Repository, acme: Tenant, forget: Any, clock: Clock
) -> None:
    forged = ForgedStatus(
        organization_id=acme.id, source_id=repository.source_id, sha=COMMIT, context="chainloop/app/build",
        surface="status", number="1", state="success", by="mallory", is_corrected=True, at=clock(),
    )  # fmt: skip
    with services.database.write() as connection:
        forged_statuses.add(connection, forged)

    assert forget(days=89) == {}
    assert forget(days=2) == {"forged_statuses": 1}
    assert rows(services, forged_table) == rows(services, gates_table) == 0
