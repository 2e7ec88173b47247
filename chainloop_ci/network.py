"""How the network is reached: through which proxy, and which certificate authorities are trusted there.

One answer for every connection, to the control plane and to registries. `CHAINLOOP_PROXY`, `CHAINLOOP_NO_PROXY` and
`CHAINLOOP_CA_BUNDLE` are for this program alone; without them counts what curl reads. Imported with the first request.
What installs this program in a job reads them in the same way (`actions/_shared/network.py`): one table of tests holds
both.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from chainloop_ci.api.address import is_loopback
from chainloop_ci.errors import ConfigInvalidError, FileUnreadableError, PathRefusedError
from chainloop_ci.small_files import read_small_file

MAX_CA_BYTES = 4 * 1024 * 1024
PROXY_VARIABLE = "CHAINLOOP_PROXY"
NO_PROXY_VARIABLE = "CHAINLOOP_NO_PROXY"
CA_BUNDLE_VARIABLE = "CHAINLOOP_CA_BUNDLE"
_BEGIN = "-----BEGIN"
_PEM_HINT = "give the path of a PEM file, or the PEM text itself"


def proxy_for(url: str, env: Mapping[str, str]) -> str | None:
    """Return the proxy's URL for `url`, with its user and password; loopback is never sent through a proxy.

    Raises:
        ConfigInvalidError: it is neither http:// nor https://. The message shows no password.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    bypass = _first(env, NO_PROXY_VARIABLE, "no_proxy", "NO_PROXY")
    if is_loopback(host) or _bypassed(host, parts.port, bypass):
        return None
    # HTTP_PROXY in capitals is left out on purpose: in a CGI program a client could set it (httpoxy).
    usual = ("https_proxy", "HTTPS_PROXY") if parts.scheme == "https" else ("http_proxy",)
    found = _first(env, PROXY_VARIABLE, *usual, "all_proxy", "ALL_PROXY")
    return _require_proxy(found if "://" in found else f"http://{found}") if found else None


def _first(env: Mapping[str, str], *names: str) -> str:
    return next((env[name].strip() for name in names if env.get(name, "").strip()), "")


def _require_proxy(proxy: str) -> str:
    # Readers of addresses leave a line break or a tab out, or fail at it.
    is_plain = proxy.isprintable() and " " not in proxy
    try:
        parts = urlsplit(proxy)
        usable = is_plain and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or a bracket
        usable = False
    if not usable:
        # With a blank in it nobody knows where its password ends.
        named = f"the proxy {shown(proxy)}" if is_plain else "the proxy, whose text has a blank or a line break in it,"
        raise ConfigInvalidError(
            f"{named} is no address that begins with http:// or https://",
            hint=f"correct HTTPS_PROXY or {PROXY_VARIABLE} (a password with /, @, : or # in it is written with "
            "percent signs), or name the host in NO_PROXY",
        )
    return proxy


def proxy_login(proxy: str) -> str:
    """Return user and password of a proxy as they are sent to it, empty without any."""
    parts = urlsplit(proxy)
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""


def shown(url: str) -> str:
    """Return a URL without the user and password in it, also one that no reader of addresses takes."""
    scheme, mark, rest = url.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


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


def trust(env: Mapping[str, str]) -> ssl.SSLContext:
    """Trust what the system (or `SSL_CERT_FILE`) trusts, and the authorities of `CHAINLOOP_CA_BUNDLE` besides.

    Raises:
        ConfigInvalidError: one of them holds no certificates that can be read.
    """
    bundle = env.get("SSL_CERT_FILE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError) as error:
        raise _unusable(f"SSL_CERT_FILE {bundle}", error, "give the path of a PEM file") from error
    if own := env.get(CA_BUNDLE_VARIABLE, "").strip():
        trust_too(context, own, CA_BUNDLE_VARIABLE)
    return context


def trust_too(context: ssl.SSLContext, authorities: str, named: str) -> None:
    """Add certificate authorities, a path or PEM text; `named` is what the user calls them.

    Raises:
        ConfigInvalidError: there are no certificates that can be read.
    """
    # CI systems keep a text of several lines with its line ends written as a backslash and an n.
    try:
        pem = authorities.replace("\\n", "\n") if _BEGIN in authorities else _read(Path(authorities))
        # What people write between the blocks is theirs; the reader takes ASCII only.
        context.load_verify_locations(cadata=pem.encode("ascii", "replace").decode("ascii"))
    except (OSError, ValueError, FileUnreadableError, PathRefusedError) as error:
        raise _unusable(named, error, _PEM_HINT) from error


def _read(path: Path) -> str:
    raw = read_small_file(path, "the file", MAX_CA_BYTES).raw
    if len(raw) > MAX_CA_BYTES:
        raise ValueError(f"it is larger than {MAX_CA_BYTES} bytes")
    text = raw.decode("utf-8", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError(f"there is no certificate (BEGIN CERTIFICATE) in {str(path)!r}")
    return text


def _unusable(named: str, error: Any, hint: str) -> ConfigInvalidError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigInvalidError(f"{named} holds no certificates that can be read: {why[:300]}", hint=hint)
