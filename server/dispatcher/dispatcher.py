"""The dispatcher's work: every sweep that is due, under its lease. Any number of dispatchers may run at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from chainloop_ci.errors import ChainloopError
from server.dispatcher.sweeps import SWEEPS, Cleaners, Sweep
from server.model.sweeps import LEASE, SweepOutcome
from server.services.sweep_log import SweepLog

_log = structlog.get_logger("server.dispatcher")


class Dispatcher:
    """Does what is due, and says what it did."""

    def __init__(
        self,
        cleaners: Cleaners,
        log: SweepLog,
        *,
        holder: str,
        is_stopping: Callable[[], bool] = lambda: False,
        pause: Callable[[], object] = lambda: None,
        sweeps: tuple[Sweep, ...] = SWEEPS,
    ) -> None:
        """`holder` tells this dispatcher from all others; `is_stopping` is asked after every step of a sweep.

        After each step comes a `pause`, in which writers that wait for the database get it.
        """
        self._cleaners = cleaners
        self._now = cleaners.now
        self._sweep_log = log
        self._holder = holder
        self._is_stopping = is_stopping
        self._pause = pause
        self._sweeps = sweeps

    def run(self, *, only_due: bool = True) -> bool:
        """Do every sweep that is due, or with `only_due=False` every one that nobody is at; tell whether none failed.

        One that fails is written down with the code of its error, and the others go on.
        """
        outcomes = [self._run_one(sweep, only_due=only_due) for sweep in self._sweeps if not self._is_stopping()]
        return all(outcomes)

    def _run_one(self, sweep: Sweep, *, only_due: bool) -> bool:
        try:
            if not self._sweep_log.claim(sweep.name, self._holder, only_due=only_due):
                return True
            outcome, counts = self._take_steps(sweep)
        except Exception as error:  # noqa: BLE001  # whatever one sweep meets, the others go on
            _log_failure(sweep, error)
            self._finish(sweep, SweepOutcome.FAILED, {"error": _code(error)})
            return False
        # Most find nothing to do, every minute.
        say = _log.info if any(counts.values()) or outcome is not SweepOutcome.DONE else _log.debug
        say("sweep", sweep=sweep.name, outcome=outcome.value, **counts)
        return self._finish(sweep, outcome, counts)

    def _take_steps(self, sweep: Sweep) -> tuple[SweepOutcome, Counter[str]]:
        """Do a sweep as long as it is ours and nobody asks us to stop, and return what it did."""
        done: Counter[str] = Counter()
        renewed_at = self._now()
        for counts in sweep.steps(self._cleaners):
            done.update(counts)
            self._pause()
            if self._is_stopping():
                return SweepOutcome.STOPPED, done
            if self._now() - renewed_at >= LEASE / 4:
                if not self._sweep_log.renew(sweep.name, self._holder):
                    return SweepOutcome.STOPPED, done
                renewed_at = self._now()
        return SweepOutcome.DONE, done

    def _finish(self, sweep: Sweep, outcome: SweepOutcome, detail: Mapping[str, object]) -> bool:
        try:
            self._sweep_log.finish(sweep.name, self._holder, outcome, detail)
        except Exception as error:  # noqa: BLE001  # the lease ends by itself, and the sweep is done again
            _log.warning("sweep-not-written-down", sweep=sweep.name, error=_code(error))
            return False
        return True


def make_dispatcher(
    cleaners: Cleaners,
    *,
    holder: str,
    is_stopping: Callable[[], bool] = lambda: False,
    pause: Callable[[], object] = lambda: None,
) -> Dispatcher:
    """Return a dispatcher of all sweeps; `holder` tells it from all others."""
    log = SweepLog(cleaners.database, cleaners.now)
    return Dispatcher(cleaners, log, holder=holder, is_stopping=is_stopping, pause=pause)


def _log_failure(sweep: Sweep, error: Exception) -> None:
    """Say why a sweep failed: a refusal of the store by its words, anything else as the defect that it is."""
    if isinstance(error, ChainloopError):
        _log.warning("sweep-failed", sweep=sweep.name, error=error.code, reason=error.message)
    else:
        _log.error("sweep-failed", sweep=sweep.name, error=_code(error), exc_info=error)


def _code(error: Exception) -> str:
    return error.code if isinstance(error, ChainloopError) else type(error).__name__
