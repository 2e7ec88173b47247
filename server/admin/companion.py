"""A process that lives beside the web workers: started by their master, started again when it dies, ended with it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

FIRST_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 60.0
"""A companion that keeps dying is started again after twice the time, up to this."""
SETTLED_SECONDS = 60.0
"""One that lived so long is well: the next time it dies counts as the first."""
END_SECONDS = 5.0
"""Told to end, it gets so long for the step that it is at unless its maker says otherwise; it is safe to be killed at
any moment."""
AT_ONCE_SECONDS = 0.5

_log = structlog.get_logger("server.master")


class Companion:
    """One such process. All methods are the master's, and none waits, except `end`."""

    def __init__(
        self,
        work: Callable[[], bool],
        *,
        end_seconds: float = END_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`work` is done in the forked process, whose exit status says whether it returned True."""
        self._work = work
        self._monotonic = monotonic
        self._end_seconds = end_seconds
        self._pid = 0
        # Its other end is open in the companion only: it closes when that ends, however it ends.
        self._alive: int | None = None
        self._started = 0.0
        self._delay = FIRST_DELAY_SECONDS
        self._not_before = 0.0

    @property
    def pid(self) -> int:
        """Return the process id of the one that runs; 0: none does."""
        return self._pid

    def tend(self, release: Callable[[], None]) -> None:
        """Start it if it does not run; the forked process calls `release` to let go of what is the master's alone."""
        if self._alive is not None and not self._has_ended(0):
            return
        if self._alive is not None:
            self._note_end()
        if self._monotonic() >= self._not_before:
            self._start(release)

    def ask_to_end(self) -> None:
        """Tell it to end, and start no other."""
        self._not_before = float("inf")
        if self._alive is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def end(self, *, at_once: bool) -> None:
        """Wait until it has ended, and kill it if it does not."""
        self.ask_to_end()
        if self._alive is None:
            return
        if not self._has_ended(AT_ONCE_SECONDS if at_once else self._end_seconds):
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            if not self._has_ended(END_SECONDS):
                # It hangs in the system, where nobody can wait for it.
                return
        self._forget()

    def _start(self, release: Callable[[], None]) -> None:
        alive, held = os.pipe()
        # Signals wait until the process has handlers of its own: those it inherits would swallow them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        pid = os.fork()
        if pid == 0:
            os.close(alive)
            self._be_companion(release)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(held)
        self._pid, self._alive, self._started = pid, alive, self._monotonic()

    def _be_companion(self, release: Callable[[], None]) -> None:
        status = 1
        try:
            for number in (signal.SIGCHLD, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH):
                signal.signal(number, signal.SIG_IGN)
            release()
            status = 0 if self._work() else 1
        except BaseException as error:  # noqa: BLE001  # nothing of it may go on as the master
            _log.error("companion-failed", exc_info=error)
        finally:
            # Not the interpreter's way out, which would end what is the master's.
            os._exit(status)

    def _has_ended(self, seconds: float) -> bool:
        if self._alive is None:
            return True
        poll = select.poll()
        poll.register(self._alive, select.POLLIN | select.POLLHUP)
        return bool(poll.poll(int(seconds * 1000)))

    def _note_end(self) -> None:
        now = self._monotonic()
        if now - self._started >= SETTLED_SECONDS:
            self._delay = FIRST_DELAY_SECONDS
        _log.warning("dispatcher-died", pid=self._pid, next_start_in_seconds=self._delay)
        self._not_before = max(self._not_before, now + self._delay)
        self._delay = min(2 * self._delay, MAX_DELAY_SECONDS)
        self._forget()

    def _forget(self) -> None:
        if self._alive is not None:
            os.close(self._alive)
        # It is gone but for its entry, unless the master, which reaps all its children, was first.
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._pid, self._alive = 0, None
