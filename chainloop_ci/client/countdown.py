"""How long an answer may take in all: a server that sends one byte now and then is as good as silent (T30).

A socket's own timeout starts again with each byte. Here the head of an answer has an absolute end, and so has a small
body; a larger one must go on at `MIN_BYTES` for each length of the deadline, whatever came before.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

MIN_BYTES = 128 * 1024
"""Least progress for each length of the deadline, some 7 KiB/s; a smaller answer ends within one of them."""


class Countdown:
    """The time that is left for the answer that is being read. A client has one: its requests follow each other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = 0.0
        self._seconds = 0.0
        self._received: int | None = None

    def begin(self, seconds: float) -> None:
        """Start the time for the head of an answer."""
        self._seconds = seconds
        self._ends = self._clock() + seconds
        self._received = None

    def begin_body(self, seconds: float) -> None:
        """Let progress count from now on; `seconds` is the time for each next `MIN_BYTES`."""
        self._seconds = seconds
        self._received = 0

    def count(self, size_bytes: int) -> None:
        """Note bytes that came."""
        if self._received is None:
            return  # a head that goes on and on is no progress
        self._received += size_bytes
        if self._received >= MIN_BYTES:
            self._received = 0
            self._ends = self._clock() + self._seconds

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none.
        """
        left = self._ends - self._clock()
        if left <= 0:
            raise TimeoutError("the answer came too slowly")
        return left


def response_class(countdown: Countdown) -> Callable[..., HTTPResponse]:
    """Return the class of `http.client` responses that are read under a countdown."""

    class Response(HTTPResponse):
        def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
            super().__init__(sock, *arguments, **options)
            slow = self.fp
            self.fp = io.BufferedReader(_Reader(sock, countdown))
            slow.close()

    return Response


class _Reader(io.RawIOBase):
    """Reads a socket; no read takes longer than what is left."""

    def __init__(self, sock: Any, countdown: Countdown) -> None:
        self._sock = sock
        self._stream = sock.makefile("rb", buffering=0)
        self._countdown = countdown

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._countdown.remaining())
        count: int | None = self._stream.readinto(buffer)
        self._countdown.count(count or 0)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
