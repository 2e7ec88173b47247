"""What the processes of this server do: requests, content checks, gates; labels from closed lists only (T47)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from server.content_check.wire import CheckOutcome
from server.model.inbound import ReceiverKind
from server.services.metrics_cells import SharedCells

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of durations, those of Prometheus' clients."""
UNKNOWN = "unknown"
"""Route of requests that none was found for; method of those that have an odd one."""
STATUSES = (
    *(200, 201, 202, 204, 206, 301, 302, 303, 304, 308),
    *(400, 401, 403, 404, 405, 406, 408, 409, 411, 412, 413, 414, 415, 416, 417, 422, 429, 431),
    *(500, 501, 502, 503, 504, 507),
)
OTHER_STATUS = "other"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Those that are told apart where no route was found."""

WEBHOOK_OUTCOMES = (
    *("accepted", "ignored", "repeated"),
    *("not-found", "webhook-not-authentic", "webhook-invalid", "webhook-replayed"),
    *("media-type", "body-too-large", "too-many-requests", "request-invalid", "uploads-busy"),
)
"""What comes of a webhook that was answered: how it was taken, or the code of its refusal."""
OTHER_OUTCOME = "other"

_OUTCOMES = tuple(CheckOutcome)
_WEBHOOKS = [(kind, outcome) for kind in ReceiverKind for outcome in (*WEBHOOK_OUTCOMES, OTHER_OUTCOME)]
_CELL_OF_WEBHOOK = {key: len(_OUTCOMES) + at for at, key in enumerate(_WEBHOOKS)}
_IN_FLIGHT = len(_OUTCOMES) + len(_WEBHOOKS)
_GATES = _IN_FLIGHT + 1
"""Gates that were opened, then those that were not."""
_FIXED = _GATES + 2
_PER_ROUTE = len(STATUSES) + 1 + len(BOUNDS_SECONDS) + 1 + 1
"""Cells of a route: its statuses and «other», its buckets and «+Inf», the seconds in all."""

Route = tuple[str, str]
"""Method and route."""


@dataclass(frozen=True, slots=True)
class RouteTraffic:
    """What came in on one route since the server started."""

    method: str
    route: str
    statuses: tuple[tuple[str, float], ...]
    """Requests by status; those that never came are left out."""
    buckets: tuple[tuple[str, float], ...]
    """How many took at most so many seconds: cumulative, the last bound is `+Inf`."""
    seconds: float


class ProcessMetrics:
    """Counts requests, content checks and gates of all workers of this server."""

    def __init__(self, columns: int) -> None:
        """Take how many processes may count at once."""
        self._columns = columns
        self._routes: dict[Route, int] = {}
        self._cells = SharedCells(_FIXED, columns)

    def prepare(self, routes: Iterable[Route]) -> None:
        """Make room for the requests of these routes; before the workers are forked."""
        known = list(dict.fromkeys([*routes, *((method, UNKNOWN) for method in (*METHODS, UNKNOWN))]))
        self._routes = {route: _FIXED + at * _PER_ROUTE for at, route in enumerate(known)}
        self._cells = SharedCells(_FIXED + len(known) * _PER_ROUTE, self._columns)

    def take_column(self, column: int) -> None:
        """Count in a column of its own; in a worker that was just forked."""
        self._cells.take(column)
        # What a dead worker was at is over.
        self._cells.put(_IN_FLIGHT, 0.0)

    def begin(self) -> None:
        """Count a request that has come."""
        self._cells.add(_IN_FLIGHT)

    def end(self) -> None:
        """Count a request that is over."""
        self._cells.add(_IN_FLIGHT, -1.0)

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count an answer."""
        known = (method, route or UNKNOWN), (method, UNKNOWN), (UNKNOWN, UNKNOWN)
        first = next((self._routes[key] for key in known if key in self._routes), None)
        if first is None:
            return
        buckets = first + len(STATUSES) + 1
        self._cells.add(first + _POSITIONS.get(status, len(STATUSES)))
        self._cells.add(buckets + next((at for at, most in enumerate(BOUNDS_SECONDS) if seconds <= most), _INFINITE))
        self._cells.add(first + _PER_ROUTE - 1, max(0.0, seconds))

    def checked(self, outcome: CheckOutcome) -> None:
        """Count a content check."""
        self._cells.add(_OUTCOMES.index(outcome))

    def webhook(self, kind: ReceiverKind, outcome: str) -> None:
        """Count a webhook that was answered."""
        self._cells.add(_CELL_OF_WEBHOOK.get((kind, outcome), _CELL_OF_WEBHOOK[kind, OTHER_OUTCOME]))

    def answered_gate(self, approved: bool) -> None:
        """Count an answer of a gate."""
        self._cells.add(_GATES if approved else _GATES + 1)

    @property
    def workers(self) -> int:
        """Return how many processes answer requests."""
        return self._cells.count_alive()

    @property
    def in_flight(self) -> float:
        """Return how many requests are being answered."""
        return self._cells.total_alive(_IN_FLIGHT)

    def checks(self) -> dict[str, float]:
        """Return the content checks by outcome."""
        return {outcome.value: self._cells.total(at) for at, outcome in enumerate(_OUTCOMES)}

    def webhooks(self) -> Iterator[tuple[str, str, float]]:
        """Yield receiver, outcome and number of the webhooks that came."""
        for (kind, outcome), cell in _CELL_OF_WEBHOOK.items():
            if number := self._cells.total(cell):
                yield kind.value, outcome, number

    def gates(self) -> dict[str, float]:
        """Return the answers of gates."""
        return {"approved": self._cells.total(_GATES), "rejected": self._cells.total(_GATES + 1)}

    def traffic(self) -> Iterator[RouteTraffic]:
        """Yield the routes on which anything came."""
        for (method, route), first in self._routes.items():
            counted = [self._cells.total(cell) for cell in range(first, first + _PER_ROUTE)]
            if any(counted):
                yield _read(method, route, counted)


_POSITIONS = {status: at for at, status in enumerate(STATUSES)}
_INFINITE = len(BOUNDS_SECONDS)


def _read(method: str, route: str, counted: Sequence[float]) -> RouteTraffic:
    names = (*map(str, STATUSES), OTHER_STATUS)
    statuses = tuple((name, count) for name, count in zip(names, counted, strict=False) if count)
    buckets = accumulate(counted[len(names) : -1])
    bounds = (*map(str, BOUNDS_SECONDS), "+Inf")
    return RouteTraffic(method, route, statuses, tuple(zip(bounds, buckets, strict=True)), counted[-1])
