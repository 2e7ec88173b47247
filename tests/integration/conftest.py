"""Fixtures for tests that cross processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane
from tests.canaries import PLANTED, require_silence
from tests.integration.live import Job, Tenant, start_control_plane


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Run one control plane for all tests of this process."""
    running = start_control_plane(tmp_path_factory.mktemp("control-plane"))
    yield running
    running.stop()
    require_silence("the server's log", running.log.read_text(encoding="utf-8", errors="replace"), PLANTED)


@pytest.fixture
def tenant(control_plane: ControlPlane, tmp_path: Path) -> Tenant:
    """Return a new organization with its administrator's token."""
    return Tenant(control_plane.url, control_plane.token_file.read_text().strip(), tmp_path)


@pytest.fixture
def job(tenant: Tenant) -> Job:
    """Return a job of a new workflow that must attest a binary and a version."""
    return tenant.job()
