"""The dispatcher as a process: beside the web workers, and by itself."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.demo.control_plane import free_port
from server.admin.data_folder import prepare
from server.config import ServerConfig
from tests.integration import live
from tests.integration.server.receivers import SECRET, TAKEN
from tests.unit.stub_server import stub_server
from tests.waiting import wait_for

PATIENCE_SECONDS = 30.0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has reaped yet has ended.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


class Server:
    """A `python -m server` command over one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "log"
        self.started: list[subprocess.Popen[bytes]] = []
        self.url = ""

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "CHAINLOOP_DATA": str(self.data)}
        env |= {"PORT": str(free_port()), "CHAINLOOP_WORKERS": "1", "CHAINLOOP_MIN_FREE_BYTES": "0"}
        # Receivers of webhooks listen there.
        env["CHAINLOOP_EGRESS_ALLOW"] = "127.0.0.0/8"
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "server", *words], env=env, stdout=subprocess.PIPE, stderr=log
            )
        self.started.append(process)
        return process

    def make(self) -> None:
        """Make the data folder."""
        prepare(ServerConfig(data=self.data)).engine.dispose()

    def serve(self) -> subprocess.Popen[bytes]:
        process = self.start("serve")
        assert process.stdout is not None
        self.url = process.stdout.readline().decode().split()[-1]
        return process

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines(keepends=True)
        read = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [event for event in read if event["event"] == name]

    def dispatcher(self, number: int = 1) -> int:
        """Wait for the dispatcher that is the `number`th to start, and return its process id."""
        events = wait_for(lambda: self.events("dispatcher-started")[number - 1 :])
        return int(events[0]["pid"])

    def sweeps(self) -> dict[str, str]:
        connection = sqlite3.connect(self.data / "chainloop.db")
        rows = connection.execute("SELECT name, outcome FROM sweeps WHERE finished_at IS NOT NULL").fetchall()
        connection.close()
        return dict(rows)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    for process in server.started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


DONE = {
    "expired-runs": "done",
    "passed-dates": "done",
    "contract-notices": "done",
    "unreferenced-uploads": "done",
    "ended-states": "done",
    "told-events": "done",
    "registration-checks": "done",
    "unknown-blobs": "done",
    "old-webhooks": "done",
    "old-forge-facts": "done",
    "webhook-redeliveries": "done",
    "forge-repositories": "done",
}


def test_serve_starts_a_dispatcher_that_sweeps_and_ends_it(server: Server) -> None:
    process = server.serve()
    pid = server.dispatcher()
    swept = wait_for(lambda: server.sweeps() == DONE)

    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    assert swept
    assert not is_alive(pid)
    assert [event["pid"] for event in server.events("dispatcher-ended")] == [pid]
    assert server.events("dispatcher-died") == []


def test_a_dispatcher_that_dies_is_started_again(server: Server) -> None:
    process = server.serve()
    first = server.dispatcher()

    os.kill(first, signal.SIGKILL)
    second = server.dispatcher(2)

    assert second != first
    assert is_alive(second)
    assert [event["pid"] for event in server.events("dispatcher-died")] == [first]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_SECONDS) == 0


def test_a_dispatcher_ends_when_its_server_is_killed(server: Server) -> None:
    process = server.serve()
    pid = server.dispatcher()

    process.kill()
    process.wait()

    assert wait_for(lambda: not is_alive(pid))


def test_the_next_server_serves_the_folder_of_one_that_was_killed(server: Server) -> None:
    first = server.serve()
    pid = server.dispatcher()
    first.kill()
    first.wait()
    wait_for(lambda: not is_alive(pid))

    # Workers of the killed server may live for another moment, and the folder is theirs until then.
    wait_for(lambda: server.start("serve").stdout.readline())  # type: ignore[union-attr]

    assert is_alive(server.dispatcher(2))


def test_the_next_server_is_not_kept_by_a_receiver_that_hangs(server: Server, tmp_path: Path) -> None:
    first = server.serve()
    tenant = live.Tenant(server.url, (server.data / "admin-token").read_text().strip(), tmp_path)
    with stub_server() as receiver:
        receiver.replies = [TAKEN]
        registration = {"kind": "webhook", "name": "siem", "url": f"{receiver.url}/hook"}
        tenant.call("POST", "/registrations", {**registration, "credentials": {"secret": SECRET}})
        tenant.call("POST", "/attachments", {"registration": "siem", "events": ["token.*"]})
        receiver.is_silent, known = True, len(receiver.seen)
        tenant.token("read")
        wait_for(lambda: len(receiver.seen) > known, "the receiver is told something")
        first.kill()
        first.wait()

        second = server.start("serve").stdout.readline()  # type: ignore[union-attr]

    assert second.startswith(b"Chainloop control plane")


def test_dispatch_once_does_everything_and_ends(server: Server) -> None:
    server.make()

    status = server.start("dispatch", "--once").wait(timeout=PATIENCE_SECONDS)

    assert (status, server.sweeps()) == (0, DONE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_dispatch_by_itself_goes_on_until_it_is_told_to_end(server: Server, number: int) -> None:
    server.make()
    process = server.start("dispatch")
    server.dispatcher()
    wait_for(lambda: server.sweeps() == DONE)

    process.send_signal(number)

    assert process.wait(timeout=PATIENCE_SECONDS) == 0


def test_dispatch_says_what_to_do_without_a_data_folder_or_with_another_schema(server: Server) -> None:
    without = server.start("dispatch", "--once").wait(timeout=PATIENCE_SECONDS)
    server.make()
    connection = sqlite3.connect(server.data / "chainloop.db")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.commit()
    connection.close()

    other = server.start("dispatch").wait(timeout=PATIENCE_SECONDS)

    assert (without, other) == (2, 1)
    assert "there is no database" in server.log.read_text()
    assert "python -m server migrate" in server.log.read_text()


def fill(server: Server, count: int) -> None:
    """Make so many overdue runs, each with an upload of its own that nobody refers to."""
    connection = sqlite3.connect(server.data / "chainloop.db")
    long_ago = "2020-01-01T00:00:00.000000Z"
    connection.executescript(f"""
        INSERT INTO organizations VALUES ('o', 'acme', '{long_ago}', 0, 60, 0, {count * 8}, 'filesystem');
        INSERT INTO projects VALUES ('p', 'o', 'app', '{long_ago}');
        INSERT INTO contracts VALUES ('c', 'o', 'app-build', '', 1, '{long_ago}', '{long_ago}');
        INSERT INTO workflows (id, organization_id, project_id, contract_id, name, team, description, created_at,
            runs_count) VALUES ('w', 'o', 'p', 'c', 'build', '', '', '{long_ago}', {count});
    """)
    for number in range(count):
        run, content = f"run-{number}", f"{number:08}".encode()
        name = hashlib.sha256(content).hexdigest()
        path = server.data / "blobs" / name[:2] / name[2:4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (0, 0))
        connection.execute(
            "INSERT INTO workflow_runs (id, organization_id, project_id, workflow_id, state, reason, contract_id,"
            " contract_revision, contract_digest, runner_type, runner_url, runner_environment, state_location,"
            " handle_sha256, request_digest, project_version, client_version, ci_provider, token_id, created_at,"
            " last_accepted_at, expires_at, refusals, stored_bytes) VALUES"
            " (?, 'o', 'p', 'w', 'initialized', '', 'c', 1, 'd',"
            " 'GENERIC', '', '', 'local', 'h', 'r', '', '', 'none', 't', ?, ?, ?, 0, 8)",
            (run, long_ago, long_ago, long_ago),
        )
        connection.execute(
            "INSERT INTO artifacts (organization_id, digest, size_bytes, filename, backend, created_at, created_by,"
            " last_uploaded_at) VALUES ('o', ?, 8, 'f', 'filesystem', ?, 't', ?)",
            (f"sha256:{name}", long_ago, long_ago),
        )
        connection.execute(
            "INSERT INTO run_artifacts (run_id, organization_id, digest, uploaded, filename, at)"
            " VALUES (?, 'o', ?, 1, 'f', ?)",
            (run, f"sha256:{name}", long_ago),
        )
    connection.commit()
    connection.close()


def left(server: Server) -> int:
    """Return how much work there still is."""
    connection = sqlite3.connect(server.data / "chainloop.db")
    (runs,) = connection.execute("SELECT count(*) FROM workflow_runs WHERE state = 'initialized'").fetchone()
    (uploads,) = connection.execute("SELECT count(*) FROM artifacts").fetchone()
    connection.close()
    return int(runs) + int(uploads)


def test_r8_r15_a_dispatcher_that_is_killed_in_the_middle_of_its_sweeps_loses_and_repeats_nothing(
    server: Server,
) -> None:
    server.make()
    count = 3000
    fill(server, count)
    kills = 0
    while (before := left(server)) > 0 and kills < 5:
        process = server.start("dispatch", "--once")
        wait_for(lambda: left(server) < before or process.poll() is not None)  # noqa: B023
        process.kill()
        process.wait()
        kills += 1
        # Its lease, which others would wait for.
        connection = sqlite3.connect(server.data / "chainloop.db")
        connection.execute("UPDATE sweeps SET held_until = '2020-01-01T00:00:00.000000Z'")
        connection.commit()
        connection.close()

    last = server.start("dispatch", "--once").wait(timeout=PATIENCE_SECONDS)
    doctor = server.start("doctor")
    report = doctor.communicate(timeout=PATIENCE_SECONDS)[0].decode()

    connection = sqlite3.connect(server.data / "chainloop.db")
    counters = dict(connection.execute("SELECT name, value FROM counters").fetchall())
    (used,) = connection.execute("SELECT used_bytes FROM organizations").fetchone()
    connection.close()
    files = [path for path in (server.data / "blobs").rglob("*") if path.is_file()]
    assert kills > 1
    assert (last, left(server), used, files) == (0, 0, 0, [])
    assert counters == {"runs_expired": count, "uploads_removed": count, "upload_bytes_removed": 8 * count}
    assert doctor.returncode == 0, report
    assert "warn" not in report
