"""Servers that drip: one byte now and then keeps a socket's timeout from ever ending (T30)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chainloop_ci.client.countdown import MIN_BYTES, Countdown
from chainloop_ci.client.http import Address, HttpClient, Patience
from chainloop_ci.errors import UnreachableError
from tests.unit.dripping_server import HEAD, dripping
from tests.unit.stub_server import Reply

TOKEN = "clp_the-token"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("first", "drop"),
    [(HEAD, b" "), (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"H", b"")],
    ids=["body", "header", "continue for ever", "silence"],
)
def test_a_small_answer_has_an_absolute_end(first: bytes, drop: bytes) -> None:
    with dripping(first, drop) as url, pytest.raises(UnreachableError) as caught:
        HttpClient(Address(url, TOKEN), Patience(limit_seconds=0.4)).json("POST", "whoami", {})

    assert url in str(caught.value)


def test_a_dripping_download_ends(tmp_path) -> None:
    with dripping(HEAD, b" ") as url:
        client = HttpClient(Address(url, TOKEN), Patience(limit_seconds=0.4))

        with pytest.raises(UnreachableError, match="came too slowly"), client.stream("artifacts/x") as (_, blocks):
            list(blocks)


def test_a_download_that_goes_on_may_take_longer_than_the_deadline() -> None:
    size = 40 * MIN_BYTES
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    with dripping(head, b"x" * MIN_BYTES) as url:
        client = HttpClient(Address(url, TOKEN), Patience(limit_seconds=0.4))

        with client.stream("artifacts/x") as (_, blocks):
            received = sum(map(len, blocks))

    assert received == size


def test_the_head_gets_no_time_for_what_comes() -> None:
    clock = Clock()
    countdown = Countdown(clock)
    countdown.begin(10)

    clock.now = 9
    countdown.count(MIN_BYTES)

    assert countdown.remaining() == 1


@pytest.mark.parametrize(("size", "left"), [(MIN_BYTES - 1, 1), (MIN_BYTES, 10)])
def test_only_enough_of_a_body_starts_the_time_again(size: int, left: int) -> None:
    clock = Clock()
    countdown = Countdown(clock)
    countdown.begin(10)
    countdown.begin_body(10)

    clock.now = 9
    countdown.count(size)

    assert countdown.remaining() == left


def test_a_body_goes_on_by_its_own_time_not_by_that_of_its_head() -> None:
    clock = Clock()
    countdown = Countdown(clock)
    countdown.begin(10)
    countdown.begin_body(30)

    countdown.count(MIN_BYTES)

    assert countdown.remaining() == 30


def test_speed_before_buys_no_time_later() -> None:
    clock = Clock()
    countdown = Countdown(clock)
    countdown.begin(10)
    countdown.begin_body(10)
    for _ in range(1000):
        countdown.count(MIN_BYTES)

    clock.now = 10

    with pytest.raises(TimeoutError, match="too slowly"):
        countdown.remaining()


def test_a_next_request_on_the_same_connection_has_its_own_time(client: HttpClient, stub, problem: Callable) -> None:
    stub.replies = [Reply(200, b"{}")]

    answers = [client.json("GET", "whoami") for _ in range(3)]

    assert answers == [{}, {}, {}]
