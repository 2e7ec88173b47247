"""A control plane is told to stop while jobs push: what it said yes to is there, and nothing is left running."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
import urllib3

from tests.integration.live import PROJECT, Tenant, start_control_plane
from tests.integration.load import Acknowledged, Load, Site, push_one
from tests.waiting import wait_for

THREADS = 4
RUNS = 8
SOON_SECONDS = 20
DEADLINE_SECONDS = 60


@pytest.fixture
def plane(tmp_path):
    running = start_control_plane(tmp_path)
    yield running
    running.stop()


def has_ended(pid):
    """Tell whether a process is gone, or waits only to be asked how it ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def begin_request(plane):
    """Send the head of a request whose body is still to come, and wait until a thread has it."""
    token = plane.token_file.read_text().strip()
    connection = socket.create_connection(("127.0.0.1", plane.port), timeout=DEADLINE_SECONDS)
    connection.sendall(
        f"POST /api/v1/organizations HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    assert b"100 Continue" in connection.recv(65536)
    return connection


def refuses(plane):
    try:
        socket.create_connection(("127.0.0.1", plane.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


@pytest.mark.real("pgrep")
def test_a_server_stopped_under_load_has_everything_that_it_acknowledged(plane, tmp_path):
    site, seen = Site(Tenant(plane.url, plane.token_file.read_text().strip(), tmp_path)), Acknowledged()
    found = subprocess.run(["pgrep", "-P", str(plane.process_id)], capture_output=True, text=True, check=True)
    children = found.stdout.split()

    def push_until_it_stops():
        # Whatever is refused now was not acknowledged.
        try:
            push_one(site, seen)
        except (urllib3.exceptions.HTTPError, AssertionError):
            time.sleep(0.01)

    with Load(push_until_it_stops, THREADS):
        wait_for(lambda: len(seen.bundles) >= RUNS, "the jobs do not push")
        os.kill(plane.process_id, signal.SIGTERM)
        wait_for(lambda: has_ended(plane.process_id), "the server does not stop")

    data = plane.token_file.parent
    assert [pid for pid in children if not has_ended(pid)] == []
    assert "SIGKILL" not in plane.log.read_text()
    with closing(sqlite3.connect(data / "chainloop.db")) as connection:
        stored = dict(connection.execute("SELECT run_id, bundle FROM attestations"))
    assert {run: stored.get(run) for run in seen.bundles} == seen.bundles
    doctor = [sys.executable, "-m", "server", "doctor", "--data", str(data)]
    assert subprocess.run(doctor, cwd=PROJECT, capture_output=True).returncode == 0


def test_a_server_that_stops_takes_no_connection_more_and_ends_the_request_in_progress(plane):
    with begin_request(plane) as connection:
        os.kill(plane.process_id, signal.SIGTERM)
        wait_for(lambda: refuses(plane), "connections are still taken")

        connection.sendall(b'{"name": "acme"}')

        assert b" 201 " in connection.recv(65536)
    wait_for(lambda: has_ended(plane.process_id), "the server does not stop")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait_for_requests_in_progress(plane, number):
    with begin_request(plane):
        os.kill(plane.process_id, number)
        wait_for(lambda: refuses(plane), "connections are still taken")
        began = time.monotonic()
        os.kill(plane.process_id, number)
        wait_for(lambda: has_ended(plane.process_id), "the server does not stop")

    # Far below the time that a request in progress has.
    assert time.monotonic() - began < SOON_SECONDS
