"""Where a registry's login may be sent (T34). Source: distribution/distribution, `docs/spec/auth/token.md`."""

from __future__ import annotations

from urllib.parse import urlsplit

from chainloop_ci import errors
from chainloop_ci.api.address import is_loopback
from chainloop_ci.oci.login import HUB_NAMES

_SHARED = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})  # `example.co.uk` is registered, `co.uk` not


def is_local(netloc: str) -> bool:
    """Tell whether a host, with or without port, is this machine."""
    return is_loopback(urlsplit(f"//{netloc}").hostname or "")


def require_realm(host: str, realm: str, *, with_login: bool) -> None:
    """Refuse to send a login to a place that is not the registry's (T34).

    Raises:
        RegistryLoginError: not https, or another domain.
    """
    parts = urlsplit(realm)
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
