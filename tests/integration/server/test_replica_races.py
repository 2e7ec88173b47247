"""Two servers on one database do what one does: what a request has read stays true until it has written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import update

from server.app import create_app
from server.errors import StoreBusyError
from server.services.disk_reserve import DiskReserve
from server.services.runs import Runs
from server.store import tables
from server.store.database import Database
from server.wiring import Services, World, build_services, open_database
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.jobs import EMPTY_CONTRACT, Job, Key, put_contract, register_key
from tests.integration.server.uploads import OCTETS

AT_ONCE = 8
ROUNDS = 3


@pytest.fixture
def replica(services: Services, clock: Clock, content_checker: Any) -> Iterator[Services]:
    """Return a second server on the same database, as another process has it: it shares no turn and no connection."""
    world = World(now=clock, checker=content_checker)
    replica = build_services(services.config, world)
    yield replica
    replica.database.engine.dispose()


@pytest.fixture
def apis(services: Services, replica: Services) -> Callable[[str], list[Api]]:
    """Return what makes one client per server for a token."""
    apps = [create_app(services), create_app(replica)]
    return lambda secret: [Api(app.test_client(), secret) for app in apps]


@pytest.fixture
def bare_job(api: Any, acme: Tenant, key: Key) -> Callable[[Api], Job]:
    """Return what makes jobs whose contract asks for nothing."""
    put_contract(api, acme, EMPTY_CONTRACT)
    register_key(api, acme, key)
    return lambda client: Job(client, acme, key, contract=EMPTY_CONTRACT)


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do everything at the same moment, as far as a machine can, and return what came of each."""
    ready = threading.Barrier(len(acts))

    def act(it: Callable[[], Any]) -> Any:
        ready.wait()
        return it()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def test_a_second_server_waits_for_the_writer_of_the_first(services: Services, replica: Services) -> None:
    with services.database.write(), pytest.raises(StoreBusyError), replica.database.write(patience_seconds=0.05):
        pass

    with replica.database.write(patience_seconds=0.05) as connection:
        found = connection.exec_driver_sql("SELECT 1").scalar_one()

    assert found == 1


def test_what_a_writer_reads_is_what_the_one_before_it_has_committed(
    services: Services, replica: Services, acme: Tenant
) -> None:
    def count(database: Database) -> None:
        for _ in range(25):
            with database.write() as connection:
                before = connection.execute(tables.organizations.select()).one().used_bytes
                connection.execute(update(tables.organizations).values(used_bytes=before + 1))

    at_once([lambda: count(services.database), lambda: count(replica.database)])

    with services.database.read() as connection:
        assert connection.execute(tables.organizations.select()).one().used_bytes == 50


def test_r8_uploads_to_two_servers_stay_within_the_quota_together(apis: Any, acme: Tenant, services: Services) -> None:
    with services.database.write() as connection:
        connection.execute(update(tables.organizations).values(quota_bytes=35))
    clients = apis(acme.token("operate")) * (AT_ONCE // 2)

    answers = at_once(
        [
            lambda n=n, client=client: client.post("/artifacts", data=b"%010d" % n, headers=OCTETS).status_code
            for n, client in enumerate(clients)
        ]
    )

    assert sorted(answers) == [201] * 3 + [507] * (AT_ONCE - 3)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_run_that_is_pushed_and_ended_at_once_has_one_end(
    apis: Any, acme: Tenant, bare_job: Any, number: int
) -> None:
    one, other = apis(acme.token("attest", "workflow"))
    job = bare_job(one)
    job.begin()

    pushed, ended = at_once(
        [job.push, lambda: other.post(f"{job.path}/cancel", json={"trigger": "failure"}, headers=job.headers)]
    )

    shown = other.get(job.path).json
    is_pushed = pushed.status_code == 201
    assert shown["run"]["state"] == ("success" if is_pushed else "error")
    assert (ended.status_code == 409) is is_pushed
    assert (shown["run"].get("attestationDigest") is not None) is is_pushed


@pytest.mark.parametrize("number", range(ROUNDS))
def test_r6_no_run_of_a_revoked_token_stays_open_whoever_began_it_meanwhile(
    apis: Any, acme: Tenant, bare_job: Any, services: Services, number: int
) -> None:
    admins = apis(acme.token("admin"))
    jobs = [bare_job(client) for client in apis(acme.token("attest", "workflow")) * 3]
    token = next(item for item in admins[0].get("/api-tokens").json["items"] if item["name"] == "attest-workflow")

    at_once([*(job.begin for job in jobs), lambda: admins[1].post(f"/api-tokens/{token['id']}/revoke")])

    with services.database.read() as connection:
        states = connection.execute(tables.workflow_runs.select()).all()
    assert {row.state for row in states} <= {"canceled"}


def test_a_token_has_no_more_open_runs_than_it_may_over_two_servers(
    services: Services, replica: Services, clock: Clock, acme: Tenant, bare_job: Any
) -> None:
    clients = []
    for server in (services, replica):
        reserve = DiskReserve(server.config.data)
        runs = Runs(server.database, clock, server.world.new_id, reserve=reserve, max_open_runs=3)
        app = create_app(replace(server, runs=runs))
        clients.append(Api(app.test_client(), acme.token("attest", "workflow")))
    jobs = [bare_job(client) for client in clients * (AT_ONCE // 2)]

    answers = at_once([lambda job=job: job.begin().status_code for job in jobs])

    assert answers.count(201) == 3


def test_revisions_of_a_contract_are_numbered_without_gap_by_two_servers(apis: Any, acme: Tenant) -> None:
    clients = apis(acme.token("operate")) * (AT_ONCE // 2)
    bodies = [EMPTY_CONTRACT.replace(b"spec: {}", b"spec: {annotations: [{name: n%d}]}" % n) for n in range(AT_ONCE)]
    sent = {"Content-Type": "application/yaml"}

    answers = at_once(
        [
            lambda client=client, body=body: client.put("/contracts/app-build", data=body, headers=sent)
            for client, body in zip(clients, bodies, strict=True)
        ]
    )

    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert sorted(answer.json["revision"] for answer in answers) == list(range(2, AT_ONCE + 2))


def test_r18_who_has_read_up_to_a_run_has_not_missed_an_older_one(
    apis: Any, acme: Tenant, bare_job: Any, services: Services
) -> None:
    jobs = [bare_job(client) for client in apis(acme.token("attest", "workflow")) * AT_ONCE]
    pages: list[list[int]] = []
    is_over = threading.Event()

    def watch() -> None:
        database = open_database(services.config)
        while not is_over.is_set():
            with database.read() as connection:
                order = tables.workflow_runs.c.sequence
                pages.append(
                    [row.sequence for row in connection.execute(tables.workflow_runs.select().order_by(order))]
                )
        database.engine.dispose()

    watcher = threading.Thread(target=watch)
    watcher.start()
    at_once([job.begin for job in jobs])
    is_over.set()
    watcher.join()

    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(pages))
    assert len({len(page) for page in pages}) > 1
