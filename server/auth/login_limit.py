"""How often somebody may try to log in: a bound on noise, since no token can be guessed (256 random bits)."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
MAX_FAILURES = 20
"""Failed logins of one address within a window; then it waits for the next one."""
MAX_ADDRESSES = 10_000
"""Addresses that are remembered; the one that was noted first is forgotten first."""
_IPV6_NETWORK = 64
"""Bits of an IPv6 address that one customer has at the least."""


class LoginLimit:
    """Counts the failed logins of this process by address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def wait_seconds(self, address: str, now: datetime) -> int:
        """Return how long an address has to wait before it may try, 0: not at all."""
        with self._lock:
            began, failures = self._failures.get(_network(address), (now, 0))
        left = began + WINDOW - now
        return max(1, round(left.total_seconds())) if failures >= MAX_FAILURES and left > timedelta(0) else 0

    def note_failure(self, address: str, now: datetime) -> None:
        """Count a failed login."""
        key = _network(address)
        with self._lock:
            began, failures = self._failures.pop(key, (now, 0))
            self._failures[key] = (began, failures + 1) if now < began + WINDOW else (now, 1)
            while len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
