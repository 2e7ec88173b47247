import ipaddress

import pytest

from server.auth.client_address import client_address

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.9, nonsense", "10.0.0.1"),
        ("fd00::1", "2001:db8::9", "2001:db8::9"),
        ("", "198.51.100.9", ""),
    ],
)
def test_r47_a_forwarded_address_counts_only_from_a_trusted_proxy(peer, forwarded, expected):
    assert client_address(peer, forwarded, TRUSTED) == expected


def test_r47_without_trusted_proxies_no_header_counts():
    assert client_address("127.0.0.1", "198.51.100.9", ()) == "127.0.0.1"
