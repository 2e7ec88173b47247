"""One request and its bounded answer, over connections that are kept for a while."""

from __future__ import annotations

import io
import ipaddress
import logging
import os
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from typing import Any

from urllib3 import HTTPHeaderDict, HTTPResponse, exceptions

from server.egress.connection import Connection, Route, open_connection
from server.egress.deadline import Deadline
from server.egress.policy import Policy
from server.egress.resolver import TimedResolver
from server.egress.targets import Origin, Target
from server.errors import EgressAnswerError, EgressTimeoutError, EgressUnreachableError

KEPT_SECONDS = 15.0
"""How long a connection is kept: less than what servers keep theirs."""
MAX_KEPT = 64
MAX_HEAD_BYTES = 64 * 1024
_BLOCK_BYTES = 64 * 1024
_FAULTS = (exceptions.HTTPError, HTTPException, OSError)
_TIMEOUTS = (TimeoutError, exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError)
_RELAYED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""How a body was brought; it is no longer so when it was read."""

# It warns of a broken head with the whole address, whose path may be a secret.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a body is read."""

    size_bytes: int
    cuts: bool = False
    """Whether a longer one is cut there; else it is an error."""


class Exchange:
    """Sends requests. Threads may share it."""

    def __init__(self, policy: Policy, resolver: TimedResolver, monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._resolver = resolver
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: deque[tuple[Origin, Connection, float]] = deque()

    def send(
        self, target: Target, method: str, body: Any, headers: Mapping[str, str], *, deadline: Deadline, limit: Limit
    ) -> HTTPResponse:
        """Return an answer whose body was read.

        Raises:
            EgressError: there is none, or none that is taken.
        """
        self._policy.require(target.origin)
        try:
            return self._send(target, method, body, headers, deadline, limit)
        except _TIMEOUTS as error:
            raise EgressTimeoutError(target.origin, deadline.seconds) from error
        except _FAULTS as error:
            raise EgressUnreachableError(
                f"{target.origin} cannot be reached: {_why(error)}", hint="check the address and that it can be reached"
            ) from error

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            kept, self._kept = self._kept, deque()
        for _, connection, _ in kept:
            connection.close()

    def _send(
        self, target: Target, method: str, body: Any, headers: Mapping[str, str], deadline: Deadline, limit: Limit
    ) -> HTTPResponse:
        connection = self._take(target.origin)
        if connection is not None:
            connection.deadline = deadline
            try:
                return self._ask(connection, target, method, body, headers, limit)
            except (*_TIMEOUTS, EgressAnswerError):
                raise
            except _FAULTS:
                # The other side may close what is not used; only what may happen twice is asked again.
                if method not in ("GET", "HEAD"):
                    raise
        connection = open_connection(self._route(target.origin, deadline), deadline)
        return self._ask(connection, target, method, body, headers, limit)

    def _ask(
        self, connection: Connection, target: Target, method: str, body: Any, headers: Mapping[str, str], limit: Limit
    ) -> HTTPResponse:
        try:
            connection.request(method, target.path, body, headers, preload_content=False)
            with closing(connection.getresponse()) as response:
                answer, is_whole = _read(response, target.origin, limit)
        except BaseException:
            connection.close()
            raise
        if is_whole and connection.sock is not None:
            self._keep(target.origin, connection)
        else:
            connection.close()
        return answer

    def _route(self, origin: Origin, deadline: Deadline) -> Route:
        context = self._trust if origin.scheme == "https" else None
        proxy = self._policy.proxy
        if proxy is not None and not self._policy.is_opened(origin):
            # The proxy finds the host's address and is the operator's own; nothing is asked about where it stands.
            found = self._resolve(Origin("http", proxy.host, proxy.port), deadline)
            return Route(origin, tuple(ipaddress.ip_address(text) for text in found), proxy, context)
        return Route(origin, self._policy.require_addresses(origin, self._resolve(origin, deadline)), None, context)

    def _resolve(self, origin: Origin, deadline: Deadline) -> Sequence[str]:
        return (origin.host,) if origin.address else self._resolver.resolve(origin.host, origin.port, deadline)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return self._policy.trust()

    def _take(self, origin: Origin) -> Connection | None:
        """Return a connection that was kept and still stands."""
        stale, found = [], None
        with self._lock:
            while self._kept and self._kept[0][2] < self._monotonic() - KEPT_SECONDS:
                stale.append(self._kept.popleft()[1])
            for item in reversed(self._kept):
                if item[0] == origin:
                    self._kept.remove(item)
                    found = item[1]
                    break
        for connection in stale:
            connection.close()
        # What it says without being asked is an end, or nothing that could be an answer.
        if found is not None and not found.is_connected:
            found.close()
            return None
        return found

    def _keep(self, origin: Origin, connection: Connection) -> None:
        with self._lock:
            self._kept.append((origin, connection, self._monotonic()))
            oldest = self._kept.popleft()[1] if len(self._kept) > MAX_KEPT else None
        if oldest is not None:
            oldest.close()


def _read(response: HTTPResponse, origin: Origin, limit: Limit) -> tuple[HTTPResponse, bool]:
    """Return the answer with its body in memory, and whether the connection has nothing more of it."""
    if sum(len(name) + len(value) for name, value in response.headers.items()) > MAX_HEAD_BYTES:
        raise _too_large(origin, "the head of its answer", MAX_HEAD_BYTES)
    pieces, size_bytes = [], 0
    while size_bytes <= limit.size_bytes and (piece := response.read(_BLOCK_BYTES, decode_content=True)):
        pieces.append(piece)
        size_bytes += len(piece)
    is_whole = size_bytes <= limit.size_bytes
    if not (is_whole or limit.cuts):
        raise _too_large(origin, "its answer", limit.size_bytes)
    headers = HTTPHeaderDict(pair for pair in response.headers.items() if pair[0].lower() not in _RELAYED)
    answer = HTTPResponse(
        body=io.BytesIO(b"".join(pieces)[: limit.size_bytes]),
        headers=headers,
        status=response.status,
        reason=response.reason,
        preload_content=False,
    )
    return answer, is_whole


def _too_large(origin: Origin, what: str, size_bytes: int) -> EgressAnswerError:
    return EgressAnswerError(
        f"{origin}: {what} is larger than {size_bytes} bytes", hint="check that the address is the right one"
    )


def _why(error: BaseException) -> str:
    """Say what broke, in words that hold nothing of the request."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); CHAINLOOP_EGRESS_CA adds an authority"
    if isinstance(error, ssl.SSLError):
        return "there is no TLS connection with it"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    inner = error.__cause__ or next((each for each in error.args if isinstance(each, BaseException)), None)
    if isinstance(error, exceptions.HTTPError) and inner is not None:
        return _why(inner)
    if isinstance(error, OSError) and "Tunnel connection failed" in str(error):
        return "the proxy does not let the connection through"
    return "the connection broke, or what came is no HTTP"
