"""The texts of settings: what each kind may say, and what it means. Every parser says what it expected."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MIN_EVENT_RETENTION = timedelta(days=4)
"""Longer than a delivery is tried."""
MIN_UPLOAD_GRACE = timedelta(minutes=1)
MAX_UPLOAD_GRACE = timedelta(days=3650)
MIN_HOOK_SECRET = 16
"""Characters: a shorter one can be guessed from a signature."""
KEY_BYTES = 32
"""Of a key that seals credentials."""
MAX_SECRET_BYTES = 64 * 1024
"""Of a file that holds a setting."""
_SPAN = re.compile(r"([0-9]{1,5})([mhd])\Z")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?)(?::([0-9]{1,5}))?\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class OpenedHost:
    """A host, or a network, that the server may speak to though it is not of the public internet (R45)."""

    host: str | None
    """In lower case; None: `network` says where."""
    network: Network | None = None
    port: int | None = None
    """None: any."""


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """An http proxy that outgoing requests go through."""

    host: str
    port: int
    login: str | None = field(default=None, repr=False)
    """User and password with a colon between them."""


def read_setting_file(path: Path) -> str:
    """Return what stands in a file of one setting; an empty one is no setting but a mistake."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def parse_database_url(text: str) -> str:
    """Return the URL with its usual scheme. Nothing of it is repeated: what is wrong may be the password."""
    scheme, found, rest = text.partition("://")
    try:
        parts = urlsplit(text)
        is_complete = bool(parts.path.strip("/")) and parts.port != 0 and not parts.fragment
    except ValueError:
        is_complete = False
    if scheme not in ("postgresql", "postgres") or not found or not is_complete:
        raise ValueError(
            "expected an address like postgresql://user:password@host:5432/database, "
            "with the special characters of a password in their %-form"
        )
    return f"postgresql://{rest}"


def parse_folder(text: str) -> Path:
    """Return an absolute path, whether there is something or not."""
    return Path(text).expanduser().absolute()


def parse_retention(text: str) -> timedelta:
    """Return how long told events are kept.

    Raises:
        ValueError: says what is expected.
    """
    span = parse_span(text)
    if not MIN_EVENT_RETENTION <= span <= MAX_UPLOAD_GRACE:
        raise ValueError("expected 4d or more: deliveries are tried for three days")
    return span


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def parse_span(text: str) -> timedelta:
    """Return a time span that is written like 90m, 24h or 7d.

    Raises:
        ValueError: says what is expected.
    """
    match = _SPAN.match(text)
    if match is None:
        raise ValueError("expected a number and d, h or m, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_hook_secrets(text: str) -> tuple[str, ...]:
    """Return what webhooks are signed with: one secret, or two during a rotation.

    Raises:
        ValueError: says what is expected.
    """
    secrets = tuple(text.replace(",", " ").split())
    if not 1 <= len(secrets) <= 2 or any(len(secret) < MIN_HOOK_SECRET for secret in secrets):
        raise ValueError(f"expected one secret, or two during a rotation, of {MIN_HOOK_SECRET} characters at least")
    return secrets


def parse_secret_keys(text: str) -> tuple[bytes, ...]:
    """Return keys that are written in Base64 with blanks, commas or line breaks between them.

    Raises:
        ValueError: says what is expected, and nothing of what was found.
    """
    keys = []
    for word in text.replace(",", " ").split():
        try:
            key = base64.b64decode(word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4), validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"expected keys of {KEY_BYTES} random bytes in Base64, as `openssl rand -base64 32` prints"
            )
        keys.append(key)
    if not keys:
        raise ValueError("expected at least one key")
    return tuple(keys)


def parse_grace(text: str) -> timedelta:
    """Return how long an upload is kept.

    Raises:
        ValueError: says what is expected.
    """
    span = parse_span(text)
    if not MIN_UPLOAD_GRACE <= span <= MAX_UPLOAD_GRACE:
        raise ValueError("expected a time from 1m to 3650d, such as 24h")
    return span


def parse_address(text: str) -> str:
    """Return an IP address in its usual form.

    Raises:
        ValueError: says what is expected.
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("expected an IP address to listen on, like 127.0.0.1 or 0.0.0.0") from None


def parse_url(text: str) -> str:
    """Return a base address without its trailing slash.

    Raises:
        ValueError: says what is expected.
    """
    parts = urlsplit(text)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("expected an address like https://chainloop.example.com")
    return text.rstrip("/")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return networks that are written with commas between them.

    Raises:
        ValueError: says what is expected.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("expected addresses or networks separated by commas, like 10.0.0.0/8") from None


def parse_opened_hosts(text: str) -> tuple[OpenedHost, ...]:
    """Return hosts and networks that are written with commas between them.

    Raises:
        ValueError: says what is expected.
    """
    return tuple(_opened_host(part.strip().lower()) for part in text.split(",") if part.strip())


def _opened_host(text: str) -> OpenedHost:
    try:
        return OpenedHost(None, ipaddress.ip_network(text.strip("[]")))
    except ValueError:
        match = _HOST_AND_PORT.match(text)
    if match is None or not (match[2] is None or 1 <= int(match[2]) <= 65535):
        raise ValueError("expected hosts, host:port or networks separated by commas, like ghe.corp.example:8443")
    host, port = match[1].strip("[]").removesuffix("."), int(match[2]) if match[2] else None
    try:
        return OpenedHost(None, ipaddress.ip_network(host), port)
    except ValueError:
        return OpenedHost(host, None, port)


def parse_proxy(text: str) -> EgressProxy:
    """Return the proxy that an address names.

    Raises:
        ValueError: says what is expected.
    """
    expected = ValueError("expected an address like http://proxy.example.com:3128, with user:password@ if it asks")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise expected from None
    if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise expected
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return EgressProxy(host, port or 80, login)


def parse_file(text: str) -> Path:
    """Return the path of a file that is there.

    Raises:
        ValueError: says what is expected.
    """
    path = parse_folder(text)
    if not path.is_file():
        raise ValueError("expected the path of a file")
    return path
