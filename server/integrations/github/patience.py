"""A try that asks many things ends before its lease does (`TRY_SECONDS`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from server.integrations.answers import RefusedError
from server.integrations.types import TRY_SECONDS
from server.model.deliveries import Outcome, OutcomeKind

T = TypeVar("T")

LAST_REQUEST = timedelta(seconds=10)
"""What one request may take: none begins when less is left."""


class Patience:
    """The time of one try."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._until = now() + timedelta(seconds=TRY_SECONDS) - LAST_REQUEST

    def require(self) -> None:
        """Go on only when there is time for another request.

        Raises:
            RefusedError: it is tried again later.
        """
        if self._now() > self._until:
            detail = "GitHub answers too slowly for everything that has to be asked"
            raise RefusedError(Outcome(OutcomeKind.RETRY, "too-slow", detail, blames_target=True))

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items of a list whose pages are asked for while it is read."""
        for item in items:
            self.require()
            yield item
