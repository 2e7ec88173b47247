from __future__ import annotations

import ipaddress

import pytest

from server.config import ServerConfig
from server.egress.policy import Policy
from server.egress.targets import parse_target
from server.errors import EgressRefusedError, EgressUnreachableError


def policy(allow: str) -> Policy:
    return Policy.from_config(ServerConfig.from_environment({"CHAINLOOP_EGRESS_ALLOW": allow} if allow else {}))


def check(allow: str, url: str, *found: str) -> tuple[str, ...]:
    rules, origin = policy(allow), parse_target(url).origin
    rules.require(origin)
    return tuple(str(address) for address in rules.require_addresses(origin, found))


@pytest.mark.parametrize(
    ("allow", "url", "found"),
    [
        ("", "https://public.example/", "140.82.112.3"),
        ("ghe.corp", "https://ghe.corp/", "10.0.0.5"),
        ("ghe.corp", "http://GHE.corp.:8080/", "10.0.0.5"),
        ("ghe.corp:8443", "https://ghe.corp:8443/", "10.0.0.5"),
        ("localhost", "http://localhost:3000/", "127.0.0.1"),
        ("10.0.0.0/8", "https://ghe.example/", "10.0.0.5"),
        ("10.0.0.0/8", "http://ghe.example/", "10.0.0.5"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000/", "127.0.0.1"),
        ("[::1]:3000", "http://[::1]:3000/", "::1"),
        ("a.corp, fd00::/8", "https://[fd00::7]/", "fd00::7"),
    ],
)
def test_what_is_public_or_opened_is_reached(allow, url, found):
    assert check(allow, url, found) == (found,)


@pytest.mark.parametrize(
    ("allow", "url", "found"),
    [
        ("", "http://public.example/", "140.82.112.3"),
        ("ghe.corp:8443", "https://ghe.corp/", "10.0.0.5"),
        ("ghe.corp", "https://other.corp/", "10.0.0.5"),
        ("ghe.corp", "https://x.ghe.corp/", "10.0.0.5"),
        ("10.0.0.0/8", "http://public.example/", "140.82.112.3"),
        ("10.0.0.0/8", "https://mixed.example/", "192.168.0.1"),
        ("10.0.0.5", "https://10.0.0.6/", "10.0.0.6"),
        ("127.0.0.1:3000", "http://127.0.0.1:3001/", "127.0.0.1"),
        ("", "https://intranet/", "140.82.112.3"),
    ],
)
def test_what_is_neither_is_not_reached(allow, url, found):
    with pytest.raises(EgressRefusedError):
        check(allow, url, found)


def test_one_private_address_among_public_ones_refuses_the_host():
    with pytest.raises(EgressRefusedError):
        check("", "https://mixed.example/", "140.82.112.3", "10.0.0.1")


def test_a_private_address_that_a_name_has_is_not_told():
    with pytest.raises(EgressRefusedError) as refused:
        check("", "https://intranet.example/", "10.20.30.40")

    assert "10.20.30.40" not in f"{refused.value}{refused.value.hint}"


def test_a_name_without_address_is_unreachable():
    with pytest.raises(EgressUnreachableError):
        check("", "https://nothing.example/")


def test_an_opened_network_holds_addresses_and_no_others():
    rules = policy("10.0.0.0/8")

    assert rules.is_opened(parse_target("http://10.1.1.1/").origin)
    assert not rules.is_opened(parse_target("http://11.1.1.1/").origin)
    assert rules.opened[0].network == ipaddress.ip_network("10.0.0.0/8")
