from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from chainloop_ci.errors import ConfigInvalidError
from chainloop_ci.network import MAX_CA_BYTES, proxy_for, proxy_login, shown, trust
from tests.integration.tls_proxy import Authority

CP = "https://cp.example:8443/x"


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        (CP, {}, None),
        (CP, {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        (CP, {"https_proxy": "p:1"}, "http://p:1"),
        (CP, {"http_proxy": "http://p:1"}, None),
        (CP, {"ALL_PROXY": "http://all:1"}, "http://all:1"),
        (CP, {"HTTPS_PROXY": ""}, None),
        (CP, {"CHAINLOOP_PROXY": "http://own:1", "https_proxy": "http://p:1"}, "http://own:1"),
        (CP, {"CHAINLOOP_PROXY": " ", "https_proxy": "http://p:1"}, "http://p:1"),
        ("http://cp.example", {"CHAINLOOP_PROXY": "http://own:1"}, "http://own:1"),
        ("http://127.0.0.1:1", {"CHAINLOOP_PROXY": "http://own:1"}, None),
        ("http://cp.example", {"http_proxy": "http://p:1"}, "http://p:1"),
        ("http://cp.example", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://127.0.0.1:1", {"http_proxy": "http://p:1"}, None),
        ("https://[::1]:1", {"https_proxy": "http://p:1"}, None),
        ("https://localhost", {"https_proxy": "http://p:1"}, None),
    ],
)
def test_the_proxy_comes_from_the_environment_and_loopback_has_none(
    url: str, env: dict[str, str], proxy: str | None
) -> None:
    assert proxy_for(url, env) == proxy


@pytest.mark.parametrize(
    ("listed", "direct"),
    [
        ("*", True),
        ("cp.example", True),
        (".example", True),
        ("example", True),
        ("*.example", True),
        ("other, cp.example", True),
        ("cp.example:8443", True),
        ("cp.example:443", False),
        ("p.example", False),
        ("", False),
        ("10.0.0.0/8", False),
    ],
)
def test_no_proxy_names_hosts_domains_and_ports(listed: str, direct: bool) -> None:
    proxy = proxy_for(CP, {"https_proxy": "http://p:1", "NO_PROXY": listed})

    assert (proxy is None) is direct


@pytest.mark.parametrize(("listed", "direct"), [("10.0.0.0/8", True), ("10.9.9.9/8", True), ("11.0.0.0/8", False)])
def test_no_proxy_names_networks_by_any_of_their_addresses(listed: str, direct: bool) -> None:
    proxy = proxy_for("https://10.1.2.3", {"https_proxy": "http://p:1", "NO_PROXY": listed})

    assert (proxy is None) is direct


def test_our_own_no_proxy_counts_alone() -> None:
    env = {"https_proxy": "http://p:1", "CHAINLOOP_NO_PROXY": "other.example", "NO_PROXY": "cp.example"}

    assert proxy_for(CP, env) == "http://p:1"


def test_no_proxy_names_networks() -> None:
    env = {"https_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}

    assert proxy_for("https://10.1.2.3", env) is None


def test_a_url_is_shown_without_its_password() -> None:
    assert shown("http://user:secret@proxy:3128/") == "http://proxy:3128/"


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://user:s3cret@p:1",
        "http://user:s3cret/x@p:1",
        "http://user:s3cret@p:port",
        "http://user:s3cret@[p:1",
        "http://user:s3cret@",
        "user:s3cret@p:0",
        "http://user:s3cret@p:1\nhttp://q:2",
        "http://user:s3cret@p p:1",
    ],
)
def test_t02_a_proxy_that_is_no_address_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigInvalidError) as caught:
        proxy_for(CP, {"CHAINLOOP_PROXY": proxy})

    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_the_login_of_a_proxy_is_written_with_percent_signs() -> None:
    assert proxy_login("http://ana:p%40ss%2Fword@p:1") == "ana:p@ss/word"
    assert proxy_login("http://p:1") == ""


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "file"])
def test_the_bundle_is_trusted_besides_what_the_machine_trusts(tmp_path: Path, as_text: bool) -> None:
    machine, network = Authority("Machine CA"), Authority("Network CA")
    (tmp_path / "machine.pem").write_text(machine.pem)
    (tmp_path / "network.pem").write_text(network.pem)
    bundle = network.pem.replace("\n", "\\n") if as_text else str(tmp_path / "network.pem")

    context = trust({"SSL_CERT_FILE": str(tmp_path / "machine.pem"), "CHAINLOOP_CA_BUNDLE": bundle})

    trusted = set(context.get_ca_certs(binary_form=True))
    assert {ssl.PEM_cert_to_DER_cert(authority.pem) for authority in (machine, network)} <= trusted


def test_a_bundle_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")

    with pytest.raises(ConfigInvalidError, match="CHAINLOOP_CA_BUNDLE holds no certificates"):
        trust({"CHAINLOOP_CA_BUNDLE": str(tmp_path / "empty.pem")})


def test_a_bundle_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large.pem").write_bytes(b"-----BEGIN CERTIFICATE-----".ljust(MAX_CA_BYTES + 1))

    with pytest.raises(ConfigInvalidError, match=f"larger than {MAX_CA_BYTES} bytes"):
        trust({"CHAINLOOP_CA_BUNDLE": str(tmp_path / "large.pem")})
