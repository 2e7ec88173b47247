"""Where a registry's login may be sent (T34). Source: distribution/distribution, `docs/spec/auth/token.md`."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from chainloop_ci import errors
from chainloop_ci.api.address import is_loopback
from chainloop_ci.oci.login import HUB_NAMES

_SHARED = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})  # `example.co.uk` is registered, `co.uk` not
_ADDRESS = re.compile(
    r"[a-z]+://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?][^\x00-\x20\x7f\\]*)?", re.ASCII | re.I
)
"""Narrow: readers of addresses disagree about who is asked in `https://a.test\\@b.test/`."""


def split_address(address: str) -> SplitResult:
    """Return the parts of an absolute address that every reader understands alike.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(address)
    if parts.port == 0 or not _ADDRESS.fullmatch(address):  # asking for the port looks at it
        raise ValueError(f"{address[:200]!r} is no address")
    return parts


def is_local(netloc: str) -> bool:
    """Tell whether a host, with or without port, is this machine."""
    return is_loopback(urlsplit(f"//{netloc}").hostname or "")


def require_realm(host: str, realm: str, *, with_login: bool) -> None:
    """Refuse to send a login to a place that is not the registry's (T34).

    Raises:
        RegistryLoginError: no address, not https, or another domain.
    """
    try:
        parts = split_address(realm)
    except ValueError as error:
        raise errors.RegistryLoginError(
            f"the registry {host} wants the login to be sent to {realm[:200]!r}, which is no address: nothing was sent",
            hint="a registry has to name an https address for logins",
        ) from error
    local = parts.scheme == "http" and is_local(parts.netloc) and is_local(host)
    if parts.scheme != "https" and not local:
        raise errors.RegistryLoginError(
            f"the registry {host} wants the login over {parts.scheme or 'an unknown protocol'}: nothing was sent",
            hint="a registry has to name an https address for logins",
        )
    related = parts.port in (None, 443) and _domain(parts.hostname or "") == _domain(host)
    same = parts.netloc == host or {parts.netloc, host} <= HUB_NAMES
    if with_login and not (same or related or local):
        raise errors.RegistryLoginError(
            f"the registry {host} wants the login to be sent to {parts.netloc}, which is not its own: nothing was sent",
            hint="check the registry's name; its token service has to be on the same domain",
        )


def _domain(host: str) -> str:
    """Return the domain that somebody registered; an address or a single word is its own."""
    name = urlsplit(f"//{host}").hostname or ""
    labels = name.split(".")
    if name.replace(".", "").isdigit() or ":" in name or len(labels) < 2:
        return name
    return ".".join(labels[-3 if len(labels[-1]) == 2 and labels[-2] in _SHARED else -2 :])
