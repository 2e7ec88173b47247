"""A control plane on a small disk, and how a test fills that."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from examples.demo.control_plane import ControlPlane
from tests.integration.live import PROJECT
from tests.integration.load import Response, Site
from tests.integration.small_disk import SmallDisk

DEADLINE_SECONDS = 60
LARGE = b"x" * 4 * 1024 * 1024
"""More than SQLite's log keeps room for."""


@contextmanager
def start_on(disk: SmallDisk) -> Iterator[ControlPlane]:
    """Serve a data folder on the disk."""
    (disk.folder / "data").mkdir(mode=0o700)
    # The disk is smaller than what is wanted by default.
    running = ControlPlane(PROJECT, disk.folder / "data", {"CHAINLOOP_MIN_FREE_BYTES": str(4 * 1024 * 1024)})
    try:
        running.wait()
        yield running
    finally:
        running.stop()


def operate(data: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run one of the operator's commands."""
    command = [sys.executable, "-m", "server", *map(str, words), "--data", str(data)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)


def code(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, json.loads(answer.data)["code"]


def fill_the_log(site: Site) -> Response:
    """Write until the database's log finds no room: until then it uses what it has."""
    end = time.monotonic() + DEADLINE_SECONDS
    while (answer := site.job().begin()).status_code == 201:
        assert time.monotonic() < end, "the disk is not full"
    return answer  # type: ignore[return-value]  # the same by HTTP


def ready(plane: ControlPlane) -> tuple[int, list[str]]:
    """Return what `/readyz` says."""
    answer = urllib3.request("GET", f"{plane.url}/readyz")
    return answer.status, [finding["code"] for finding in json.loads(answer.data)["findings"]]
