"""Connections: urllib3's pools with proxies, certificates and socket timeouts. Imported with the first request.

R23: nothing is sent over http except to loopback, unless the user said --insecure; no redirect is followed.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions as faults
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from chainloop_ci.api.address import is_loopback
from chainloop_ci.errors import ConfigInvalidError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from chainloop_ci.client.http import Address

BLOCK_BYTES = 1024 * 1024
_LONGEST_CONNECT_SECONDS = 4.0
"""For each of a host's addresses; a host may have several that swallow packets."""
_SEND_SECONDS = 18.0
"""For one piece of a body on its way into the socket."""


class Lost(Exception):
    """No answer came, or not all of it; `http` says it to the user."""

    def __init__(self, reason: str, hint: str, *, temporary: bool = True) -> None:
        self.reason = reason
        self.hint = hint
        self.temporary = temporary
        super().__init__(reason)


class Pool:
    """The connections to one control plane."""

    def __init__(self, address: Address) -> None:
        self._proxy = proxy_for(address.url, address.env)
        self._manager = _manager(address, self._proxy)
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
    ) -> BaseHTTPResponse:
        """Send one request; return the answer with its body still unread. `body`: bytes, pieces of bytes, or None.

        Raises:
            Lost: no answer.
        """
        timeout = urllib3.Timeout(connect=min(self._connect_seconds, timeout_seconds / 2), read=timeout_seconds)
        try:
            return self._manager.request(
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
            raise _lost(error, self._host, self._proxy) from error


def blocks(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the body in blocks.

    Raises:
        Lost: it ended early.
    """
    try:
        yield from response.stream(BLOCK_BYTES, decode_content=False)
    except (faults.HTTPError, OSError) as error:
        raise Lost(_why(error), "try again") from error


def proxy_for(url: str, env: Mapping[str, str]) -> str | None:
    """Return the proxy's URL for `url`, as curl reads the environment; loopback is never sent through a proxy."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or _bypassed(host, parts.port, env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    # HTTP_PROXY in capitals is left out on purpose: in a CGI program a client could set it (httpoxy).
    names = ("https_proxy", "HTTPS_PROXY") if parts.scheme == "https" else ("http_proxy",)
    found = next((env[name] for name in (*names, "all_proxy", "ALL_PROXY") if env.get(name)), None)
    return found if found is None or "://" in found else f"http://{found}"


def _bypassed(host: str, port: int | None, listed: str) -> bool:
    for raw in listed.split(","):
        entry = raw.strip().lower()
        name, _, entry_port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
        if entry_port and entry_port != str(port):
            continue
        if entry == "*" or _in_network(host, entry):
            return True
        suffix = name.removeprefix("*").removeprefix(".")
        if suffix and (host == suffix or host.endswith(f".{suffix}")):
            return True
    return False


def _in_network(host: str, entry: str) -> bool:
    try:
        return "/" in entry and ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _manager(address: Address, proxy: str | None) -> urllib3.PoolManager:
    options: dict[str, Any] = {"num_pools": 2, "maxsize": 2}
    if address.url.startswith("https:"):
        options["ssl_context"] = _certificates(address)
    manager = _proxy_manager(proxy, options) if proxy else urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = {"http": _PatientPool, "https": _PatientTlsPool}
    return manager


def _proxy_manager(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigInvalidError(
            f"the proxy {shown(proxy)} is neither http:// nor https://",
            hint="correct HTTPS_PROXY, or name the host in NO_PROXY",
        )
    headers = None
    if parts.username:
        headers = urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return urllib3.ProxyManager(shown(proxy), proxy_headers=headers, **options)


def shown(url: str) -> str:
    """Return a URL without the user and password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _certificates(address: Address) -> ssl.SSLContext:
    """Trust what the system (or `SSL_CERT_FILE`) trusts, and the given CA besides."""
    bundle = address.env.get("SSL_CERT_FILE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
        if "-----BEGIN" in address.ca:
            context.load_verify_locations(cadata=address.ca)
        elif address.ca:
            context.load_verify_locations(cadata=Path(address.ca).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        named = "--control-plane-ca" if bundle is None or address.ca else f"SSL_CERT_FILE {bundle}"
        raise ConfigInvalidError(
            f"{named} holds no certificates that can be read: {_why(error)}",
            hint="give the path of a PEM file, or the PEM text itself",
        ) from error
    return context


class _PatientConnection(HTTPConnection):
    """A connection whose sends may take longer than its connect: one timeout serves both in urllib3."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(_SEND_SECONDS)


class _PatientTlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(_SEND_SECONDS)


class _PatientPool(HTTPConnectionPool):
    ConnectionCls = _PatientConnection


class _PatientTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PatientTlsConnection


def _lost(error: faults.HTTPError, host: str, proxy: str | None) -> Lost:
    through = f" (the proxy {shown(proxy)} from the environment is used)" if proxy else ""
    cause: BaseException = error
    if isinstance(error, faults.ProxyError):
        return Lost(
            f"the proxy {shown(proxy or '')} does not let the connection through: {_why(error.original_error)}",
            "check HTTPS_PROXY and its user and password, or name the host in NO_PROXY",
        )
    if isinstance(error, faults.SSLError):
        return Lost(
            f"no trusted TLS connection: {_why(cause)}",
            "a private certificate authority is named with --control-plane-ca or SSL_CERT_FILE; a server without TLS "
            "has an http:// address" + through,
            temporary=False,
        )
    if isinstance(error, faults.NameResolutionError):
        return Lost(
            f"the host name {host} is not known", f"check --control-plane (CHAINLOOP_CONTROL_PLANE_API){through}"
        )
    return Lost(
        _why(cause),
        f"check that the control plane runs at this address and that this machine may reach it{through}",
    )


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
