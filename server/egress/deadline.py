"""How long a request may take in all: a host that sends one byte now and then is as good as silent (T33)."""

from __future__ import annotations

import io
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any


class Deadline:
    """The end of one request, from its name's resolution to the last byte of its answer."""

    def __init__(self, monotonic: Callable[[], float], seconds: float) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + seconds
        self.seconds = seconds

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none.
        """
        left = self._ends - self._monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole request is over")
        return left


def reader(deadline: Callable[[], Deadline]) -> Callable[..., HTTPResponse]:
    """Return the class of `http.client` answers whose every read ends at the deadline of the time."""

    class Response(HTTPResponse):
        def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
            super().__init__(sock, *arguments, **options)
            without_end = self.fp
            self.fp = io.BufferedReader(_Reader(sock, deadline()))
            without_end.close()

    return Response


class _Reader(io.RawIOBase):
    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self._sock = sock
        self._stream = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.remaining())
        count: int | None = self._stream.readinto(buffer)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
