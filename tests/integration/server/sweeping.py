"""What tests of the dispatcher look at: rows, files and counters behind the server's back."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from server.model.sweeps import SweepState
from server.store import sweeps, tables
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import Job, digest

OCTETS = {"Content-Type": "application/octet-stream"}


def another(job: Job) -> Job:
    """Return another run of the same workflow, not begun."""
    return replace(job, run_id=str(uuid.uuid4()), materials={})


def last(services: Services, name: str) -> SweepState:
    """Return the last time of a sweep."""
    with services.database.read() as connection:
        found = sweeps.find(connection, name)
    assert found is not None
    return found


def blob(services: Services, content: bytes) -> Path:
    """Return the file that holds a content."""
    name = digest(content).removeprefix("sha256:")
    return services.config.blobs_path / name[:2] / name[2:4] / name


def kept(services: Services) -> set[str]:
    """Return the digests of all artifacts."""
    with services.database.read() as connection:
        return set(connection.execute(select(tables.artifacts.c.digest)).scalars())


def used_bytes(services: Services, tenant: Tenant) -> int:
    """Return how much of its quota an organization uses."""
    own = tables.organizations.c.id == tenant.id
    with services.database.read() as connection:
        return int(connection.execute(select(tables.organizations.c.used_bytes).where(own)).scalar_one())


def counted(services: Services, *names: str) -> list[int]:
    """Return the counters of those names."""
    with services.database.read() as connection:
        found = {row.name: row.value for row in connection.execute(select(tables.counters))}
    return [found.get(name, 0) for name in names]
