"""A stub of the control plane, and clients for it that do not sleep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chainloop_ci.client.http import Address, HttpClient, Patience
from tests.unit.stub_server import Reply, StubServer, stub_server

TOKEN = "clp_the-token"


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """Run a server that answers what the test tells it to."""
    with stub_server() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """Return the pauses that a client made, in seconds."""
    return []


@pytest.fixture
def patience(pauses: list[float]) -> Patience:
    """Return a patience that notes its pauses instead of sleeping; time passes in them only."""
    return Patience(clock=lambda: sum(pauses), sleep=pauses.append, jitter=lambda: 0.5)


@pytest.fixture
def client(stub: StubServer, patience: Patience) -> HttpClient:
    """Return a client of the stub."""
    return HttpClient(Address(stub.url, TOKEN, user_agent="chainloop-ci/test"), patience)


@pytest.fixture
def problem() -> Callable[..., Reply]:
    """Return a maker of problem documents."""

    def make(status: int, code: str, **more: Any) -> Reply:
        document = {"type": f"urn:chainloop:problem:{code}", "title": "t", "status": status, "code": code, **more}
        return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/problem+json"})

    return make
