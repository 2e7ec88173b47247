import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig


def test_without_settings_the_server_listens_on_loopback_only():
    config = ServerConfig.from_environment({})

    assert (config.bind, config.port) == ("127.0.0.1", 8080)
    assert config.public_url == "http://127.0.0.1:8080"
    assert config.trusted_proxies == ()


def test_every_setting_is_read():
    config = ServerConfig.from_environment(
        {
            "CHAINLOOP_DATA": "/srv/chainloop",
            "PORT": "9000",
            "CHAINLOOP_BIND": "::",
            "CHAINLOOP_PUBLIC_URL": "https://chainloop.example.com/",
            "CHAINLOOP_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7",
            "CHAINLOOP_WORKERS": "4",
            "CHAINLOOP_THREADS": "8",
            "CHAINLOOP_MAX_BLOB_BYTES": "1000",
            "CHAINLOOP_RUN_QUOTA_BYTES": "500",
            "CHAINLOOP_UPLOAD_GRACE": "90m",
            "CHAINLOOP_MAX_OPEN_RUNS": "7",
            "CHAINLOOP_MIN_FREE_BYTES": "0",
            "CHAINLOOP_SHUTDOWN_SECONDS": "5",
        }
    )

    assert config == ServerConfig(
        data=Path("/srv/chainloop"),
        port=9000,
        bind="::",
        public_url="https://chainloop.example.com",
        trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("192.0.2.7/32")),
        workers=4,
        threads=8,
        max_blob_bytes=1000,
        run_quota_bytes=500,
        upload_grace=timedelta(minutes=90),
        max_open_runs=7,
        min_free_bytes=0,
        shutdown_seconds=5,
    )


def test_an_ipv6_address_stands_in_brackets_in_the_public_url():
    config = ServerConfig.from_environment({"CHAINLOOP_BIND": "::1", "PORT": "80"})

    assert config.public_url == "http://[::1]:80"


def test_empty_settings_count_as_absent():
    assert ServerConfig.from_environment({"PORT": " ", "CHAINLOOP_BIND": ""}) == ServerConfig.from_environment({})


WRONG = {
    "PORT": "70000",
    "CHAINLOOP_BIND": "localhost",
    "CHAINLOOP_PUBLIC_URL": "chainloop.example.com",
    "CHAINLOOP_TRUSTED_PROXIES": "proxy.example.com",
    "CHAINLOOP_WORKERS": "0",
    "CHAINLOOP_THREADS": "１",
    "CHAINLOOP_MAX_BLOB_BYTES": "-1",
    "CHAINLOOP_RUN_QUOTA_BYTES": "-1",
    "CHAINLOOP_MIN_FREE_BYTES": "many",
    "CHAINLOOP_SHUTDOWN_SECONDS": "0",
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_setting_that_cannot_be_used_is_named_with_what_was_found(name):
    with pytest.raises(ConfigInvalidError) as caught:
        ServerConfig.from_environment({name: WRONG[name]})

    assert name in caught.value.message
    assert WRONG[name] in caught.value.message


def test_all_wrong_settings_are_reported_at_once():
    with pytest.raises(ConfigInvalidError) as caught:
        ServerConfig.from_environment(WRONG)

    assert {finding.path for finding in caught.value.findings} == set(WRONG)


@pytest.mark.parametrize("url", ["https://user:secret@example.com", "ftp://example.com", "https://example.com/?a=b"])
def test_r47_a_public_url_has_no_credentials_query_or_other_scheme(url):
    with pytest.raises(ConfigInvalidError):
        ServerConfig.from_environment({"CHAINLOOP_PUBLIC_URL": url})


@pytest.mark.parametrize("text", ["24", "h", "-1h", "0m", "1y", "4000d", "999999d"])
def test_r8_a_grace_that_cannot_be_used_is_named(text):
    with pytest.raises(ConfigInvalidError, match="CHAINLOOP_UPLOAD_GRACE: expected a"):
        ServerConfig.from_environment({"CHAINLOOP_UPLOAD_GRACE": text})


def test_r8_uploads_are_kept_for_a_day_unless_it_is_said_otherwise():
    assert ServerConfig.from_environment({}).upload_grace == timedelta(hours=24)
