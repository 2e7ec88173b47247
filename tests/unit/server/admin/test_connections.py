from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from server.admin.connections import MIN_BODY_BYTES_PER_SECOND, SLOW_BODY_SECONDS, PatientSocket


@pytest.fixture
def pair() -> Iterator[tuple[PatientSocket, socket.socket]]:
    """Return a socket of the server, on which a request begins, and the client's."""
    ours, theirs = socket.socketpair()
    patient = PatientSocket(fileno=ours.detach())
    patient.begin_request()
    with patient, theirs:
        yield patient, theirs


def test_t30_a_body_that_came_slower_than_it_must_is_given_up(pair: tuple[PatientSocket, socket.socket]) -> None:
    patient, client = pair
    patient._waited_seconds = SLOW_BODY_SECONDS + 1
    client.sendall(b"x")

    with pytest.raises(TimeoutError, match="too slowly"):
        patient.recv(10)


def test_a_long_body_may_take_as_long_as_its_bytes_allow(pair: tuple[PatientSocket, socket.socket]) -> None:
    patient, client = pair
    patient._waited_seconds = SLOW_BODY_SECONDS + 3600
    patient._received_bytes = 3601 * MIN_BODY_BYTES_PER_SECOND
    client.sendall(b"x")

    assert patient.recv(10) == b"x"
