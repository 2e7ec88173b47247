"""One content, and who sends and reads it."""

from __future__ import annotations

from typing import Any

import pytest

from server.model.principal import Principal
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import digest

OCTETS = {"Content-Type": "application/octet-stream"}
CONTENT = b"some content of a build"
PATH = f"/artifacts/{digest(CONTENT)}"


def stored_files(services: Services) -> list[str]:
    """Return the names of all files in the blob folder, temporary ones included."""
    return sorted(path.name for path in services.config.blobs_path.rglob("*") if path.is_file())


@pytest.fixture
def operator(api: Any, acme: Tenant) -> Any:
    """Return the API of who may upload for the organization."""
    return api(acme.token("operate"))


@pytest.fixture
def reader(api: Any, acme: Tenant) -> Any:
    """Return the API of who may read everything."""
    return api(acme.token("read"))


def principal_of(services: Services, acme: Tenant) -> Principal:
    """Return who an operator of the organization is to the services."""
    return services.authenticator.authenticate(f"Bearer {acme.token('operate')}", None, "")
