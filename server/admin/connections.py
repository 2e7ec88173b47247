"""Connections of clients that may be slow, broken or hostile: none of them holds a thread while it says nothing (T30).

Gunicorn's threaded worker reads a request's head in one of its few threads and waits there as long as the client likes.
Here the head, and a body that is short, are collected by the poller, which waits for hundreds of clients at once; a
thread is given when they are whole. How many longer bodies are read in threads at once is `BodyPlaces`' rule.
"""

from __future__ import annotations

import errno
import math
import os
import re
import socket
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn

from server.admin.malformed import HEAD_TOO_LARGE, MAX_HEAD_BYTES, render_malformed
from server.services.body_places import WAITED_FOR_BYTES

STALL_SECONDS = 30.0
"""A request is given up when not a byte of its body comes, or a block of its answer is not taken, for this long."""
SLOW_BODY_SECONDS = 20.0
"""So long may be waited for a body in any case; beyond it the body must have come at `MIN_BODY_BYTES_PER_SECOND`."""
MIN_BODY_BYTES_PER_SECOND = 4 * 1024

_READ_BYTES = 16 * 1024
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*0*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect[ \t]*:", re.IGNORECASE)
"""Such a client sends its body only when it was told to go on."""


class Head(Enum):
    """How far the head of the next request is, with its body when that is short."""

    PARTIAL = auto()
    WHOLE = auto()
    TOO_LONG = auto()
    GONE = auto()
    """The client has closed the connection."""


class PatientSocket(socket.socket):
    """A client's socket whose waits end; gunicorn knows only «blocks» and «does not»."""

    _waited_seconds = 0.0
    _received_bytes = 0

    def setblocking(self, flag: bool, /) -> None:
        """Wait up to `STALL_SECONDS`, or not at all."""
        self.settimeout(STALL_SECONDS if flag else 0.0)

    def begin_request(self) -> None:
        """Start to measure how fast the body comes."""
        self._waited_seconds, self._received_bytes = 0.0, 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Return what has come; only the time that the client made us wait counts.

        Raises:
            TimeoutError: nothing came, or all of it too slowly.
        """
        began = time.monotonic()
        block = super().recv(size, flags)
        self._waited_seconds += time.monotonic() - began
        self._received_bytes += len(block)
        if self._waited_seconds > SLOW_BODY_SECONDS + self._received_bytes / MIN_BODY_BYTES_PER_SECOND:
            raise TimeoutError("the body comes too slowly")
        return block

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send a block whole.

        Raises:
            ConnectionResetError: the client did not take it in time.
        """
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read its answer") from error


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection whose request heads are collected without waiting, and which ends without waiting."""

    def __init__(
        self, cfg: Any, client: socket.socket, address: Any, server: Any, linger: Callable[[Connection], None]
    ) -> None:
        super().__init__(cfg, PatientSocket(fileno=client.detach()), address, server)
        self.parser = get_parser(cfg, self.sock, address)
        # There is no TLS and no HTTP/2 to negotiate.
        self.initialized = self.data_ready = True
        self._linger = linger
        self._end = math.inf

    def receive_head(self) -> Head:
        """Take what has come of the next request's head and short body; they stay with gunicorn's parser."""
        self.sock.setblocking(False)
        buffer = self.parser.unreader.buf
        while (size := buffer.seek(0, os.SEEK_END)) < (wanted := self._find_end()):
            if wanted == math.inf and size > MAX_HEAD_BYTES:
                return Head.TOO_LONG
            try:
                block = self.sock.recv(_READ_BYTES)
            except BlockingIOError:
                return Head.PARTIAL
            except OSError:
                return Head.GONE
            if not block:
                # The answer to a body that broke off is the route's.
                return Head.GONE if wanted == math.inf else Head.WHOLE
            buffer.write(block)
        self._end = math.inf
        return Head.WHOLE

    def _find_end(self) -> float:
        """Return how much must have come before a thread is given; infinite while the head has no end."""
        if self._end == math.inf:
            head, end, _ = self.parser.unreader.buf.getvalue().partition(_HEAD_END)
            self._end = len(head) + len(end) + _awaited_body(head + end) if end else math.inf
        return self._end

    def refuse_head(self) -> None:
        """Answer a head that is too long, without waiting, and end."""
        try:
            self.sock.send(render_malformed(HEAD_TOO_LARGE))
        except OSError:
            self.close()
        else:
            self.close(graceful=True)

    def close(self, graceful: bool = False) -> None:
        """End; `graceful`: let the client read its answer first, even while it is still sending."""
        if graceful:
            self._linger(self)
        else:
            super().close()


def _awaited_body(head: bytes) -> int:
    """Return the length of a body that is waited for without a thread; 0 for one that is long, or held back."""
    length = _LENGTH.search(head)
    size = int(length[1]) if length and not _EXPECT.search(head) else 0
    return size if size <= WAITED_FOR_BYTES else 0
