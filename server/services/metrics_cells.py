"""Numbers that all workers of a server share: each writes its own column, anybody may read the sum.

The memory is made before the workers are forked. A worker that dies leaves its numbers to the one that takes its
column, so sums never fall while the server lives; after a restart they begin at 0, as Prometheus expects of counters.
"""

from __future__ import annotations

import mmap
import os
import threading

_NUMBER_BYTES = 8
_PID = 0
"""Cell of a column that says which process writes it; the others are the caller's."""


class SharedCells:
    """A table of numbers: one row per cell, one column per process. Safe for any number of threads and forks."""

    def __init__(self, cells: int, columns: int) -> None:
        """Make a table of zeros; the present process writes its first column."""
        self._rows = cells + 1
        self._columns = columns
        # Shared with the processes that are forked from here on.
        self._numbers = memoryview(mmap.mmap(-1, _NUMBER_BYTES * self._rows * columns)).cast("d")
        self._lock = threading.Lock()
        self._base = 0
        self.take(0)

    def take(self, column: int) -> None:
        """Let the present process write a column from now on; whoever wrote it before is gone.

        Where there are more processes than columns (somebody raised their number by a signal), two share one, and now
        and then one of two simultaneous additions is lost.
        """
        self._lock = threading.Lock()
        self._base = column % self._columns * self._rows
        self._numbers[self._base + _PID] = os.getpid()

    def add(self, cell: int, amount: float = 1.0) -> None:
        """Add to a cell."""
        with self._lock:
            self._numbers[self._base + 1 + cell] += amount

    def put(self, cell: int, value: float) -> None:
        """Set a cell of this process."""
        self._numbers[self._base + 1 + cell] = value

    def total(self, cell: int) -> float:
        """Return the sum over all processes, those that are gone too."""
        return sum(self._numbers[1 + cell :: self._rows])

    def total_alive(self, cell: int) -> float:
        """Return the sum over the processes that live."""
        return sum(self._numbers[base + 1 + cell] for base in self._alive())

    def count_alive(self) -> int:
        """Return how many processes write."""
        return len(self._alive())

    def _alive(self) -> list[int]:
        bases = range(0, self._rows * self._columns, self._rows)
        return [base for base in bases if _is_alive(int(self._numbers[base + _PID]))]


def _is_alive(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
