"""Places for bodies that are on their way: who sends or reads slowly holds a part of the threads, never all (T30).

A thread waits while a body comes or goes. Every process has its own places, since it has its own threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import UploadsBusyError
from server.model.principal import Principal

WAITED_FOR_BYTES = 64 * 1024
"""A body up to this length needs no place: it has come whole before its request gets a thread, or fits into buffers."""


class BodyPlaces:
    """So many bodies may be on their way at once; some places are never one token's, one never one organization's."""

    def __init__(self, places: int) -> None:
        """Take how many there are in all; there is one at least."""
        self.places = max(1, places)
        self.of_organization = max(1, self.places - 1)
        self.of_token = max(1, self.places * 3 // 4)
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[None]:
        """Have a place while a body is on its way.

        Raises:
            UploadsBusyError: there is none; it is not waited for, since that would take a thread too.
        """
        bounds = {
            "": self.places,
            f"organization {principal.organization_id}": self.of_organization,
            f"token {principal.token_id}": self.of_token,
        }
        with self._lock:
            if any(self._taken[key] >= bound for key, bound in bounds.items()):
                raise UploadsBusyError
            self._taken.update(bounds.keys())
        try:
            yield
        finally:
            with self._lock:
                self._taken.subtract(bounds.keys())
                # No more names are kept than there are places.
                self._taken += Counter()
