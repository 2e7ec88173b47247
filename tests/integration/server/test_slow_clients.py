"""T30 against a real server: clients that say nothing more must not keep it from the others."""

from __future__ import annotations

import resource
import select
import socket
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.digests import sha256_digest
from examples.demo.control_plane import ControlPlane
from tests.integration.few_files import start_with_few_files
from tests.integration.live import CONTRACT, Tenant
from tests.soak.plane import wait_for

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "
HALF_A_BODY = (
    b"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
FEW_FILES = 768


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Return what closes connections at the end; this process may open enough of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            yield stack
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def connect(control_plane: Any, held: ExitStack) -> Any:
    """Return a function that opens a connection and sends the beginning of a request."""
    return lambda beginning: open_connection(control_plane, held, beginning)


@pytest.fixture(scope="module")
def small_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Run a control plane whose workers may open few files, so that there is room for 512 connections each."""
    plane = start_with_few_files(tmp_path_factory.mktemp("few-files"), FEW_FILES, CHAINLOOP_WORKERS="2")
    # The dispatcher comes after the workers.
    wait_for(lambda: len(workers_of(plane).split()) >= 3, "two workers and the dispatcher")
    yield plane
    plane.stop()


@pytest.fixture
def crowd(small_plane: ControlPlane, held: ExitStack) -> Any:
    """Return what `connect` is, for the control plane with little room."""
    return lambda beginning: open_connection(small_plane, held, beginning)


def open_connection(plane: Any, held: ExitStack, beginning: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", plane.port), timeout=30)
    held.enter_context(closing(connection))
    connection.sendall(beginning)
    return connection


def workers_of(control_plane: Any) -> str:
    master = control_plane.process_id
    return Path(f"/proc/{master}/task/{master}/children").read_text()


def read_answer(connection: socket.socket) -> bytes:
    """Read the whole answer of `/healthz` and return the beginning of its first line."""
    answer = b""
    while not answer.endswith(b"}"):
        block = connection.recv(4096)
        assert block, "the server ended the connection"
        answer += block
    return answer[:12]


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("beginning", [b"", b"\r\n", HALF_A_HEAD, HALF_A_BODY])
def test_t30_clients_that_stop_in_the_middle_do_not_keep_the_server_from_others(
    beginning: bytes, connect: Any, control_plane: Any
) -> None:
    for _ in range(100):
        connect(beginning)

    with urllib.request.urlopen(f"{control_plane.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_a_thousand_clients_keep_their_connections(connect: Any) -> None:
    clients = [connect(GET) for _ in range(1000)]
    first = {read_answer(client) for client in clients}

    for client in clients:
        client.sendall(GET)

    assert {read_answer(client) for client in clients} == first == {b"HTTP/1.1 200"}


def test_t30_more_connections_than_there_is_room_for_displace_the_idle_ones(crowd: Any, small_plane: Any) -> None:
    for _ in range(1300):
        crowd(HALF_A_HEAD)

    with urllib.request.urlopen(f"{small_plane.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_t30_clients_that_hold_answered_connections_do_not_keep_new_ones_out(crowd: Any) -> None:
    for _ in range(1300):
        crowd(GET).recv(4096)
    # More than what requests in progress may have left of the room.
    waiting = [crowd(b"") for _ in range(100)]

    for connection in waiting:
        connection.sendall(GET)

    assert {connection.recv(4096)[:12] for connection in waiting} == {b"HTTP/1.1 200"}


def test_t30_a_connection_that_speaks_while_it_is_displaced_ends_no_process(crowd: Any, small_plane: Any) -> None:
    processes = workers_of(small_plane)
    open_ones: deque[socket.socket] = deque()

    for _ in range(4000):
        open_ones.append(crowd(HALF_A_HEAD))
        if len(open_ones) > 1200:
            # These are the next to go: they say something in the moment in which they are closed.
            for oldest in list(islice(open_ones, 150, 350, 25)):
                with suppress(OSError):
                    oldest.send(b"a")
            open_ones.popleft().close()

    with urllib.request.urlopen(f"{small_plane.url}/healthz", timeout=10) as answer:
        assert answer.status == 200
    assert workers_of(small_plane) == processes


def test_a_head_that_comes_in_pieces_is_answered(connect: Any) -> None:
    connection = connect(HALF_A_HEAD)

    for piece in (b"1\r", b"\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: cl", b"ose\r\n\r\n"):
        connection.sendall(piece)

    assert read_to_end(connection).count(b"HTTP/1.1 200 OK") == 2


def test_t30_a_head_without_end_is_refused(connect: Any) -> None:
    connection = connect(HALF_A_HEAD)

    connection.sendall(b"a" * 33_000)

    assert read_to_end(connection).startswith(b"HTTP/1.1 431 ")


def test_a_short_body_that_comes_in_pieces_may_be_longer_than_a_head(connect: Any) -> None:
    head = b"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n"
    connection = connect(head + b"x" * 40_000)
    assert not select.select([connection], [], [], 0.2)[0]

    connection.sendall(b"x" * 20_000)

    assert read_to_end(connection).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it_at_once(connect: Any) -> None:
    head = b"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"
    connection = connect(head)
    connection.settimeout(5)

    assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")


def test_a_refused_client_that_is_still_sending_can_read_why(connect: Any) -> None:
    head = b"POST /api/v1/artifacts HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    connection = connect(head + b"Content-Length: 400000\r\n\r\n" + b"x" * 300_000)

    assert read_to_end(connection).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "request_line",
    [
        "POST /api/v1/artifacts|application/octet-stream|Content-Length: 1000000000",
        "POST /api/v1/artifacts|application/octet-stream|Transfer-Encoding: chunked",
        "POST /api/v1/artifacts|application/octet-stream|Content-Length: 5000\r\nExpect: 100-continue",
        "POST /api/v1/projects|application/json|Content-Length: 99",
        "POST /api/v1/projects|application/json|Content-Length: 900000",
        "POST /api/v1/projects|application/json|Transfer-Encoding: chunked",
        "POST /api/v1/projects|application/json|Content-Length: 99\r\nExpect: 100-continue",
        "PUT /api/v1/contracts/x|application/yaml|Content-Length: 200000",
    ],
)
def test_t30_a_token_that_sends_slowly_keeps_nobody_else_from_the_server(
    request_line: str, connect: Any, tenant: Any, control_plane: Any, tmp_path: Path
) -> None:
    line, media_type, length = request_line.split("|")
    head = f"{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.admin_token}\r\n"
    head += f"Content-Type: {media_type}\r\n{length}\r\n\r\n"
    other = Tenant(control_plane.url, tenant.instance_token, tmp_path)

    for _ in range(60):
        connect(head.encode())

    with urllib.request.urlopen(f"{control_plane.url}/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert upload(other, b"x" * 300_000) == 201
    other.put_contract(CONTRACT + "# " + "x" * 100_000)


def upload(tenant: Any, content: bytes) -> int:
    headers = {"Content-Type": "application/octet-stream"}
    return int(tenant.request("POST", "/artifacts", content, headers=headers).status)


def test_t30_a_token_that_reads_its_downloads_slowly_keeps_nobody_else_from_the_server(
    connect: Any, tenant: Any, control_plane: Any, tmp_path: Path
) -> None:
    content = b"x" * 32_000_000
    assert upload(tenant, content) == 201
    head = f"GET /api/v1/artifacts/{sha256_digest(content)} HTTP/1.1\r\nHost: x\r\n"
    other = Tenant(control_plane.url, tenant.instance_token, tmp_path)

    for _ in range(60):
        connect(f"{head}Authorization: Bearer {tenant.admin_token}\r\n\r\n".encode())

    with urllib.request.urlopen(f"{control_plane.url}/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert upload(other, b"x" * 300_000) == 201


def test_a_download_gives_its_place_back(tenant: Any) -> None:
    content = b"y" * 300_000
    upload(tenant, content)

    statuses = {tenant.request("GET", f"/artifacts/{sha256_digest(content)}").status for _ in range(40)}

    assert statuses == {200}


def test_t30_a_token_with_too_many_uploads_is_told_to_come_back(connect: Any, tenant: Any) -> None:
    head = "POST /api/v1/artifacts HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    head += f"Authorization: Bearer {tenant.admin_token}\r\nContent-Length: 1000000\r\n\r\n"
    connections = [connect(head.encode()) for _ in range(60)]

    readable, _, _ = select.select(connections, [], [], 10)
    answer = read_to_end(readable[0])

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 2" in answer
    assert b"uploads-busy" in answer


def test_a_short_download_needs_no_place(connect: Any, tenant: Any) -> None:
    content = b"z" * 1000
    upload(tenant, content)
    head = "POST /api/v1/artifacts HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    head += f"Authorization: Bearer {tenant.admin_token}\r\nContent-Length: 1000000\r\n\r\n"
    connections = [connect(head.encode()) for _ in range(60)]
    assert select.select(connections, [], [], 10)[0], "there are places left"

    statuses = {tenant.request("GET", f"/artifacts/{sha256_digest(content)}").status for _ in range(20)}

    assert statuses == {200}


def test_a_short_body_that_comes_in_pieces_is_answered(connect: Any, tenant: Any) -> None:
    body = b'{"name": "in-pieces"}'
    head = f"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.admin_token}\r\n"
    head += f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = connect(head.encode())

    for piece in (body[:4], body[4:]):
        connection.sendall(piece)

    assert read_to_end(connection).startswith(b"HTTP/1.1 201 ")


def test_a_short_body_that_breaks_off_is_refused(connect: Any, tenant: Any) -> None:
    head = f"POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.admin_token}\r\n"
    connection = connect(head.encode() + b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{")

    connection.shutdown(socket.SHUT_WR)

    assert read_to_end(connection).startswith(b"HTTP/1.1 422 ")


@pytest.mark.parametrize("size", [b"zz", b"-1"])
def test_t42_a_chunk_without_a_size_is_refused(size: bytes, connect: Any, tenant: Any) -> None:
    head = "POST /api/v1/artifacts HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    head += f"Authorization: Bearer {tenant.admin_token}\r\nTransfer-Encoding: chunked\r\n\r\n"

    connection = connect(head.encode() + size + b"\r\nx\r\n0\r\n\r\n")

    assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")
