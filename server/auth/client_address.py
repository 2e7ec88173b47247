"""Where a request comes from, seen through trusted proxies only (R47)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from server.setting_values import Network


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the client's address.

    X-Forwarded-For counts only when the peer is a trusted proxy; it is read from the right, and the first address
    that is not itself a trusted proxy is the client: everything left of it was written by the client.
    """
    address = peer
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted):
        nearer = hops.pop()
        if _parse(nearer) is None:
            break
        address = nearer
    return address


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    address = _parse(text)
    return address is not None and any(address in network for network in trusted)


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
