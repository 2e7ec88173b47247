"""Webhooks that a forge sends: kept in a queue, sent when the test says so or by a thread, kept with their answers."""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver answered; status 0 when nothing answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


# A load test sends a hundred thousand; a forge forgets the old ones too.
MOST_KEPT = 2000

Post = Callable[[str, Mapping[str, str], bytes], Reply]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook. `guid` is the sender's id of it, which a repeated one keeps."""

    id: int
    hook_id: int
    guid: str
    event: str
    action: str | None
    url: str
    headers: Mapping[str, str]
    body: bytes
    document: Any
    repository_id: int | None = None
    is_redelivery: bool = False
    delivered_at: datetime | None = None
    duration_seconds: float = 0.0
    reply: Reply | None = None


def post(url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float = 10) -> Reply:
    """Send a webhook as forges do: one POST, redirects not followed, ten seconds."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout_seconds)
    try:
        connection.request(
            "POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, dict(headers)
        )
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read().decode(errors="replace"))
    except OSError as error:
        return Reply(0, {}, f"failed to connect to host: {type(error).__name__}")
    finally:
        connection.close()


class Outbox:
    """The webhooks of one forge, waiting and sent."""

    def __init__(self, clock: Callable[[], datetime], post: Post = post) -> None:
        self.waiting: list[Delivery] = []
        self.sent: deque[Delivery] = deque(maxlen=MOST_KEPT)
        self.post = post
        self.observe: Callable[[Delivery], None] | None = None
        """Is told of every new webhook when it is made."""
        self.on_reply: Callable[[Delivery], None] | None = None
        """Is told of every webhook that was sent, with its answer."""
        self._clock = clock
        self._lock = threading.Lock()
        self._ids = 0
        self._wake = threading.Condition(self._lock)
        self._worker: threading.Thread | None = None
        self._stopped = False

    def next_id(self) -> int:
        """Return an id that no other delivery has."""
        with self._lock:
            self._ids += 1
            return 900_000 + self._ids

    def add(self, delivery: Delivery) -> None:
        """Put a webhook into the queue."""
        if self.observe is not None and not delivery.is_redelivery:
            self.observe(delivery)
        with self._wake:
            self.waiting.append(delivery)
            self._wake.notify()

    def deliver(self) -> list[Delivery]:
        """Send what waits, in order, and return it with its answers."""
        done = []
        while (next_one := self._take()) is not None:
            done.append(self._send(next_one))
        return done

    def drop(self) -> list[Delivery]:
        """Lose what waits, as a forge in trouble does, and return it."""
        with self._lock:
            lost, self.waiting = self.waiting, []
            return lost

    def repeat(self, delivery: Delivery) -> Delivery:
        """Put a webhook into the queue again, with the same id, and return the new one."""
        again = replace(delivery, id=self.next_id(), is_redelivery=True, reply=None, delivered_at=None)
        self.add(again)
        return again

    def of_hook(self, hook_id: int) -> list[Delivery]:
        """Return what was sent to one hook, newest first."""
        with self._lock:
            return [delivery for delivery in reversed(self.sent) if delivery.hook_id == hook_id]

    def send_in_background(self) -> None:
        """From now on send every webhook as soon as it is made, in a thread."""
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, daemon=True)
            self._worker.start()

    def stop(self) -> None:
        """End the thread that sends."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        if self._worker is not None:
            self._worker.join(timeout=15)

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self.waiting and not self._stopped:
                    self._wake.wait()
                if self._stopped:
                    return
            self.deliver()

    def _take(self) -> Delivery | None:
        with self._lock:
            return self.waiting.pop(0) if self.waiting else None

    def _send(self, delivery: Delivery) -> Delivery:
        began = time.monotonic()
        at = self._clock()
        reply = self.post(delivery.url, delivery.headers, delivery.body)
        done = replace(delivery, reply=reply, delivered_at=at, duration_seconds=round(time.monotonic() - began, 3))
        with self._lock:
            self.sent.append(done)
        if self.on_reply is not None:
            self.on_reply(done)
        return done
