"""A process that may open no more files (`ulimit -n`) refuses what it cannot do, says why, and recovers by itself."""

import socket
import subprocess
from contextlib import ExitStack

import pytest

from tests.integration.few_files import start_with_few_files
from tests.integration.live import Tenant
from tests.integration.load import Acknowledged, Site, push_one
from tests.waiting import wait_for

OPEN_FILES = 64
CONNECTIONS = 100
DEADLINE_SECONDS = 60


@pytest.fixture
def plane(tmp_path):
    """Run a control plane of one worker that may open few files."""
    running = start_with_few_files(tmp_path, OPEN_FILES, CHAINLOOP_WORKERS="1", CHAINLOOP_MIN_FREE_BYTES="0")
    yield running
    running.stop()


def children(plane):
    found = subprocess.run(["pgrep", "-P", str(plane.process_id)], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def wait_for_log(plane, text):
    wait_for(lambda: text in plane.log.read_text(), f"{text!r} is in the log", seconds=DEADLINE_SECONDS)


@pytest.mark.real("pgrep")
def test_more_connections_than_open_files_end_no_worker_and_keep_no_request_out(plane, tmp_path):
    site = Site(Tenant(plane.url, plane.token_file.read_text().strip(), tmp_path))
    push_one(site, Acknowledged())
    before = children(plane)

    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(socket.create_connection(("127.0.0.1", plane.port)))
        wait_for_log(plane, "a connection cannot be taken: Too many open files")
        said = {site.job().begin().status_code for _ in range(5)}

    assert said <= {201, 503}
    push_one(site, Acknowledged())
    assert children(plane) == before
    assert "Traceback" not in plane.log.read_text()
