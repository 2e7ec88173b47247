from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.egress.addresses import kind_of_closed
from server.egress.targets import Origin, Target, parse_target
from server.errors import EgressRefusedError


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://api.github.com", Origin("https", "api.github.com", 443), "/"),
        ("HTTPS://API.GitHub.com./a?b=c", Origin("https", "api.github.com", 443), "/a?b=c"),
        ("http://ghe.corp.example:8080/api/v3", Origin("http", "ghe.corp.example", 8080), "/api/v3"),
        ("https://[2606:50C0:8000::153]:8443/", Origin("https", "2606:50c0:8000::153", 8443), "/"),
        ("https://140.82.112.3?x", Origin("https", "140.82.112.3", 443), "/?x"),
        ("https://xn--bcher-kva.example/", Origin("https", "xn--bcher-kva.example", 443), "/"),
    ],
)
def test_a_plain_address_is_read(url, origin, path):
    assert parse_target(url) == Target(origin, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https://host:/",
        "https://host:0/",
        "https://host:65536/",
        "https://ho st/",
        "https://host/\r\nX: y",
        "https://bücher.example/",
        "https://host..example/",
        "https://-host.example/",
        "https://user@host.example/",
        "https://host.example/#fragment",
        "https://1.2.3/",
        "https://0x7f.1/",
        "https://1.2.3.4.5/",
        "https://[::1%25eth0]/",
        "https://[::1",
        "ftp://host.example/",
        "https:/host.example/",
        "https://" + "a" * 64 + ".example/",
        "https://host.example/" + "a" * 9000,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(url):
    with pytest.raises(EgressRefusedError):
        parse_target(url)


def test_a_refused_address_is_not_shown():
    with pytest.raises(EgressRefusedError) as refused:
        parse_target("https://user:hunter2@hooks.example/T000/secret-path")

    assert not {"hunter2", "secret-path"} & set(str(refused.value).replace("/", " ").replace(":", " ").split())


@given(st.text(max_size=40).map(lambda text: f"https://{text}/"))
def test_a_host_that_is_read_has_no_sign_that_another_reader_could_take_for_something_else(url):
    try:
        origin = parse_target(url).origin
    except EgressRefusedError:
        return

    assert set(origin.host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_:")
    assert parse_target(str(origin)).origin == origin


@pytest.mark.parametrize(
    "address",
    ["140.82.112.3", "8.8.8.8", "1.1.1.1", "192.0.1.1", "2606:50c0:8000::153", "2a00:1450::1", "64:ff9b::8c52:7003"],
)
def test_the_public_internet_is_open(address):
    assert kind_of_closed(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "127.255.255.255", "10.255.0.1", "100.127.0.1", "168.63.129.16", "169.254.169.254", "172.31.0.1",
        "192.0.0.192", "192.168.1.1", "198.19.0.1", "203.0.113.5", "239.1.1.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1",
        "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
        "fec0::1", "ff02::1", "2606:50c0::1%eth0",
    ],
)  # fmt: skip
def test_what_is_not_of_the_public_internet_is_closed(address):
    assert kind_of_closed(ipaddress.ip_address(address)) is not None


@given(st.ip_addresses())
def test_what_python_calls_private_is_closed(address):
    if not address.is_global:
        assert kind_of_closed(address) is not None
