"""How much memory all checks of one worker process may take at once; whoever comes first gets it first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import CheckerBusyError


class MemoryBudget:
    """Hands out memory to checks. Safe for any number of threads."""

    def __init__(self, total_bytes: int) -> None:
        self._free = total_bytes
        self._total = total_bytes
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def reserve(self, wanted_bytes: int, wait_seconds: float) -> Iterator[None]:
        """Hold `wanted_bytes` inside the block; a large wish is not overtaken by small ones for ever.

        Raises:
            CheckerBusyError: others did not give enough back in time.
        """
        wanted = min(wanted_bytes, self._total)
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                granted = self._changed.wait_for(
                    lambda: self._waiting[0] is turn and self._free >= wanted, wait_seconds
                )
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()
            if not granted:
                raise CheckerBusyError("all the memory for content checks is in use")
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
