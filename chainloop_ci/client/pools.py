"""Connections: urllib3's pools with proxies, certificates and socket timeouts. Imported with the first request.

R23: nothing is sent over http except to loopback, unless the user said --insecure; no redirect is followed.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from urllib3 import exceptions as faults
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from chainloop_ci.client.certificates import explain_tls, trust_for
from chainloop_ci.client.countdown import MIN_BYTES, Countdown, response_class
from chainloop_ci.network import PROXY_VARIABLE, proxy_for, proxy_login, shown, trust

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.response import HTTPResponse

    from chainloop_ci.client.http import Address

BLOCK_BYTES = 1024 * 1024
_LONGEST_CONNECT_SECONDS = 4.0
"""For each of a host's addresses; a host may have several that swallow packets."""
_SEND_SECONDS = 18.0
"""For one piece of a body on its way into the socket."""
_AGAIN = "try again"
_FEW_ATTEMPTS = 5
"""For what is rather a wrong setting than an interruption: some 5 s."""


class Lost(Exception):
    """No answer came, or not all of it; `http` says it to the user."""

    def __init__(self, reason: str, hint: str, *, attempts: float = inf, was_sent: bool = True) -> None:
        """`attempts`: how many are worth making in all. `was_sent`: the request may have reached somebody."""
        self.reason = reason
        self.hint = hint
        self.attempts = attempts
        self.was_sent = was_sent
        super().__init__(reason)


class Pool:
    """The connections to one control plane."""

    def __init__(self, address: Address) -> None:
        self._proxy = proxy_for(address.url, address.env)
        self._countdown = Countdown()
        self._manager = _manager(address, self._proxy, self._countdown)
        self._address = address
        self._host = urlsplit(address.url).netloc
        # A proxy answers only when it has reached the other side.
        self._connect_seconds = _LONGEST_CONNECT_SECONDS * (2 if self._proxy else 1)

    def send(
        self,
        method: str,
        url: str,
        body: Any,
        headers: Mapping[str, str],
        *,
        timeout_seconds: float,
        window_seconds: float,
    ) -> BaseHTTPResponse:
        """Send one request; return the answer with its body still unread. `body`: bytes, pieces of bytes, or None.

        Head and body come within `timeout_seconds`; a body of more than `MIN_BYTES` gets `window_seconds` for each
        next `MIN_BYTES`.

        Raises:
            Lost: no answer.
        """
        timeout = urllib3.Timeout(connect=min(self._connect_seconds, timeout_seconds / 2), read=timeout_seconds)
        self._countdown.begin(timeout_seconds)  # a proxy answers before the request is sent
        try:
            response = self._manager.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except faults.HTTPError as error:
            raise self._lost(error) from error
        self._countdown.begin_body(window_seconds)
        return response

    def expect_download(self, window_seconds: float) -> None:
        """Let the body that comes next have a time of its own, apart from that of its head."""
        self._countdown.begin(window_seconds)
        self._countdown.begin_body(window_seconds)

    def _lost(self, error: faults.HTTPError) -> Lost:
        through = f" (the proxy {shown(self._proxy)} from the environment is used)" if self._proxy else ""
        if isinstance(error, faults.ProxyError):
            why = _why(error.original_error)
            return Lost(
                f"the proxy {shown(self._proxy or '')} does not let the connection through: {why}",
                f"check HTTPS_PROXY ({PROXY_VARIABLE}) and its user and password, or name the host in NO_PROXY",
                # The words are those of http.client; 5xx: the control plane behind it is down.
                attempts=_FEW_ATTEMPTS if "connection failed: 4" in why else inf,
                was_sent=False,
            )
        if isinstance(error, faults.SSLError):
            reason, hint = explain_tls(_why(error), _verification(error), self._address)
            return Lost(reason, hint + through, attempts=1)
        if isinstance(error, faults.NameResolutionError):
            return Lost(
                f"the host name {self._host} is not known",
                f"check --control-plane (CHAINLOOP_CONTROL_PLANE_API){through}",
                attempts=_FEW_ATTEMPTS,
                was_sent=False,
            )
        if _in_handshake(error):
            return Lost(
                "the TLS handshake got no answer",
                f"does {self._host} speak http instead of https? check the scheme and the port of the address{through}",
            )
        return Lost(
            _why(error),
            f"check that the control plane runs at this address and that this machine may reach it{through}",
            was_sent=not isinstance(error, faults.ConnectTimeoutError),
        )


def blocks(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the body in blocks.

    Raises:
        Lost: it ended early.
    """
    try:
        yield from response.stream(BLOCK_BYTES, decode_content=False)
    except (faults.ReadTimeoutError, TimeoutError) as error:
        raise Lost(
            f"the rest came too slowly: less than {MIN_BYTES // 1024} KiB before the deadline", _AGAIN
        ) from error
    except (faults.HTTPError, OSError) as error:
        raise Lost(_why(error), _AGAIN) from error


def _manager(address: Address, proxy: str | None, countdown: Countdown) -> urllib3.PoolManager:
    options: dict[str, Any] = {"num_pools": 2, "maxsize": 2}
    if address.url.startswith("https:"):
        options["ssl_context"] = trust_for(address)
    manager = _proxy_manager(proxy, address, options) if proxy else urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = _pool_classes(countdown)
    return manager


def _proxy_manager(proxy: str, address: Address, options: dict[str, Any]) -> urllib3.PoolManager:
    login = proxy_login(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    if proxy.startswith("https:"):
        options["proxy_ssl_context"] = trust(address.env)
    return urllib3.ProxyManager(shown(proxy), proxy_headers=headers, **options)


def _pool_classes(countdown: Countdown) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools whose connections read under a countdown, and whose sends may take longer than their connect."""

    class Connection(HTTPConnection):
        response_class = staticmethod(response_class(countdown))  # type: ignore[assignment]  # http.client calls it

        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(_SEND_SECONDS)

        def request(self, *arguments: Any, **options: Any) -> None:
            if self.sock is not None:  # used again: urllib3 would take the time of a connect for each send
                self.timeout = _SEND_SECONDS
            super().request(*arguments, **options)

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 overrides http.client's
            countdown.begin(float(self.timeout or _SEND_SECONDS))
            return super().getresponse()

    class TlsConnection(Connection, HTTPSConnection):
        """The same over TLS: `super()` above is urllib3's TLS connection then."""

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}


def _verification(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return what the TLS library says about a certificate, however deep urllib3 has wrapped it."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None or isinstance(seen, ssl.SSLCertVerificationError):
            return seen
        inner = next((argument for argument in seen.args if isinstance(argument, BaseException)), None)
        seen = seen.__cause__ or inner or seen.__context__
    return None


def _in_handshake(error: BaseException) -> bool:
    """Tell whether a connection was made and nobody answered to TLS, as a server without it that waits for more."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TimeoutError) and "handshake" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _why(error: BaseException) -> str:
    # urllib3 calls a refused connection a kind of connect timeout.
    if isinstance(error, faults.NewConnectionError):
        return "the connection was refused" if "refused" in str(error) else "no connection could be made"
    if isinstance(error, faults.ReadTimeoutError | faults.ConnectTimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    inner = error.__cause__ or error.__context__ or next((a for a in error.args if isinstance(a, BaseException)), None)
    if isinstance(error, faults.HTTPError) and inner is not None:
        return _why(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__ if not str(error) else str(error)[:200]
