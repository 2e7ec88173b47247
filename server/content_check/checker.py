"""The worker's side of content checks: starts the process that makes children, and asks one per attestation."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.types import Checked
from server.content_check.budget import MemoryBudget
from server.content_check.limits import (
    MAX_DOCUMENTS,
    MAX_IDLE,
    MAX_KEPT_DOCUMENT_BYTES,
    WAIT_SECONDS,
    WALL_SECONDS,
    ChildLimits,
    memory_for,
)
from server.content_check.maker import Connection, Maker, Read
from server.content_check.wire import (
    AnswerInvalidError,
    CheckOutcome,
    Job,
    Stopped,
    StopReason,
    read_answer,
)
from server.errors import CheckerBusyError, CheckerUnavailableError

_XCPU = 24
"""SIGXCPU: the processor time is used up (signal(7))."""
_KILL = 9

_STOPS = {
    StopReason.TIME: CheckOutcome.TIME_LIMIT,
    StopReason.MEMORY: CheckOutcome.MEMORY_LIMIT,
    StopReason.CRASHED: CheckOutcome.CRASHED,
}

_log = logging.getLogger("server.content_check")


class ContentChecker:
    """Checks documents in limited child processes. One per process of the server; safe for any number of threads."""

    def __init__(self, memory_bytes: int, count: Callable[[CheckOutcome], None] | None = None) -> None:
        """Take how much memory all checks together may have; nothing is started before the first one.

        `count` hears what came of each document.
        """
        self.memory_bytes = memory_bytes
        self._count = count or (lambda outcome: None)
        self._budget = MemoryBudget(memory_bytes)
        self._lock = threading.Lock()
        self._maker: Maker | None = None
        self._idle: deque[Connection] = deque()

    @contextmanager
    def session(
        self, owner: str, largest_bytes: int, *, limits: ChildLimits | None = None, wall_seconds: float = WALL_SECONDS
    ) -> Iterator[Session]:
        """Open the checks of one attestation of the organization `owner`; its largest document has so many bytes.

        Raises:
            CheckerBusyError: other checks hold the memory; the request may be repeated.
        """
        limits = limits or ChildLimits(memory_for(largest_bytes))
        try:
            with self._budget.reserve(owner, limits.memory_bytes, WAIT_SECONDS):
                session = Session(partial(self._make, owner, limits), limits, wall_seconds, self._count)
                try:
                    yield session
                finally:
                    self._put_back(session.child, largest_bytes)
        except (CheckerBusyError, CheckerUnavailableError) as error:
            self._count(CheckOutcome.PUT_OFF)
            _log.warning("content check put off: %s", error.message)
            raise

    def close(self) -> None:
        """End the children and what makes them; the next check starts anew."""
        with self._lock:
            maker, self._maker = self._maker, None
            idle, self._idle = self._idle, deque()
        for connection in idle:
            connection.close()
        if maker:
            maker.end()

    def _make(self, owner: str, limits: ChildLimits, *, is_fresh: bool) -> Connection:
        """Return a child: one of the same organization that waits, unless a fresh one is wanted."""
        with self._lock:
            if self._maker and self._maker.is_gone():
                self._maker.end()
                self._maker = None
                while self._idle:
                    self._idle.pop().close()
            waiting = [item for item in self._idle if (item.owner, item.limits) == (owner, limits)]
            if waiting and not is_fresh:
                self._idle.remove(waiting[-1])
                return waiting[-1]
            self._maker = self._maker or Maker()
            return self._maker.make(owner, limits)

    def _put_back(self, child: Connection | None, largest_bytes: int) -> None:
        """Keep a child that did well for the next attestation of its organization; the one that waits longest goes."""
        unwanted = child
        if child and child.documents < MAX_DOCUMENTS and largest_bytes <= MAX_KEPT_DOCUMENT_BYTES:
            with self._lock:
                self._idle.append(child)
                unwanted = self._idle.popleft() if len(self._idle) > MAX_IDLE else None
        if unwanted:
            unwanted.close()


class Make(Protocol):
    """Gives a child."""

    def __call__(self, *, is_fresh: bool) -> Connection:
        """Return a child; `is_fresh`: one that has seen no document."""


class Session:
    """The documents of one attestation, one after the other in one child; a new one follows a child that ended."""

    def __init__(
        self, make: Make, limits: ChildLimits, wall_seconds: float, count: Callable[[CheckOutcome], None]
    ) -> None:
        self._make = make
        self._count = count
        self._limits = limits
        self._deadline = time.monotonic() + wall_seconds
        self.child: Connection | None = None
        """The one that is at work, or waits for more."""

    def check(self, job: Job, read: Read) -> Checked | Stopped:
        """Return what a document is, or why nobody can say.

        A child that has seen other documents, or that somebody else killed, proves nothing about this one: it is
        looked at once more in a fresh child before it is judged.

        Raises:
            MaterialRejectedError: it is not what its type says.
            CheckerBusyError: the machine had no processor time for it.
            CheckerUnavailableError: the system gives no processes.
        """
        try:
            result = self._check(job, read)
        except MaterialRejectedError:
            self._count(CheckOutcome.REJECTED)
            raise
        self._count(_STOPS[result.reason] if isinstance(result, Stopped) else CheckOutcome.ACCEPTED)
        if isinstance(result, Stopped):
            _log.warning("content check stopped: %s (%s): %s", result.reason.value, result.detail, job.type.value)
        return result

    def _check(self, job: Job, read: Read) -> Checked | Stopped:
        self.child = self.child or self._make(is_fresh=False)
        was_used = self.child.documents > 0
        result = self._try(self.child, job, read)
        if isinstance(result, Stopped) and (was_used or result.detail == _signal(_KILL)):
            self.child = self._make(is_fresh=True)
            result = self._try(self.child, job, read)
        return result

    def _try(self, child: Connection, job: Job, read: Read) -> Checked | Stopped:
        child.documents += 1
        try:
            answer = child.ask(job, read, self._deadline)
            result = self._judge(child) if answer is None else read_answer(answer)
        except MaterialRejectedError:
            # A verdict like any other: the child may go on.
            raise
        except AnswerInvalidError as error:
            result = Stopped(StopReason.CRASHED, str(error))
        except BaseException:
            self._drop(child)
            raise
        if isinstance(result, Stopped):
            self._drop(child)
        return result

    def _drop(self, child: Connection) -> None:
        self.child = None
        child.close()

    def _judge(self, child: Connection) -> Stopped:
        end = child.end()
        if not end.was_made:
            raise CheckerUnavailableError("the system gives no process for it")
        if child.is_overdue and end.cpu_seconds < self._limits.cpu_seconds / 4:
            raise CheckerBusyError("the machine is too busy to look at the documents in time")
        if not child.is_overdue and not end.signal:
            # No document makes it do that: the system did not let it become what it has to be.
            raise CheckerUnavailableError("the process that looks at them ended by itself")
        if child.is_overdue or end.signal == _XCPU:
            return Stopped(StopReason.TIME, f"{end.cpu_seconds:.1f} s of processor time")
        return Stopped(StopReason.CRASHED, _signal(end.signal))


def _signal(number: int) -> str:
    return f"signal {number}"
