"""Which addresses belong to the public internet.

Sources: IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry".
`ipaddress.is_global` says less, and other things in each version of Python.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_V4 = tuple(
    (ipaddress.IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a carrier's network"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own service"),  # Azure's, the one public address that no router lets out
        ("169.254.0.0/16", "a local link"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "a protocol's own address"),  # also metadata of Oracle's cloud
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "a protocol's own address"),
        ("192.52.193.0/24", "a protocol's own address"),
        ("192.88.99.0/24", "a relay"),
        ("192.168.0.0/16", "a private network"),
        ("192.175.48.0/24", "a protocol's own address"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out; the rest is loopback, private, link-local, multicast, translated or reserved."""
_V6 = tuple(
    (ipaddress.IPv6Network(network), kind)
    for network, kind in (
        ("2001::/23", "a protocol's own address"),  # Teredo is in it
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "a relay"),  # 6to4: any IPv4 address inside
        ("2620:4f:8000::/48", "a protocol's own address"),
        ("3fff::/20", "documentation"),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""How a machine without IPv4 reaches it (RFC 6052): as public as the IPv4 address inside."""


def kind_of_closed(address: Address) -> str | None:
    """Return what kind of address this is when it is not one of the public internet, else None."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((kind for network, kind in _V4 if address in network), None)
    if address.scope_id is not None:
        return "a local link"
    if address in _NAT64:
        return kind_of_closed(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.ipv4_mapped is not None:
        # A machine connects to the IPv4 address inside; nobody who means well writes it so.
        return kind_of_closed(address.ipv4_mapped) or "an IPv4 address in disguise"
    if address not in _GLOBAL_V6:
        return "loopback" if address.is_loopback else "no public network"
    return next((kind for network, kind in _V6 if address in network), None)
