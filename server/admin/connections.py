"""Connections of clients that may be slow, broken or hostile: none of them holds a thread while it says nothing (T30).

Gunicorn's threaded worker reads a request's head in one of its few threads and waits there as long as the client likes.
Here the head is collected by the poller, which waits for hundreds of clients at once; a thread is given to whole heads.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn

from server.admin.malformed import HEAD_TOO_LARGE, MAX_HEAD_BYTES, render_malformed

STALL_SECONDS = 30.0
"""A request is given up when not a byte of its body comes, or a block of its answer is not taken, for this long."""
SLOW_BODY_SECONDS = 20.0
"""So long may be waited for a body in any case; beyond it the body must have come at `MIN_BODY_BYTES_PER_SECOND`."""
MIN_BODY_BYTES_PER_SECOND = 4 * 1024

_READ_BYTES = 16 * 1024
_HEAD_END = b"\r\n\r\n"


class Head(Enum):
    """How far the head of the next request is."""

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

    def receive_head(self) -> Head:
        """Take what has come of the next request's head; what follows it stays with gunicorn's parser."""
        self.sock.setblocking(False)
        buffer = self.parser.unreader.buf
        while _HEAD_END not in buffer.getvalue():
            if buffer.seek(0, os.SEEK_END) > MAX_HEAD_BYTES:
                return Head.TOO_LONG
            try:
                block = self.sock.recv(_READ_BYTES)
            except BlockingIOError:
                return Head.PARTIAL
            except OSError:
                return Head.GONE
            if not block:
                return Head.GONE
            buffer.write(block)
        return Head.WHOLE

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
