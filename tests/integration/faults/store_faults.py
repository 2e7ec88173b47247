"""Every call by which the server writes, failing in turn. Run by `test_store_faults`, under `fiu-run -x`."""

import errno
import itertools
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ChainloopError
from server.admin.backup import take_backup
from server.admin.backup_progress import Progress
from server.admin.doctor import diagnose
from server.app import create_app
from server.config import ServerConfig
from server.dispatch_wiring import build_dispatcher
from server.store import schema
from server.wiring import Services, World, build_services
from tests.integration.faults.injection import Fault
from tests.integration.server.conftest import EPOCH, Api, Clock, Tenant, api, app, client, clock, make_tenant
from tests.integration.server.jobs import BINARY, Job, Key, put_contract, register_key

__all__ = ["api", "app", "client", "clock"]

FULL = {
    "write": ("posix/io/rw/write", errno.ENOSPC),
    "database write": ("posix/io/rw/pwrite", errno.ENOSPC),
    "flush": ("posix/io/sync/fsync", errno.ENOSPC),
    "database flush": ("posix/io/sync/fdatasync", errno.ENOSPC),
    "name": ("posix/io/dir/rename", errno.ENOSPC),
    "new file": ("posix/io/oc/open", errno.ENOSPC),
    "quota": ("posix/io/rw/write", errno.EDQUOT),
}
UNUSABLE = {
    "read-only": ("posix/io/oc/open", errno.EROFS),
    "too many open files": ("posix/io/oc/open", errno.EMFILE),
    "broken disk": ("posix/io/rw/write", errno.EIO),
}
OPERATIONS = {
    "init": lambda job: job.begin(),
    "upload": lambda job: job.upload(job.run_id.encode(), "more.bin"),
    "push": lambda job: job.push(),
    "refused push": lambda job: job.push(b"{}"),
    "cancel": lambda job: job.api.post(f"{job.path}/cancel", json={"trigger": "cancellation"}, headers=job.headers),
}
SAID = {"init": 201, "upload": 201, "push": 201, "refused push": 422, "cancel": 200}
MAX_CALLS = 400


@dataclass(frozen=True)
class Beginning:
    """What every test begins with."""

    data: Path
    """A data folder with the tables, an organization, its contract and its key; each test gets a copy."""
    acme: Tenant
    key: Key


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory, content_checker: Any) -> Beginning:
    data, key, clock = tmp_path_factory.mktemp("beginning"), Key(), Clock()
    services = open_services(data, clock, content_checker)
    schema.upgrade(services.database.engine)
    client = create_app(services).test_client()
    acme = make_tenant(services, clock, client, "acme")
    put_contract(lambda secret: Api(client, secret), acme)
    register_key(lambda secret: Api(client, secret), acme, key)
    close(services)
    return Beginning(data, acme, key)


def open_services(data: Path, clock: Clock, content_checker: Any) -> Services:
    """Open the embedded database: only that one writes in this process; PostgreSQL's calls are its server's."""
    return build_services(ServerConfig(data=data, min_free_bytes=0), World(now=clock, checker=content_checker))


def close(services: Services) -> None:
    services.transport.close()
    services.database.engine.dispose()


@pytest.fixture
def services(beginning: Beginning, tmp_path: Path, clock: Clock, content_checker: Any) -> Iterator[Services]:
    shutil.copytree(beginning.data, tmp_path, dirs_exist_ok=True)
    services = open_services(tmp_path, clock, content_checker)
    yield services
    close(services)


@pytest.fixture
def acme(beginning):
    return beginning.acme


@pytest.fixture(autouse=True)
def _no_log_on_the_disk():
    """The log of a test is a file too."""
    with capture_logs():
        yield


@pytest.fixture
def new_job(api, acme, beginning):
    return lambda: Job(api(acme.token("attest", "workflow")), acme, beginning.key)


@pytest.fixture
def prepared(new_job):
    """Return a function that makes a job which is ready for an operation."""

    def prepare(operation):
        job = new_job()
        if operation != "init":
            assert job.begin().status_code == 201
        if operation == "push":
            job.add_everything()
        return job

    return prepare


def rows(data):
    """Return everything that the database holds of runs and content."""
    connection = sqlite3.connect(data / "chainloop.db")
    names = ("workflow_runs", "attestations", "artifacts", "run_artifacts", "refused_stores", "organizations")
    found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    connection.close()
    return found


def blobs(data):
    return sorted(path.name for path in (data / "blobs").rglob("*") if path.is_file())


def assert_healthy(services):
    found = diagnose(services.config, services.database, now=EPOCH)
    assert found.healthy, found.document()
    assert [check.name for check in found.checks if check.warnings and check.name != "sweeps"] == []


def walk(services, prepared, operation, point, code, statuses):
    """Let each call of a kind fail in turn; an operation that is refused has changed nothing and then succeeds."""
    data, met = services.config.data, 0
    for number in itertools.count(1):
        assert number < MAX_CALLS
        job = prepared(operation)
        # Each time a connection of its own, whose log is opened anew.
        services.database.engine.dispose()
        before = rows(data), blobs(data)
        with Fault(point, number, code) as fault:
            answer = OPERATIONS[operation](job)
        if not fault.was_met:
            break
        met += 1
        if answer.status_code != SAID[operation]:
            assert (answer.status_code, answer.get_json()["code"]) in statuses, (number, answer.text)
            assert (rows(data), blobs(data)) == before, number
            again = OPERATIONS[operation](job)
            assert again.status_code == SAID[operation], (number, answer.text, again.text)
    assert_healthy(services)
    return met


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("shortage", FULL)
def test_r8_no_space_at_any_call_is_a_full_store_and_changes_nothing(services, prepared, operation, shortage):
    point, code = FULL[shortage]

    statuses = {(507, "store-full"), (503, "store-unusable")} if shortage == "new file" else {(507, "store-full")}
    met = walk(services, prepared, operation, point, code, statuses)

    assert met or shortage not in ("database write", "new file")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("cause", UNUSABLE)
def test_a_disk_or_system_that_refuses_is_no_defect_of_the_server(services, prepared, operation, cause):
    point, code = UNUSABLE[cause]

    walk(services, prepared, operation, point, code, {(503, "store-unusable"), (507, "store-full")})


def test_r8_reads_go_on_while_nothing_can_be_written(services, prepared, api, acme):
    job = prepared("push")
    assert job.push().status_code == 201
    reader = api(acme.token("read"))

    for point, code in FULL.values():
        if point.endswith("open"):
            continue
        with Fault(point, 0, code):
            assert reader.get(job.path).status_code == 200
            assert reader.get(f"{job.path}/attestation").status_code == 200
            assert reader.get(f"/artifacts/{sha256_digest(BINARY)}").data == BINARY


@pytest.mark.parametrize("shortage", FULL)
def test_r8_a_backup_that_finds_no_space_leaves_nothing_and_says_so(services, prepared, tmp_path, shortage):
    prepared("push").push()
    target, silent = tmp_path / "elsewhere", Progress(lambda _: None, lambda: 0.0)
    point, code = FULL[shortage]

    for number in itertools.count(1):
        assert number < MAX_CALLS
        with Fault(point, number, code) as fault:
            try:
                take_backup(services.config, services.database, target, now=lambda: EPOCH, progress=silent)
            except ChainloopError as error:
                assert error.code in ("store-full", "store-unusable")
                assert not target.exists()
            else:
                break
    assert not fault.was_met or shortage in ("database write", "database flush", "new file")
    assert_healthy(services)


@pytest.mark.parametrize("shortage", FULL)
def test_r8_a_sweep_that_finds_no_space_is_done_again(services, prepared, clock, shortage):
    point, code = FULL[shortage]

    for number in itertools.count(1):
        assert number < MAX_CALLS
        job = prepared("upload")
        job.add_file("log", MaterialType.EVIDENCE, b"swept", "log.txt")
        clock.advance(days=30)
        dispatcher = build_dispatcher(
            services.config, services.world, services.database, services.transport, holder="one"
        )
        with Fault(point, number, code) as fault:
            dispatcher.run(only_due=False)
        clock.advance(days=1)
        assert dispatcher.run(only_due=False)
        assert sha256_digest(b"swept").removeprefix("sha256:") not in blobs(services.config.data)
        if not fault.was_met:
            break
    assert diagnose(services.config, services.database, now=clock()).healthy
