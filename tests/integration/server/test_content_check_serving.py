"""R11 and metrics on a real server with two workers: hostile documents, workers that die, numbers that stay right."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from chainloop_ci.attestation.state import CraftedMaterial
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import sha256_digest
from examples.demo.control_plane import ControlPlane
from tests.integration import live
from tests.integration.server.conftest import EPOCH, Tenant
from tests.integration.server.jobs import CONTRACT, SBOM, Job, Key, put_contract, register_key
from tests.waiting import wait_for

MIB = 1024 * 1024
CROWDED = b'{"bomFormat": "CycloneDX", "components": [' + b"[]," * (5 * MIB) + b"[]]}"
"""Each pair of brackets is a list of its own: 15 MiB take more than 300 in memory."""


@pytest.fixture
def server(project: Path, tmp_path: Path) -> Iterator[ControlPlane]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    running = ControlPlane(project, data, {"CHAINLOOP_MIN_FREE_BYTES": "0"})
    running.wait()
    yield running
    running.stop()


class HttpApi:
    """What `jobs.Job` asks of a client, over HTTP."""

    def __init__(self, tenant: live.Tenant, token: str) -> None:
        self._tenant = tenant
        self._token = token

    def put(self, path: str, *, json: Any = None, data: bytes | None = None, headers: Any = None) -> Any:
        answer = self._tenant.request("PUT", path, data or json, token=self._token, headers=headers)
        return SimpleNamespace(status_code=answer.status, json=_json(answer), text=answer.data.decode())

    def post(self, path: str, *, json: Any = None) -> Any:
        answer = self._tenant.request("POST", path, json, token=self._token)
        return SimpleNamespace(status_code=answer.status, json=_json(answer), text=answer.data.decode())


def _json(answer: urllib3.BaseHTTPResponse) -> Any:
    return answer.json() if answer.data else None


@pytest.fixture
def begin(server: ControlPlane, tmp_path: Path) -> Callable[[], Job]:
    """Return a function that begins a run and adds everything to it."""
    tenant = live.Tenant(server.url, server.token_file.read_text().strip(), tmp_path)
    workflow = tenant.call("POST", "/workflows", {"name": "build", "project": "app"})
    known = Tenant("", tenant.organization, workflows={"app/build": workflow["id"]})
    known.tokens = {(role, "organization"): tenant.token(role) for role in ("operate", "admin", "attest")}
    key, api = Key(), lambda secret: HttpApi(tenant, secret)
    put_contract(api, known, CONTRACT)
    register_key(api, known, key)

    def run() -> Job:
        job = Job(api(known.token("attest")), known, key)
        assert job.begin().status_code == 201
        job.add_everything()
        return job

    return run


def add_hostile(job: Job, content: bytes) -> None:
    """Upload a document that an honest client would have refused, in place of the SBOM."""
    assert job.upload(content, "sbom.json").status_code in (200, 201)
    job.materials["sbom"] = CraftedMaterial(
        "sbom",
        MaterialType.SBOM_CYCLONEDX_JSON,
        sha256_digest(content),
        EPOCH,
        filename="sbom.json",
        size_bytes=len(content),
        uploaded=True,
    )


@pytest.fixture
def scrape(server: ControlPlane) -> Callable[[], dict[tuple[str, frozenset[tuple[str, str]]], float]]:
    """Return a function that reads the server's metrics; each time on another connection, so on any worker."""
    token = server.token_file.read_text().strip()

    def read() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        with urllib3.PoolManager() as http:
            answer = http.request("GET", f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200, answer.data
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.data.decode())
            for sample in family.samples
        }

    return read


def of(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def processes() -> dict[int, tuple[int, str, int]]:
    """Return parent, command line and memory (KiB) of all living processes."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(folder.name)] = (int(fields[1]), command, int(fields[21]) * 4)
    return found


def family(root: int) -> set[int]:
    """Return a process and all that it started."""
    all_ = processes()
    found = {root}
    while more := {pid for pid, (parent, _, _) in all_.items() if parent in found} - found:
        found |= more
    return found & all_.keys()


def checkers(server: ControlPlane) -> set[int]:
    """Return the processes of the server that look at documents."""
    all_ = processes()
    return {pid for pid in family(server.process_id) if "content_check" in all_[pid][1]}


def test_r11_the_server_answers_while_hostile_documents_are_pushed_and_keeps_its_memory(
    server: ControlPlane, begin: Callable[[], Job], scrape: Any
) -> None:
    honest = begin()
    assert honest.push().status_code == 201
    others = family(server.process_id) - checkers(server)
    hostile = [begin() for _ in range(4)]
    for job in hostile:
        add_hostile(job, CROWDED)

    with ThreadPoolExecutor(4) as pool:
        pushed = [pool.submit(job.push) for job in hostile]
        while not all(push.done() for push in pushed):
            with urllib3.PoolManager() as http:
                assert http.request("GET", f"{server.url}/healthz", timeout=15).status == 200
        answers = [push.result() for push in pushed]

    assert {answer.status_code for answer in answers} == {422}
    assert all("content-unreadable" in answer.text for answer in answers)
    assert begin().push().status_code == 201
    after = processes()
    assert others <= after.keys()
    assert max(after[pid][2] for pid in others) < 160 * 1024
    assert scrape()["chainloop_content_checks_total", of(outcome="memory-limit")] == 4


def test_an_honest_document_beside_a_hostile_one_is_still_judged(begin: Callable[[], Job]) -> None:
    job = begin()
    add_hostile(job, CROWDED)

    refused = job.push()
    job.add_file("sbom", MaterialType.SBOM_CYCLONEDX_JSON, SBOM, "sbom.json")
    accepted = job.push()

    assert (refused.status_code, accepted.status_code) == (422, 201)
    [finding] = refused.json["findings"]
    assert finding["code"] == "content-unreadable"
    assert "takes too much memory to check" in finding["message"]
    assert finding["hint"]


def test_no_process_is_left_when_the_server_stops(server: ControlPlane, begin: Callable[[], Job]) -> None:
    assert begin().push().status_code == 201
    everybody = family(server.process_id)
    assert checkers(server)

    server.stop()

    wait_for(lambda: not everybody & processes().keys())


def test_a_worker_that_is_killed_takes_its_children_with_it_and_the_next_goes_on(
    server: ControlPlane, begin: Callable[[], Job]
) -> None:
    assert begin().push().status_code == 201
    all_, looking = processes(), checkers(server)
    workers = {all_[pid][0] for pid in looking} - looking

    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not looking & processes().keys())

    assert begin().push().status_code == 201


def test_requests_of_all_workers_are_one_sum_that_survives_a_worker(server: ControlPlane, scrape: Any) -> None:
    asked = ("chainloop_http_requests_total", of(method="GET", route="/healthz", status="200"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: urllib3.request("GET", f"{server.url}/healthz", retries=False), range(60)))
    before = scrape()
    all_ = processes()
    workers = [pid for pid, (parent, _, _) in all_.items() if parent == server.process_id]

    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not set(workers) & processes().keys())
    server.wait()
    wait_for(lambda: scrape()["chainloop_workers", of()] == 2)

    assert before[asked] == 60
    assert scrape()[asked] == 60
    assert scrape()["chainloop_http_requests_in_flight", of()] == 1


def test_the_workers_that_a_hang_up_puts_in_place_of_others_count_too(server: ControlPlane, scrape: Any) -> None:
    def children() -> set[int]:
        return {pid for pid, (parent, _, _) in processes().items() if parent == server.process_id}

    # Two workers and the dispatcher, which stays.
    wait_for(lambda: len(children()) == 3)
    before = children()

    os.kill(server.process_id, signal.SIGHUP)
    wait_for(lambda: len(before & children()) == 1, "the old workers do not end")

    wait_for(lambda: scrape()["chainloop_workers", of()] == 2, "the new ones are not counted", seconds=10)
