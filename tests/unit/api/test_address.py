"""R23: where a token may be sent."""

from __future__ import annotations

import pytest

from chainloop_ci.api.address import require_safe_url
from chainloop_ci.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "https://cp.test",
        "https://cp.test:8443/base/",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
    ],
)
def test_r23_https_and_http_to_this_machine_are_safe(url):
    assert require_safe_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://cp.test",
        "http://127.0.0.1.cp.test",
        "http://localhost.cp.test",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://2130706433",
        "http://[::ffff:10.0.0.1]",
        "HTTP://cp.test",
    ],
)
def test_r23_a_token_is_not_sent_over_http_to_another_machine_unless_asked(url):
    with pytest.raises(UsageError, match="not sent over http") as caught:
        require_safe_url(url)

    assert "--insecure" in str(caught.value.hint)
    assert require_safe_url(url, insecure=True) == url


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/chainloop/api/v1"])
def test_the_path_of_the_api_is_left_out(path):
    assert require_safe_url(f"https://cp.test{path}") == "https://cp.test" + path.partition("/api")[0]


def test_the_address_of_a_part_of_the_api_is_refused():
    with pytest.raises(UsageError, match="a part of its API") as caught:
        require_safe_url("https://cp.test/api/v1/workflows")

    assert caught.value.hint == "leave the path out: https://cp.test"


@pytest.mark.parametrize(
    "url",
    ["", "cp.test:443", "ftp://cp.test", "https://", "https:///path", "https://[::1", "https://cp.test:99999",
     "https://", "https://@", "https://:443", "https://cp.test?x=1", "https://cp.test/#x", "file:///etc/passwd",
     "https\t://cp.test", "http://local\thost", "https://cp.test\nhttp://localhost", "\x01http://localhost",
     "https://cp test", "http://[::1]cp.test", "http://[::1].cp.test:80", "https://cp.test/\x7f"],
)  # fmt: skip
@pytest.mark.parametrize("insecure", [False, True])
def test_r23_what_is_no_address_of_a_control_plane_is_refused(url, insecure):
    with pytest.raises(UsageError):
        require_safe_url(url, insecure)


@pytest.mark.parametrize(
    "url", ["https://user:hidden-value@cp.test", "user:hidden-value@cp.test", "https://user:hidden-value@[::1"]
)
def test_r23_credentials_in_an_address_are_refused_and_not_shown(url):
    with pytest.raises(UsageError) as caught:
        require_safe_url(url)

    assert "hidden-value" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("url", ["https://:hidden-value@cp.test", "https://@cp.test", "https://user@cp.test"])
def test_r23_any_user_or_password_in_an_address_is_refused(url):
    with pytest.raises(UsageError, match="holds credentials") as caught:
        require_safe_url(url)

    assert "hidden-value" not in f"{caught.value.message} {caught.value.hint}"
