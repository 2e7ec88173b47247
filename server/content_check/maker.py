"""A worker's connections: to the process that makes children (`fork_server`), and to each child."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import chainloop_ci
import server
from server.content_check.limits import END_BYTES, GRACE_SECONDS, MAX_ANSWER_BYTES, START_SECONDS, ChildEnd, ChildLimits
from server.content_check.wire import READY, Job, receive_frame, send_frame
from server.errors import CheckerUnavailableError

_PATH = tuple(dict.fromkeys(str(Path(module.__path__[0]).parent) for module in (server, chainloop_ci)))
"""Where the child finds these packages: it runs isolated, and they need not be installed."""
_START = (
    "import sys; sys.path[:0] = sys.argv[2:]; from server.content_check.fork_server import main; main(int(sys.argv[1]))"
)

Read = Callable[[], Iterable[bytes]]
"""Begins a document from its start."""


class Connection:
    """A child, and the word of its maker on how it ended."""

    def __init__(self, owner: str, limits: ChildLimits, data: socket.socket, status: socket.socket) -> None:
        self.owner = owner
        self.limits = limits
        self.documents = 0
        """How many it has seen."""
        self.is_overdue = False
        """It did not answer in time."""
        self._data = data
        self._status = status

    def ask(self, job: Job, read: Read, deadline: float) -> bytes | None:
        """Hand a document over and return the answer; None: there is none.

        Raises:
            AnswerInvalidError: what came is no answer.
        """
        self._data.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            send_frame(self._data, job.to_bytes())
            for block in read():
                if block:
                    send_frame(self._data, block)
            send_frame(self._data, b"")
            self._data.settimeout(max(0.001, deadline - time.monotonic()))
            return receive_frame(self._data, MAX_ANSWER_BYTES)
        except TimeoutError:
            self.is_overdue = True
        except ConnectionError:
            # It ended while we sent; its maker knows how.
            return None
        return None

    def end(self) -> ChildEnd:
        """Return how the child ended; one that is overdue is ended now.

        Raises:
            CheckerUnavailableError: its maker does not say.
        """
        self._status.settimeout(GRACE_SECONDS)
        try:
            if self.is_overdue:
                self._status.shutdown(socket.SHUT_WR)
            told = self._status.recv(END_BYTES)
        except OSError:
            told = b""
        if len(told) != END_BYTES:
            raise CheckerUnavailableError("the process that makes checks is gone")
        return ChildEnd.from_bytes(told)

    def close(self) -> None:
        """Hang up; the child is ended."""
        self._data.close()
        self._status.close()


class Maker:
    """The process that makes children, as its worker sees it."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, str(theirs.fileno()), *_PATH],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                # Ctrl-C on a terminal goes to the server, which ends this in its own time.
                start_new_session=True,
            )
        self._end = weakref.finalize(self, _end_maker, self._process, self._control)
        self._await_ready()

    def _await_ready(self) -> None:
        self._control.settimeout(START_SECONDS)
        try:
            ready = self._control.recv(1) == READY
        except OSError:
            ready = False
        if ready:
            self._control.settimeout(GRACE_SECONDS)
            return
        self._process.kill()
        said = self._process.stderr.read(2000).decode(errors="replace") if self._process.stderr else ""
        self.end()
        raise CheckerUnavailableError(f"the process that looks at documents did not start: {said.strip()[-200:]}")

    def is_gone(self) -> bool:
        """Tell whether it ended, or belongs to the process that this one was forked from."""
        return self._owner != os.getpid() or self._process.poll() is not None

    def make(self, owner: str, limits: ChildLimits) -> Connection:
        """Ask for a child.

        Raises:
            CheckerUnavailableError: the maker does not take the order.
        """
        data, their_data = socket.socketpair()
        status, their_status = socket.socketpair()
        with their_data, their_status:
            try:
                socket.send_fds(self._control, [limits.to_bytes()], [their_data.fileno(), their_status.fileno()])
            except OSError as error:
                data.close()
                status.close()
                raise CheckerUnavailableError("the process that makes checks is gone") from error
        return Connection(owner, limits, data, status)

    def end(self) -> None:
        """End it, with all its children, and wait until it is gone."""
        self._end()


def _end_maker(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    if process.stderr:
        process.stderr.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
        return
    process.kill()
    process.wait()
