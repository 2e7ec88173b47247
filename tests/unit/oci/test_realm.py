"""Where a registry's login may go (T34); `test_resolve` asks registries that name such places."""

from __future__ import annotations

import pytest

from chainloop_ci.errors import RegistryLoginError
from chainloop_ci.oci.realm import require_realm


@pytest.mark.parametrize("with_login", [True, False])
@pytest.mark.parametrize(
    "realm",
    [
        "http://evil.test/token",
        "http://localhost.evil.test/token",
        "http://localhost@evil.test/token",
        "ftp://localhost/token",
        "//localhost/token",
        "",
    ],
)
def test_t34_a_local_registry_gets_no_login_over_an_unprotected_way_to_another_host(
    realm: str, with_login: bool
) -> None:
    with pytest.raises(RegistryLoginError, match="nothing was sent"):
        require_realm("localhost:5000", realm, with_login=with_login)


def test_t34_a_foreign_registry_gets_no_login_over_http_to_this_machine() -> None:
    with pytest.raises(RegistryLoginError, match="over http"):
        require_realm("registry.example.com", "http://localhost:5001/token", with_login=True)


@pytest.mark.parametrize(
    "realm",
    [
        "http://[",
        "https://[::1/token",
        "https://registry.example.com:port/token",
        "https://registry.example.com:70000/token",
        "https://evil.test\\@registry.example.com/token",
        "https://user@registry.example.com/token",
        "\x0chttps://registry.example.com/token",
        "https://registry.example.com/to\nken",
    ],
)
def test_t34_an_address_that_is_none_is_refused(realm: str) -> None:
    with pytest.raises(RegistryLoginError, match="nothing was sent"):
        require_realm("registry.example.com", realm, with_login=True)


@pytest.mark.parametrize("realm", ["http://localhost:5001/token", "http://127.0.0.1:5001/token"])
def test_a_local_registry_s_login_may_go_to_this_machine(realm: str) -> None:
    require_realm("localhost:5000", realm, with_login=True)


def test_only_in_countries_is_a_domain_registered_below_a_shared_word() -> None:
    require_realm("registry.com.example", "https://auth.com.example/token", with_login=True)


def test_t34_addresses_have_no_domain_in_common() -> None:
    with pytest.raises(RegistryLoginError, match="not its own"):
        require_realm("10.0.0.1", "https://9.0.0.1/token", with_login=True)
