"""Connections to addresses that were checked: no name is resolved here, and nothing takes longer than its request."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from urllib3 import make_headers
from urllib3.connection import HTTPConnection, HTTPSConnection

from server.egress.addresses import Address
from server.egress.deadline import Deadline, reader
from server.egress.targets import Origin
from server.setting_values import EgressProxy

CONNECT_SECONDS = 5.0
"""For each address; a host may have several that swallow packets."""
MAX_ADDRESSES = 4
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """How an origin is reached."""

    origin: Origin
    addresses: tuple[Address, ...]
    """Of the host, or of the proxy."""
    proxy: EgressProxy | None
    context: ssl.SSLContext | None
    """None without TLS."""


class Connection(HTTPConnection):
    """A connection whose address is settled, and whose requests each have a deadline."""

    addresses: tuple[Address, ...] = ()
    deadline: Deadline
    """Of the request that is being made: set before each."""

    def _new_conn(self) -> socket.socket:
        return _connect(self.addresses, self.port, self.deadline)

    def send(self, data: Any) -> None:
        """Send what `http.client` hands over, in pieces: over TLS each would otherwise have a time of its own."""
        whole = memoryview(data)
        for start in range(0, len(whole), _PIECE_BYTES):
            self.sock.settimeout(self.deadline.remaining())
            self.sock.sendall(whole[start : start + _PIECE_BYTES])


class TlsConnection(Connection, HTTPSConnection):
    """The same over TLS: `super()` above is urllib3's TLS connection then, which checks the certificate by name."""


def open_connection(route: Route, deadline: Deadline) -> Connection:
    """Connect, through the proxy if the route has one.

    Raises:
        OSError, urllib3.exceptions.HTTPError: no connection.
    """
    proxy = route.proxy
    host, port = (proxy.host, proxy.port) if proxy else (route.origin.host, route.origin.port)
    if route.context is None:
        connection = Connection(host, port)
    else:
        connection = TlsConnection(host, port, ssl_context=route.context)
    connection.addresses, connection.deadline = route.addresses, deadline
    connection.response_class = reader(lambda: connection.deadline)  # type: ignore[assignment]  # http.client calls it
    if proxy:
        login = make_headers(proxy_basic_auth=proxy.login) if proxy.login else {}
        connection.set_tunnel(route.origin.host, route.origin.port, headers=login)
    try:
        connection.connect()
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    failure: OSError | None = None
    for address in addresses[:MAX_ADDRESSES]:
        # Not create_connection: it would resolve what it is given, however plain.
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        connected = socket.socket(family, socket.SOCK_STREAM)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(min(CONNECT_SECONDS, deadline.remaining()))
            connected.connect((str(address), port))
        except OSError as error:
            connected.close()
            failure = error
        else:
            connected.settimeout(deadline.remaining())
            return connected
    raise failure or OSError("there is no address to connect to")
