"""Tell third parties: several at once, so that one that hangs holds up nobody else."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog

from chainloop_ci.errors import ChainloopError
from server.integrations.types import Integration, Message, Tools, target_of
from server.model.deliveries import Outcome, OutcomeKind
from server.model.integrations import StoredRegistration
from server.services.delivery_queue import Claimed, DeliveryQueue
from server.services.fan_out import FanOut

THREADS = 64
"""Tries at once. A thread waits for an answer most of its time."""
THREADS_PER_TARGET = 4
"""Tries at once of one registration: forges slow down who asks them for more."""
ORGANIZATIONS_AT_ONCE = 4
"""An organization gets this part of the threads at most: all of its targets may be slow at once."""
LOOK_SECONDS = 0.02
"""So often the couriers look whether something has happened while things do happen: it is part of every delivery's
time."""
IDLE_SECONDS = 0.1
"""So often they look when nothing has happened for a while: a server that rests must not keep a processor busy."""
RESTS_AFTER_SECONDS = 2.0
"""After so long without anything to do."""
DUE_SECONDS = 1.0
"""So often they look whether time alone has changed something."""
FAILURE_SECONDS = 1.0
"""So long they leave a database alone that cannot be asked."""

_log = structlog.get_logger("server.dispatcher")


class Couriers:
    """Turns events into deliveries and deliveries into requests, until it is stopped."""

    def __init__(
        self,
        fan_out: FanOut,
        queue: DeliveryQueue,
        *,
        integrations: Mapping[str, Integration],
        open_credentials: Callable[[StoredRegistration], Mapping[str, str]],
        tools: Tools,
        holder: str,
        now: Callable[[], datetime],
        threads: int = THREADS,
        first: tuple[Callable[[], int], ...] = (),
        due: tuple[Callable[[], int], ...] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """What is `first` is done at every look, and makes events.

        What is `due` is done again and again until it returns 0: what time alone makes happen.
        """
        self._fan_out = fan_out
        self._queue = queue
        self._integrations = integrations
        self._open_credentials = open_credentials
        self._tools = tools
        self._holder = holder
        self._now = now
        self._threads = threads
        self._first = first
        self._due = due
        self._monotonic = monotonic
        self._next_due = 0.0
        self._busy: Counter[str] = Counter()
        self._busy_for: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._something_ended = threading.Event()

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Work until `is_stopping`; tries that have begun are finished first."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="courier") as pool:
            busy_at = time.monotonic()
            while not is_stopping():
                found = self._look(pool)
                if found or self._something_ended.is_set():
                    busy_at = time.monotonic()
                if not found:
                    self._something_ended.wait(_pause(found, time.monotonic() - busy_at))
                self._something_ended.clear()

    def run_until_idle(self) -> bool:
        """Tell everything that is due now, and return whether each was taken."""
        failed = 0
        with ThreadPoolExecutor(self._threads, thread_name_prefix="courier") as pool:
            while self._tell_some() or self._do_due():
                continue
            while claimed := self._claim_some():
                failed += sum(not ok for ok in pool.map(self._try, claimed))
        return not failed

    def _look(self, pool: ThreadPoolExecutor) -> bool | None:
        """Do what there is to do, and tell whether there was anything; None: it could not be looked at."""
        try:
            told = self._tell_some() + self._do_due_now_and_then()
            claimed = self._claim_some()
        except Exception as error:  # noqa: BLE001  # a database that is away for a while must not end the couriers
            _log_failure("deliveries-not-looked-at", error)
            return None
        for item in claimed:
            pool.submit(self._try, item)
        return bool(told or claimed)

    def _tell_some(self) -> int:
        return sum(each() for each in self._first) + self._fan_out.tell_some()

    def _do_due_now_and_then(self) -> int:
        """Do what is due, not at every look: it is about minutes."""
        if self._monotonic() < self._next_due:
            return 0
        done = self._do_due()
        if not done:
            self._next_due = self._monotonic() + DUE_SECONDS
        return done

    def _do_due(self) -> int:
        return sum(each() for each in self._due)

    def _claim_some(self) -> list[Claimed]:
        claimed: list[Claimed] = []
        for registration_id, organization_id in self._queue.list_targets():
            with self._lock:
                free = self._count_free(registration_id, organization_id)
            if free <= 0:
                continue
            taken = self._queue.claim(registration_id, self._holder, limit=free)
            with self._lock:
                self._busy[registration_id] += len(taken)
                self._busy_for[organization_id] += len(taken)
            claimed += taken
        return claimed

    def _count_free(self, registration_id: str, organization_id: str) -> int:
        return min(
            THREADS_PER_TARGET - self._busy[registration_id],
            max(THREADS_PER_TARGET, self._threads // ORGANIZATIONS_AT_ONCE) - self._busy_for[organization_id],
            self._threads - self._busy.total(),
        )

    def _try(self, claimed: Claimed) -> bool:
        """Make one try and write it down; tell whether that is the end of the delivery's troubles."""
        registration, started_at, began = claimed.registration, self._now(), time.monotonic()
        try:
            outcome = self._deliver(claimed)
            duration = timedelta(seconds=time.monotonic() - began)
            if not self._queue.finish(claimed, outcome, started_at, duration):
                _log.warning("delivery-lease-lost", delivery=claimed.delivery.id)
            _log_try(claimed, outcome, duration)
            return outcome.kind in (OutcomeKind.DELIVERED, OutcomeKind.SKIPPED)
        except Exception as error:  # noqa: BLE001  # the lease ends by itself, and the delivery is tried again
            _log_failure("delivery-not-written-down", error, delivery=claimed.delivery.id)
            return False
        finally:
            with self._lock:
                self._busy[registration.id] -= 1
                self._busy_for[registration.organization_id] -= 1
            self._something_ended.set()

    def _deliver(self, claimed: Claimed) -> Outcome:
        integration = self._integrations.get(claimed.registration.kind)
        if integration is None:
            return Outcome(OutcomeKind.RETRY, "unknown-integration", "this server does not know the integration")
        try:
            target = target_of(claimed.registration, self._open_credentials(claimed.registration))
            return integration.deliver(target, _message(claimed), self._tools)
        except ChainloopError as error:
            return Outcome(OutcomeKind.RETRY, error.code, error.message)
        except Exception as error:  # noqa: BLE001  # one delivery must not end the others
            _log_failure("delivery-failed", error, delivery=claimed.delivery.id)
            return Outcome(OutcomeKind.RETRY, type(error).__name__, "a defect of the server; its log says more")


def _pause(found: bool | None, idle_seconds: float) -> float:
    """Return how long to wait before the next look after one that found nothing, or could not look (None)."""
    if found is None:
        return FAILURE_SECONDS
    return LOOK_SECONDS if idle_seconds < RESTS_AFTER_SECONDS else IDLE_SECONDS


def _message(claimed: Claimed) -> Message:
    delivery = claimed.delivery
    return Message(
        delivery_id=delivery.id,
        event_id=delivery.event_id,
        event_kind=delivery.event_kind,
        event_at=delivery.event_at or delivery.created_at,
        part=delivery.part,
        lane=delivery.lane,
        content=delivery.content,
        attempt=delivery.attempts + 1,
        memory=claimed.memory,
        settings=claimed.attachment_settings,
    )


def _log_try(claimed: Claimed, outcome: Outcome, duration: timedelta) -> None:
    say = _log.info if outcome.kind is OutcomeKind.DELIVERED else _log.warning
    say(
        "delivery",
        delivery=claimed.delivery.id,
        integration=claimed.registration.kind,
        registration=claimed.registration.id,
        event_kind=claimed.delivery.event_kind,
        part=claimed.delivery.part,
        attempt=claimed.delivery.attempts + 1,
        outcome=outcome.kind.value,
        code=outcome.code,
        milliseconds=round(duration / timedelta(milliseconds=1)),
    )


def _log_failure(what: str, error: Exception, **facts: object) -> None:
    """Say why something failed: a refusal of the store by its words, anything else as the defect that it is."""
    if isinstance(error, ChainloopError):
        _log.warning(what, error=error.code, reason=error.message, **facts)
    else:
        _log.error(what, error=type(error).__name__, exc_info=error, **facts)
