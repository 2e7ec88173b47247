"""Two servers with their dispatchers on one PostgreSQL and one folder of artifacts, one of which is killed at work."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from sqlalchemy import func, select

from examples.demo.control_plane import ControlPlane
from server.store.database import Database, open_engine
from server.store.event_tables import deliveries, delivery_attempts, events
from server.store.tables import attestations, workflow_runs
from tests.integration.live import PROJECT, Tenant
from tests.integration.load import Acknowledged, HttpApi, Load, Response, Site, push_one
from tests.integration.server.receivers import SECRET, TAKEN
from tests.postgresql import PostgresqlServer
from tests.unit.stub_server import StubServer, stub_server
from tests.waiting import wait_for

THREADS = 4
RUNS = 6
"""Pushed before the kill, and again after it."""
DEADLINE_SECONDS = 120


class Place:
    """A database and a folder of artifacts, with the servers that share them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.settings = {"CHAINLOOP_DATABASE_URL": url, "CHAINLOOP_BLOBS": str(folder / "blobs")}
        # Receivers of webhooks listen there.
        self.settings["CHAINLOOP_EGRESS_ALLOW"] = "127.0.0.0/8"
        # All servers of one database open what one of them has sealed.
        self.settings["CHAINLOOP_SECRET_KEY"] = base64.b64encode(secrets.token_bytes(32)).decode()
        self.servers: list[ControlPlane] = []

    def start(self) -> ControlPlane:
        """Start one more server, with a data folder of its own."""
        data = self.folder / f"server-{len(self.servers)}" / "data"
        data.mkdir(mode=0o700, parents=True)
        self.servers.append(ControlPlane(PROJECT, data, self.settings))
        return self.servers[-1]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator on another machine: with a data folder that is not there yet."""
        env = {**os.environ, **self.settings, "CHAINLOOP_DATA": str(self.folder / "operator")}
        command = [sys.executable, "-m", "server", *words]
        return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def place(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[Place]:
    name = postgresql.create()
    place = Place(tmp_path, postgresql.url(name))
    yield place
    for server in place.servers:
        server.stop()
    postgresql.drop(name)


@pytest.fixture
def servers(place: Place) -> list[ControlPlane]:
    """Start two servers at once on a database without tables."""
    started = [place.start(), place.start()]
    for server in started:
        server.wait()
    return started


class Balancer(HttpApi):
    """Requests that go to one server after the other, and again to another when one does not answer or is busy."""

    def __init__(self, tenant: Tenant, token: str, urls: list[str]) -> None:
        super().__init__(tenant, token)
        self._tenants = [_at(tenant, url) for url in urls]
        self._turns = itertools.count()

    def request(self, method: str, path: str, **options: Any) -> Response:
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            self._tenant = self._tenants[next(self._turns) % len(self._tenants)]
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                answer = super().request(method, path, **options)
                if answer.status_code != 503:
                    return answer
            assert time.monotonic() < end, "no server answers"
            time.sleep(0.01)


def _at(tenant: Tenant, url: str) -> Tenant:
    """Return the tenant as it is reached at another server."""
    other = object.__new__(Tenant)
    other.__dict__.update({**tenant.__dict__, "url": url})
    return other


def first_token(place: Place) -> str:
    """Return the first instance token, which one of the servers has written to its data folder."""
    files = [server.token_file for server in place.servers if server.token_file.is_file()]
    assert len(files) == 1
    return files[0].read_text().strip()


def test_a_server_that_is_killed_at_work_loses_nothing_that_it_acknowledged(
    place: Place, servers: list[ControlPlane], tmp_path: Path
) -> None:
    urls = [server.url for server in servers]
    tenant, seen = Tenant(urls[0], first_token(place), tmp_path), Acknowledged()
    site = Site(tenant, lambda tenant, token: Balancer(tenant, token, urls))

    with Load(lambda: push_one(site, seen), THREADS):
        wait_for(lambda: len(seen.bundles) >= RUNS, "the jobs do not push")
        # Its workers and its dispatcher with it: the machine is gone.
        os.killpg(servers[0].process_id, signal.SIGKILL)
        before = len(seen.bundles)
        wait_for(lambda: len(seen.bundles) >= before + RUNS, "the jobs do not go on at the other server")

    database = Database(open_engine(place.url))
    with database.read() as connection:
        stored = {row.run_id: row.bundle for row in connection.execute(attestations.select())}
        states = {row.id: row.state for row in connection.execute(workflow_runs.select())}
    database.engine.dispose()
    assert {run: stored.get(run) for run in seen.bundles} == seen.bundles
    assert {states[run] for run in seen.bundles} == {"success"}
    for digest, content in seen.uploads.items():
        answer = _at(tenant, urls[1]).request("GET", f"/artifacts/{digest}")
        assert answer.data == content
    doctor = place.run("doctor")
    assert (doctor.returncode, doctor.stderr) == (0, ""), doctor.stdout


def tell_of_runs(tenant: Tenant, receiver: StubServer) -> None:
    """Let a webhook be told everything that happens to runs."""
    body = {"kind": "webhook", "name": "siem", "url": f"{receiver.url}/hook", "credentials": {"secret": SECRET}}
    tenant.call("POST", "/registrations", body)
    tenant.call("POST", "/attachments", {"registration": "siem", "events": ["run.*", "attestation.*"]})


def list_tellers(database: Database) -> list[tuple[int, str]]:
    """Return which dispatcher made each delivery."""
    taken = select(delivery_attempts.c.delivery_sequence, delivery_attempts.c.holder).where(
        delivery_attempts.c.outcome == "delivered"
    )
    with database.read() as connection:
        return [(row.delivery_sequence, row.holder) for row in connection.execute(taken)]


def is_all_told(database: Database) -> bool:
    """Tell whether nothing is left to be told."""
    news = select(func.count()).where(events.c.fanned_out_at.is_(None))
    pending = select(func.count()).where(deliveries.c.state == "pending")
    with database.read() as connection:
        return not connection.execute(news).scalar() and not connection.execute(pending).scalar()


def test_two_dispatchers_tell_every_event_and_none_is_told_by_both(
    place: Place, servers: list[ControlPlane], tmp_path: Path
) -> None:
    urls = [server.url for server in servers]
    tenant, seen = Tenant(urls[0], first_token(place), tmp_path), Acknowledged()
    site = Site(tenant, lambda tenant, token: Balancer(tenant, token, urls))
    database = Database(open_engine(place.url))

    with stub_server() as receiver:
        receiver.replies = [TAKEN]
        tell_of_runs(tenant, receiver)
        with Load(lambda: push_one(site, seen), THREADS):
            both = "both dispatchers tell something"
            wait_for(lambda: len({holder for _, holder in list_tellers(database)}) == len(servers), both)
            wait_for(lambda: len(seen.bundles) >= RUNS, "the jobs do not push")
        wait_for(lambda: is_all_told(database), "everything is told")
        told = [(request.headers["webhook-id"], json.loads(request.body)) for request in receiver.seen]

    tellers = list_tellers(database)
    database.engine.dispose()
    of_runs = Counter((body["data"]["runId"], body["type"]) for _, body in told if "runId" in body["data"])
    kinds = ("run.initialized", "attestation.stored", "run.succeeded")
    assert of_runs == {(run, kind): 1 for run in seen.bundles for kind in kinds}
    assert max(Counter(name for name, _ in told).values()) == 1
    assert max(Counter(sequence for sequence, _ in tellers).values()) == 1


def held_by(database: Database, holder: str) -> set[int]:
    """Return the deliveries that a dispatcher is trying, or was when it died."""
    with database.read() as connection:
        return set(connection.execute(select(deliveries.c.sequence).where(deliveries.c.holder == holder)).scalars())


def dispatcher_of(server: ControlPlane) -> str:
    """Return the name under which the dispatcher of a server holds its leases."""
    wait_for(lambda: list_dispatchers(server), "the dispatcher of a server starts")
    return list_dispatchers(server)[-1]


def list_dispatchers(server: ControlPlane) -> list[str]:
    """Return the names of those that a server has started, by its log."""
    lines = server.log.read_text(errors="replace").splitlines()
    return [str(json.loads(line[line.index("{") :])["holder"]) for line in lines if '"dispatcher-started"' in line]


def test_of_a_server_that_is_killed_at_work_the_other_tells_everything_and_nothing_a_second_time(
    place: Place, servers: list[ControlPlane], tmp_path: Path
) -> None:
    urls = [server.url for server in servers]
    tenant, seen = Tenant(urls[0], first_token(place), tmp_path), Acknowledged()
    site = Site(tenant, lambda tenant, token: Balancer(tenant, token, urls))
    database = Database(open_engine(place.url))
    dead = dispatcher_of(servers[0])

    with stub_server() as receiver:
        receiver.replies = [TAKEN]
        tell_of_runs(tenant, receiver)
        with Load(lambda: push_one(site, seen), THREADS):
            at_work = "the dispatcher tells something, and is about to tell more"
            wait_for(lambda: any(holder == dead for _, holder in list_tellers(database)), at_work)
            wait_for(lambda: bool(held_by(database, dead)), at_work)
            os.killpg(servers[0].process_id, signal.SIGKILL)
            held, before = held_by(database, dead), len(seen.bundles)
            wait_for(lambda: len(seen.bundles) >= before + RUNS, "the jobs do not go on at the other server")
        # What the dead one held comes when its lease is over.
        wait_for(lambda: is_all_told(database), "everything is told")
        told = [(request.headers["webhook-id"], request.body) for request in receiver.seen]

    tellers = list_tellers(database)
    database.engine.dispose()
    documents = [json.loads(body) for _, body in dict(told).items()]
    of_runs = Counter((body["data"]["runId"], body["type"]) for body in documents if "runId" in body["data"])
    kinds = ("run.initialized", "attestation.stored", "run.succeeded")
    # Also of runs whose job was told nothing: its server died, and it began again at the other one.
    assert {(run, kind) for run in seen.bundles for kind in kinds} <= set(of_runs)
    assert max(of_runs.values()) == 1
    assert max(Counter(sequence for sequence, _ in tellers).values()) == 1
    # What it had sent and could not write down any more is sent again, word for word, and that alone.
    assert len(told) - len(documents) <= len(held)
    assert len(set(told)) == len(documents)
    doctor = place.run("doctor")
    assert (doctor.returncode, doctor.stderr) == (0, ""), doctor.stdout
