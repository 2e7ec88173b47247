"""Where a request goes: one strict reading of an address, which checks and connects alike."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from server.egress.addresses import Address
from server.errors import EgressRefusedError

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(?i:(https?))://([^/?#]+)([^#]*)\Z")
_PLAIN = re.compile(r"[\x21-\x7e]+\Z")
_BRACKETED = re.compile(r"\[([0-9a-f:.]+)\](?::([0-9]{1,5}))?\Z")
_NAMED = re.compile(r"([^:\[\]]+)(?::([0-9]{1,5}))?\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_MAX_URL = 8192
_MAX_NAME = 253


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what a credential is for."""

    scheme: str
    host: str
    """Lower case, without a trailing dot; an IPv6 address without brackets."""
    port: int

    @property
    def address(self) -> Address | None:
        """Return the host if it is an address."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


@dataclass(frozen=True, slots=True)
class Target:
    """An origin, and what is asked of it."""

    origin: Origin
    path: str
    """With the query; begins with a slash. It may hold a secret, so no message shows it."""


def parse_target(url: str) -> Target:
    """Read an address as nobody else can read it differently: no user, no fragment, no sign that needs decoding.

    Names in other alphabets are written in ASCII (`xn--…`); an IPv4 address is four decimal numbers and nothing else.

    Raises:
        EgressRefusedError: says what is wrong, without the address: it may hold a secret.
    """
    if len(url) > _MAX_URL or not _PLAIN.match(url) or "\\" in url:
        raise _refused("it has signs that an address has none of (or is too long); other alphabets are written xn--…")
    match = _URL.match(url)
    if match is None:
        raise _refused("it has to begin with https:// and a host, and to have no fragment (#)")
    scheme, authority, rest = match[1].lower(), match[2].lower(), match[3]
    if "@" in authority:
        raise _refused("it holds a user name; credentials have a place of their own")
    host, port = _split(authority)
    return Target(Origin(scheme, host, port or _PORTS[scheme]), rest if rest.startswith("/") else f"/{rest}")


def _split(authority: str) -> tuple[str, int | None]:
    bracketed = _BRACKETED.match(authority)
    match = bracketed or _NAMED.match(authority)
    if match is None:
        raise _refused("its host and port cannot be told apart")
    host = _v6(match[1]) if bracketed else _name(match[1].removesuffix("."))
    if match[2] is None:
        return host, None
    port = int(match[2])
    if not 1 <= port <= 65535:
        raise _refused("its port is no number from 1 to 65535")
    return host, port


def _v6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise _refused("there is no IPv6 address in its brackets") from None


def _name(text: str) -> str:
    labels = text.split(".")
    if len(text) > _MAX_NAME or not all(_LABEL.match(label) for label in labels):
        raise _refused("its host is no name: letters, digits and hyphens between dots")
    # Many readers take 127.1, 0x7f.1 or 2130706433 for an address: whatever ends in a number has to be a plain one.
    if not _NUMBER.match(labels[-1]):
        return text
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise _refused("its host ends in a number and is no IPv4 address of four decimal numbers") from None


def _refused(why: str) -> EgressRefusedError:
    return EgressRefusedError(f"the address cannot be used: {why}", hint="correct the address")
