"""In what order those who write to the embedded database get it: threads of one process, and processes.

SQLite keeps writers apart and has no queue for them: who finds the file locked sleeps, ever longer, up to a tenth of a
second, and asks again. Whoever writes again and again, as the dispatcher does while there is something to tell, is
served in between each time; a request waits for as long as that goes on. So threads queue for a lock of their process,
and processes for two bytes of a file that lies beside the database: who holds the first one writes, who holds the
second one is the next, and only he asks for the first.

It is a courtesy: what keeps writers apart is SQLite. Who does not get his turn in time asks SQLite all the same, and
who knows nothing of the queue is served as ever.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from server.errors import StoreBusyError

SUFFIX = "-turns"
"""Ends the name of the file, which stays empty, after that of the database."""
LOOK_SECONDS = 0.0005
"""So often who waits for another process looks: at most two of a machine's processes do, each with one thread."""
LONGEST_TURN_SECONDS = 1.0
"""Who waits longer than this waits for a process that was stopped within its turn."""
STUCK_SECONDS = 10.0
"""So long nobody waits for a turn any more after waiting in vain: one look, and SQLite decides."""
UNCOUNTED_SECONDS = 0.5
"""So short a wait takes nothing from the patience: to make a connection wait for less than usual costs statements."""
GIVE_WAY_SECONDS = 0.05
"""So long somebody who can wait lets others go first: then it is his turn too."""

TURN_SECONDS = 0.01
"""So long somebody writes while others wait: a process's threads in one turn, the dispatcher in one transaction."""

_TURN, _NEXT = 0, 1


class WriterTurns:
    """The turns of one process: its threads come one after the other, and several of them in one turn among processes.

    Another process takes a while to notice that it is its turn, most of all on a machine that is busy.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        processes: ProcessQueue | None = None,
    ) -> None:
        """Without `processes` others are the engine's to keep out."""
        self._monotonic = monotonic
        self._sleep = sleep
        self._processes = processes
        self._lock = threading.Lock()
        self._state = threading.Lock()
        self._waiting = 0
        self._ours_since: float | None = None
        self._stuck_until: float | None = None

    @contextmanager
    def wait(self, patience_seconds: float) -> Iterator[float]:
        """Hold the turn; yield what is left of the patience.

        Raises:
            StoreBusyError: others of this process held it for longer.
        """
        began = self._monotonic()
        self._wait_for_threads(patience_seconds)
        try:
            self._wait_for_processes(began + patience_seconds)
            waited = self._monotonic() - began
            yield patience_seconds if waited < UNCOUNTED_SECONDS else max(0.0, patience_seconds - waited)
        finally:
            with self._state:
                self._end()

    def give_way(self) -> None:
        """Wait until nobody writes or waits for it, but not for long: for whoever can wait, before his own turn."""
        end = self._monotonic() + GIVE_WAY_SECONDS
        while not self._is_free() and self._monotonic() < end:
            self._sleep(LOOK_SECONDS)

    def is_waited_for(self) -> bool:
        """Tell whether a thread or another process waits; for who holds the turn."""
        if self._waiting or self._processes is None:
            return self._waiting > 0
        # Where the turn did not come in time nobody knows.
        return self._ours_since is None or self._processes.is_waited_for()

    def _is_free(self) -> bool:
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._processes is None or (self._ours_since is None and self._processes.is_free())
        finally:
            self._lock.release()

    def _wait_for_threads(self, patience_seconds: float) -> None:
        if self._lock.acquire(blocking=False):
            return
        with self._state:
            self._waiting += 1
        is_taken = self._lock.acquire(timeout=patience_seconds)
        with self._state:
            self._waiting -= 1
            if is_taken:
                return
            if self._lock.acquire(blocking=False):
                # The turn was kept for this thread.
                self._end()
        raise StoreBusyError()

    def _wait_for_processes(self, end: float) -> None:
        if self._processes is None or self._ours_since is not None:
            return
        now = self._monotonic()
        is_stuck = self._stuck_until is not None and now < self._stuck_until
        end = now if is_stuck else min(end, now + LONGEST_TURN_SECONDS)
        while not self._processes.begin():
            if self._monotonic() >= end:
                self._processes.give_up()
                # Else the threads of this process would wait for it one after the other, and most of them in vain.
                self._stuck_until = self._stuck_until if is_stuck else self._monotonic() + STUCK_SECONDS
                return
            self._sleep(LOOK_SECONDS)
        self._ours_since, self._stuck_until = self._monotonic(), None

    def _end(self) -> None:
        """Let the next thread have it, in the same turn among processes if that was short; `_state` is held."""
        since = self._ours_since
        is_over = since is not None and (not self._waiting or self._monotonic() - since >= TURN_SECONDS)
        if self._processes and is_over:
            self._processes.end()
            self._ours_since = None
        self._lock.release()


class ProcessQueue:
    """Two bytes of a file. A lock of `fcntl` belongs to the process, and ends with it however it ends.

    One thread of a process at a time may use it.
    """

    def __init__(self, database: Path) -> None:
        """`database` is the file that is written to."""
        self._path = database.with_name(database.name + SUFFIX)
        self._file: int | None = None

    def begin(self) -> bool:
        """Take the turn, or stay the next; tell whether it is ours. Without the file everybody is served at once."""
        file = self._open()
        if file is None:
            return True
        if not (_lock(file, _NEXT) and _lock(file, _TURN)):
            return False
        _unlock(file, _NEXT)
        return True

    def give_up(self) -> None:
        """Be the next no more."""
        if self._file is not None:
            _unlock(self._file, _NEXT)

    def end(self) -> None:
        """End the turn."""
        if self._file is not None:
            _unlock(self._file, _TURN)

    def is_waited_for(self) -> bool:
        """Tell whether another process is the next; for who holds the turn."""
        if self._file is None:
            return False
        is_ours = _lock(self._file, _NEXT)
        if is_ours:
            _unlock(self._file, _NEXT)
        return not is_ours

    def is_free(self) -> bool:
        """Tell whether no other process writes or is the next."""
        file = self._open()
        if file is None:
            return True
        found = _lock(file, _NEXT) and _lock(file, _TURN)
        _unlock(file, _TURN)
        _unlock(file, _NEXT)
        return found

    def _open(self) -> int | None:
        if self._file is None:
            # No descriptor left, or a folder that takes no files: the database itself will say so.
            with suppress(OSError):
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                self._file = os.open(self._path, flags, 0o600)
                weakref.finalize(self, os.close, self._file)
        return self._file


def _lock(file: int, byte: int) -> bool:
    """Lock one byte, or do so again; tell whether it is ours."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # which of the two is the system's choice (POSIX, fcntl)
        return False
    except OSError:
        # A file system without locks: then there is no queue.
        return True
    return True


def _unlock(file: int, byte: int) -> None:
    with suppress(OSError):
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
