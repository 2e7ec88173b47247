import base64
import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig
from server.setting_values import EgressProxy, OpenedHost


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


def test_what_goes_out_is_settled_by_hosts_and_networks(tmp_path):
    (tmp_path / "ca.pem").touch()
    config = ServerConfig.from_environment(
        {
            "CHAINLOOP_EGRESS_ALLOW": "GHE.corp, gitlab.corp:8443, 10.0.0.0/8, 127.0.0.1:3000, [::1]:3000",
            "CHAINLOOP_EGRESS_PROXY": "http://us%3Aer:pa%40ss@proxy.corp:3128",
            "CHAINLOOP_EGRESS_CA": str(tmp_path / "ca.pem"),
        }
    )

    assert config.egress_allow == (
        OpenedHost("ghe.corp"),
        OpenedHost("gitlab.corp", None, 8443),
        OpenedHost(None, ipaddress.ip_network("10.0.0.0/8")),
        OpenedHost(None, ipaddress.ip_network("127.0.0.1"), 3000),
        OpenedHost(None, ipaddress.ip_network("::1"), 3000),
    )
    assert config.egress_proxy == EgressProxy("proxy.corp", 3128, "us:er:pa@ss")
    assert config.egress_ca == tmp_path / "ca.pem"


def test_keys_are_read_in_both_alphabets_of_base64():
    key = bytes(range(224, 256))

    config = ServerConfig.from_environment(
        {"CHAINLOOP_SECRET_KEY": f"{base64.b64encode(key).decode()},{base64.urlsafe_b64encode(key[::-1]).decode()}"}
    )

    assert config.secret_keys == (key, key[::-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHAINLOOP_SECRET_KEY", "hunter2-is-no-key"),
        ("CHAINLOOP_SECRET_KEY", "aHVudGVyMg=="),
        ("CHAINLOOP_EGRESS_PROXY", "socks5://user:hunter2@proxy"),
        ("CHAINLOOP_EGRESS_PROXY", "http://user:hunter2@proxy:port"),
        ("CHAINLOOP_EGRESS_ALLOW", "http://ghe.corp"),
        ("CHAINLOOP_EGRESS_ALLOW", "*.corp"),
        ("CHAINLOOP_EGRESS_ALLOW", "ghe.corp:70000"),
        ("CHAINLOOP_EGRESS_CA", "/no/such/file"),
    ],
)
def test_a_way_out_or_a_key_that_cannot_be_used_is_named_and_no_secret_shown(name, value):
    with pytest.raises(ConfigInvalidError, match=name) as refused:
        ServerConfig.from_environment({name: value})

    assert "hunter2" not in str(refused.value)
    assert "aHVudGVyMg" not in str(refused.value)


def test_a_key_and_a_file_of_keys_are_refused_together(tmp_path):
    (tmp_path / "keys").touch()

    with pytest.raises(ConfigInvalidError, match="expected one of them"):
        ServerConfig.from_environment(
            {
                "CHAINLOOP_SECRET_KEY": base64.b64encode(bytes(32)).decode(),
                "CHAINLOOP_SECRET_KEY_FILE": str(tmp_path / "keys"),
            }
        )


def test_no_secret_is_in_what_a_settings_record_prints():
    config = ServerConfig.from_environment(
        {
            "CHAINLOOP_SECRET_KEY": base64.b64encode(b"k" * 32).decode(),
            "CHAINLOOP_EGRESS_PROXY": "http://user:hunter2@proxy:3128",
        }
    )

    assert "kkkk" not in repr(config)
    assert "hunter2" not in f"{config!r}{config.egress_proxy!r}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_database_url_is_taken_with_either_scheme(scheme):
    config = ServerConfig.from_environment(
        {"CHAINLOOP_DATABASE_URL": f"{scheme}://me:pw@db.test:5433/chainloop?sslmode=require"}
    )

    assert config.database_url == "postgresql://me:pw@db.test:5433/chainloop?sslmode=require"


def test_a_database_url_may_stand_in_a_file(tmp_path):
    (tmp_path / "url").write_text("postgresql://me@/chainloop?host=/run/postgresql\n")

    config = ServerConfig.from_environment({"CHAINLOOP_DATABASE_URL_FILE": str(tmp_path / "url")})

    assert config.database_url == "postgresql://me@/chainloop?host=/run/postgresql"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@db.test",
        "postgresql://me:hunter2@db.test/",
        "postgresql://me:hunter2@db.test:port/chainloop",
        "postgresql://me:hunter2@[db/chainloop",
        "mysql://me:hunter2@db.test/chainloop",
        "hunter2",
        "postgresql:me:hunter2@db.test/chainloop",
        "postgresql://me:hunter2@db.test/chainloop#fragment",
    ],
)
def test_a_database_url_that_cannot_be_used_is_named_and_not_repeated(url):
    with pytest.raises(ConfigInvalidError, match="CHAINLOOP_DATABASE_URL: expected") as refused:
        ServerConfig.from_environment({"CHAINLOOP_DATABASE_URL": url})

    assert "hunter2" not in str(refused.value) + repr(refused.value.findings)


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_file_of_a_database_url_that_cannot_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "url").write_bytes(content)

    with pytest.raises(ConfigInvalidError, match=r"CHAINLOOP_DATABASE_URL_FILE: .*"):
        ServerConfig.from_environment({"CHAINLOOP_DATABASE_URL_FILE": str(tmp_path / "url")})


def test_a_database_url_and_a_file_of_it_are_one_too_many(tmp_path):
    given = {"CHAINLOOP_DATABASE_URL": "postgresql://db.test/a", "CHAINLOOP_DATABASE_URL_FILE": str(tmp_path)}

    with pytest.raises(ConfigInvalidError, match="expected one of them, found both"):
        ServerConfig.from_environment(given)


def test_the_password_of_a_database_is_in_no_word_for_people():
    config = ServerConfig.from_environment(
        {"CHAINLOOP_DATABASE_URL": "postgresql://me:hunter2@db.test:5433/chainloop?password=x1y2"}
    )

    assert "hunter2" not in repr(config) + config.database_place
    assert config.database_place == "postgresql://db.test:5433/chainloop"
