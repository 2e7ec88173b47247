"""Where a control plane may be, so that a token may be sent there (R23)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from chainloop_ci.errors import UsageError

_API_PATH = "/api/v1/"
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
"""The usual names of this machine; any other is read as an address."""
_URL_HINT = "write it like https://chainloop.example.com"


def require_safe_url(url: str, insecure: bool = False) -> str:
    """Return the address of a control plane, without a slash at its end, when a token may be sent there (R23).

    The path of the API itself is left out: whoever copied it from the API's documentation means the same place.
    Plain http is for this machine only, or for who says `insecure`.

    Raises:
        UsageError: not http or https, no host, credentials, query, fragment or a route in it, or http to another
            machine.
    """
    shown = url.rsplit("@", 1)[-1][:200]
    try:
        parts = urlsplit(_without_blanks(url))
        host, _ = parts.hostname, parts.port
        _require_nothing_after_bracket(parts.netloc)
    except ValueError as error:
        raise UsageError(f"{shown!r} is no address: {error}", hint=_URL_HINT) from error
    if parts.username is not None:
        raise UsageError(
            f"the address of {host} holds credentials", hint="give the token with --token or CHAINLOOP_TOKEN"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"expected an http or https address of a control plane, found {shown!r}", hint=_URL_HINT)
    if parts.query or parts.fragment:
        raise UsageError(f"the address of a control plane ends with its path, found {shown!r}", hint=_URL_HINT)
    if parts.scheme == "http" and not insecure and not is_loopback(host):
        raise UsageError(
            f"a token is not sent over http to another machine ({host})",
            hint="use https; --insecure (CHAINLOOP_API_INSECURE=true) allows it where nobody can listen",
        )
    return _without_api_path(url.strip().rstrip("/"))


def _without_blanks(url: str) -> str:
    """Return the address without blanks around it.

    Raises:
        ValueError: it holds some inside, or control characters; readers leave out different ones of them.
    """
    url = url.strip()
    if not url.isprintable() or " " in url:
        raise ValueError("it holds a blank or a control character")
    return url


def _require_nothing_after_bracket(netloc: str) -> None:
    _, bracket, rest = netloc.partition("]")
    if bracket and rest and not rest.startswith(":"):
        raise ValueError("only a port stands after the brackets of an IPv6 address")


def _without_api_path(url: str) -> str:
    base, found, route = f"{url}/".partition(_API_PATH)
    if route:
        raise UsageError(
            f"expected the address of a control plane, found that of a part of its API: {url[:200]!r}",
            hint=f"leave the path out: {base}",
        )
    return base if found else url


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an address without port, is this machine."""
    if host in _LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
