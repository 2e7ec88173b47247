"""The server's settings: read once from the environment, checked whole, then passed as a record."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from chainloop_ci.api.limits import MAX_BLOB_BYTES
from chainloop_ci.errors import ConfigInvalidError, Finding

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_DATA = ".data"
"""In the working folder; `make serve` says the same."""
DEFAULT_PORT = 8080
DEFAULT_BIND = "127.0.0.1"
DEFAULT_WORKERS = 2
DEFAULT_THREADS = 16
MAX_THREADS = 64
"""Each thread may hold one database connection."""
DEFAULT_MAX_OPEN_RUNS = 10_000
DEFAULT_UPLOAD_GRACE = timedelta(hours=24)
MIN_EVENT_RETENTION = timedelta(days=4)
"""Longer than a delivery is tried."""
DEFAULT_EVENT_RETENTION = timedelta(days=90)
MIN_UPLOAD_GRACE = timedelta(minutes=1)
MAX_UPLOAD_GRACE = timedelta(days=3650)
DEFAULT_MIN_FREE_BYTES = 256 * 1024 * 1024
DEFAULT_SHUTDOWN_SECONDS = 30
DEFAULT_GITHUB_APP_URL = "https://github.com"
MIN_HOOK_SECRET = 16
"""Characters: a shorter one can be guessed from a signature."""
DEFAULT_CHECK_MEMORY_BYTES = 1024 * 1024 * 1024
MIN_CHECK_MEMORY_BYTES = 64 * 1024 * 1024

KEY_BYTES = 32
"""Of a key that seals credentials."""
MAX_SECRET_BYTES = 64 * 1024
"""Of a file that holds a setting."""

_SPAN = re.compile(r"([0-9]{1,5})([mhd])\Z")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?)(?::([0-9]{1,5}))?\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class OpenedHost:
    """A host, or a network, that the server may speak to though it is not of the public internet (R45)."""

    host: str | None
    """In lower case; None: `network` says where."""
    network: Network | None = None
    port: int | None = None
    """None: any."""


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """An http proxy that outgoing requests go through."""

    host: str
    port: int
    login: str | None = field(default=None, repr=False)
    """User and password with a colon between them."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Everything that the operator may set; each field names its environment variable."""

    data: Path
    """CHAINLOOP_DATA: folder of the database, the blobs and the instance token; one server serves it."""
    database_url: str = field(default="", repr=False)
    """CHAINLOOP_DATABASE_URL, or what stands in the file that CHAINLOOP_DATABASE_URL_FILE names: a PostgreSQL database
    (`postgresql://…`), which may carry a password; empty: the embedded SQLite in the data folder."""
    blobs: Path | None = None
    """CHAINLOOP_BLOBS: folder of the blobs, which all servers of one PostgreSQL database share; None: in the data
    folder."""
    port: int = DEFAULT_PORT
    """PORT."""
    bind: str = DEFAULT_BIND
    """CHAINLOOP_BIND: address to listen on; other machines reach the server only when it is changed (R47)."""
    public_url: str = f"http://{DEFAULT_BIND}:{DEFAULT_PORT}"
    """CHAINLOOP_PUBLIC_URL: the only source of links (R47); without a trailing slash."""
    trusted_proxies: tuple[Network, ...] = ()
    """CHAINLOOP_TRUSTED_PROXIES: networks whose X-Forwarded-For is believed (R47)."""
    workers: int = DEFAULT_WORKERS
    """CHAINLOOP_WORKERS: processes."""
    threads: int = DEFAULT_THREADS
    """CHAINLOOP_THREADS: requests at once per process."""
    max_blob_bytes: int = MAX_BLOB_BYTES
    """CHAINLOOP_MAX_BLOB_BYTES: one artifact."""
    run_quota_bytes: int = 0
    """CHAINLOOP_RUN_QUOTA_BYTES: what one workflow run may upload (R8); 0 is no bound but the organization's."""
    upload_grace: timedelta = DEFAULT_UPLOAD_GRACE
    """CHAINLOOP_UPLOAD_GRACE: how long an upload is kept that no attestation refers to, after the last run that had it
    has ended (R8)."""
    event_retention: timedelta = DEFAULT_EVENT_RETENTION
    """CHAINLOOP_EVENT_RETENTION: how long events and finished deliveries are kept, after everybody was told."""
    max_open_runs: int = DEFAULT_MAX_OPEN_RUNS
    """CHAINLOOP_MAX_OPEN_RUNS: of one token at once; 0 is no bound."""
    min_free_bytes: int = DEFAULT_MIN_FREE_BYTES
    """CHAINLOOP_MIN_FREE_BYTES: with less space than this /readyz reports the disk as nearly full."""
    shutdown_seconds: int = DEFAULT_SHUTDOWN_SECONDS
    """CHAINLOOP_SHUTDOWN_SECONDS: requests in progress get this long to end after SIGTERM."""
    check_memory_bytes: int = DEFAULT_CHECK_MEMORY_BYTES
    """CHAINLOOP_CHECK_MEMORY_BYTES: what content checks of one process may take together; documents over a twelfth of
    it are not checked (R11)."""
    egress_allow: tuple[OpenedHost, ...] = ()
    """CHAINLOOP_EGRESS_ALLOW: what integrations may reach beside the public internet, over http too (R45, R23)."""
    egress_proxy: EgressProxy | None = field(default=None, repr=False)
    """CHAINLOOP_EGRESS_PROXY: for all that is not in `egress_allow`."""
    egress_ca: Path | None = None
    """CHAINLOOP_EGRESS_CA: PEM file of authorities that are trusted beside the system's."""
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """CHAINLOOP_SECRET_KEY: what credentials are sealed with (R44); the first seals, all open."""
    secret_key_file: Path | None = None
    """CHAINLOOP_SECRET_KEY_FILE: the same in a file, one key on each line."""

    github_app_url: str = DEFAULT_GITHUB_APP_URL
    """CHAINLOOP_GITHUB_APP_URL: the GitHub that our App is registered at; without a trailing slash."""
    github_app_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    """CHAINLOOP_GITHUB_APP_WEBHOOK_SECRET: what GitHub signs the App's webhooks with, one or two (R42); none: nothing
    is taken at /webhooks/github-app."""

    @property
    def database_path(self) -> Path:
        """Return the file of the embedded database."""
        return self.data / "chainloop.db"

    @property
    def blobs_path(self) -> Path:
        """Return the folder of the `filesystem` CAS back end."""
        return self.blobs or self.data / "blobs"

    @property
    def database_place(self) -> str:
        """Return where the database is, for people: without account and password."""
        if not self.database_url:
            return str(self.data)
        parts = urlsplit(self.database_url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def admin_token_path(self) -> Path:
        """Return the file that holds the first instance token (R6)."""
        return self.data / "admin-token"

    @property
    def secret_key_path(self) -> Path:
        """Return the file of the key that is made when the operator gives none; a backup has it (`*.key`)."""
        return self.data / "secret.key"

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> ServerConfig:
        """Return the settings that environment variables say; empty ones count as absent.

        Raises:
            ConfigInvalidError: with one finding per variable that cannot be used.
        """
        reader = _Reader(env)
        port = reader.read("PORT", _integer(1, 65535), DEFAULT_PORT)
        bind = reader.read("CHAINLOOP_BIND", _address, DEFAULT_BIND)
        host = f"[{bind}]" if ":" in bind else bind
        config = cls(
            data=reader.read("CHAINLOOP_DATA", _folder, _folder(DEFAULT_DATA)),
            database_url=reader.read_file_or_secret("CHAINLOOP_DATABASE_URL", _database_url),
            blobs=reader.read("CHAINLOOP_BLOBS", _folder, None),
            port=port,
            bind=bind,
            public_url=reader.read("CHAINLOOP_PUBLIC_URL", _url, f"http://{host}:{port}"),
            trusted_proxies=reader.read("CHAINLOOP_TRUSTED_PROXIES", _networks, ()),
            workers=reader.read("CHAINLOOP_WORKERS", _integer(1, 256), DEFAULT_WORKERS),
            threads=reader.read("CHAINLOOP_THREADS", _integer(1, MAX_THREADS), DEFAULT_THREADS),
            max_blob_bytes=reader.read("CHAINLOOP_MAX_BLOB_BYTES", _integer(1, 2**50), MAX_BLOB_BYTES),
            run_quota_bytes=reader.read("CHAINLOOP_RUN_QUOTA_BYTES", _integer(0, 2**50), 0),
            upload_grace=reader.read("CHAINLOOP_UPLOAD_GRACE", _grace, DEFAULT_UPLOAD_GRACE),
            event_retention=reader.read("CHAINLOOP_EVENT_RETENTION", _retention, DEFAULT_EVENT_RETENTION),
            max_open_runs=reader.read("CHAINLOOP_MAX_OPEN_RUNS", _integer(0, 10**9), DEFAULT_MAX_OPEN_RUNS),
            min_free_bytes=reader.read("CHAINLOOP_MIN_FREE_BYTES", _integer(0, 2**50), DEFAULT_MIN_FREE_BYTES),
            check_memory_bytes=reader.read(
                "CHAINLOOP_CHECK_MEMORY_BYTES", _integer(MIN_CHECK_MEMORY_BYTES, 2**50), DEFAULT_CHECK_MEMORY_BYTES
            ),
            shutdown_seconds=reader.read("CHAINLOOP_SHUTDOWN_SECONDS", _integer(1, 3600), DEFAULT_SHUTDOWN_SECONDS),
            egress_allow=reader.read("CHAINLOOP_EGRESS_ALLOW", _opened, ()),
            egress_proxy=reader.read_secret("CHAINLOOP_EGRESS_PROXY", _proxy, None),
            egress_ca=reader.read("CHAINLOOP_EGRESS_CA", _file, None),
            secret_keys=reader.read_secret("CHAINLOOP_SECRET_KEY", parse_secret_keys, ()),
            secret_key_file=reader.read("CHAINLOOP_SECRET_KEY_FILE", _file, None),
            github_app_url=reader.read("CHAINLOOP_GITHUB_APP_URL", _url, DEFAULT_GITHUB_APP_URL),
            github_app_webhook_secrets=reader.read_secret("CHAINLOOP_GITHUB_APP_WEBHOOK_SECRET", _hook_secrets, ()),
        )
        reader.refuse_both("CHAINLOOP_SECRET_KEY", "CHAINLOOP_SECRET_KEY_FILE")
        reader.require_no_findings()
        return config


class _Reader:
    """Reads variables one after the other and keeps what is wrong with all of them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._findings: list[Finding] = []

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        return self._read(name, parse, default, lambda text: f", found {text[:80]!r}")

    def read_secret(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Read what is not shown, even when it is wrong."""
        return self._read(name, parse, default, lambda _: "")

    def _read(self, name: str, parse: Callable[[str], T], default: T, show: Callable[[str], str]) -> T:
        text = self._env.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._findings.append(Finding("invalid-setting", f"{name}: {error}{show(text)}", path=name))
            return default

    def refuse_both(self, name: str, other: str) -> None:
        """Refuse two variables that say the same thing."""
        if all(self._env.get(each, "").strip() for each in (name, other)):
            message = f"{name}, {other}: expected one of them, found both"
            self._findings.append(Finding("invalid-setting", message, path=other))

    def read_file_or_secret(self, name: str, parse: Callable[[str], str]) -> str:
        """Read what is not shown from its variable, or from the file that `<name>_FILE` names; empty: it is absent."""
        self.refuse_both(name, f"{name}_FILE")
        path = self.read(f"{name}_FILE", _file, None)
        if path is None:
            return self.read_secret(name, parse, "")
        try:
            return parse(_read_file(path))
        except ValueError as error:
            self._findings.append(Finding("invalid-setting", f"{name}_FILE: {error}", path=f"{name}_FILE"))
            return ""

    def require_no_findings(self) -> None:
        if self._findings:
            raise ConfigInvalidError(
                "the server's environment cannot be used: " + "; ".join(item.message for item in self._findings),
                hint="correct or unset the variables named above",
                findings=self._findings,
            )


def _read_file(path: Path) -> str:
    """Return what stands in a file of one setting; an empty one is no setting but a mistake."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not in UTF-8") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _database_url(text: str) -> str:
    """Return the URL with its usual scheme. Nothing of it is repeated: what is wrong may be the password."""
    scheme, found, rest = text.partition("://")
    try:
        parts = urlsplit(text)
        is_complete = bool(parts.path.strip("/")) and parts.port != 0 and not parts.fragment
    except ValueError:
        is_complete = False
    if scheme not in ("postgresql", "postgres") or not found or not is_complete:
        raise ValueError(
            "expected an address like postgresql://user:password@host:5432/database, "
            "with the special characters of a password in their %-form"
        )
    return f"postgresql://{rest}"


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _retention(text: str) -> timedelta:
    span = parse_span(text)
    if not MIN_EVENT_RETENTION <= span <= MAX_UPLOAD_GRACE:
        raise ValueError("expected 4d or more: deliveries are tried for three days")
    return span


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def parse_span(text: str) -> timedelta:
    """Return a time span that is written like 90m, 24h or 7d.

    Raises:
        ValueError: says what is expected.
    """
    match = _SPAN.match(text)
    if match is None:
        raise ValueError("expected a number and d, h or m, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _hook_secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(text.replace(",", " ").split())
    if not 1 <= len(secrets) <= 2 or any(len(secret) < MIN_HOOK_SECRET for secret in secrets):
        raise ValueError(f"expected one secret, or two during a rotation, of {MIN_HOOK_SECRET} characters at least")
    return secrets


def parse_secret_keys(text: str) -> tuple[bytes, ...]:
    """Return keys that are written in Base64 with blanks, commas or line breaks between them.

    Raises:
        ValueError: says what is expected, and nothing of what was found.
    """
    keys = []
    for word in text.replace(",", " ").split():
        try:
            key = base64.b64decode(word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4), validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"expected keys of {KEY_BYTES} random bytes in Base64, as `openssl rand -base64 32` prints"
            )
        keys.append(key)
    if not keys:
        raise ValueError("expected at least one key")
    return tuple(keys)


def _grace(text: str) -> timedelta:
    span = parse_span(text)
    if not MIN_UPLOAD_GRACE <= span <= MAX_UPLOAD_GRACE:
        raise ValueError("expected a time from 1m to 3650d, such as 24h")
    return span


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("expected an IP address to listen on, like 127.0.0.1 or 0.0.0.0") from None


def _url(text: str) -> str:
    parts = urlsplit(text)
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("expected an address like https://chainloop.example.com")
    return text.rstrip("/")


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("expected addresses or networks separated by commas, like 10.0.0.0/8") from None


def _opened(text: str) -> tuple[OpenedHost, ...]:
    return tuple(_opened_host(part.strip().lower()) for part in text.split(",") if part.strip())


def _opened_host(text: str) -> OpenedHost:
    try:
        return OpenedHost(None, ipaddress.ip_network(text.strip("[]")))
    except ValueError:
        match = _HOST_AND_PORT.match(text)
    if match is None or not (match[2] is None or 1 <= int(match[2]) <= 65535):
        raise ValueError("expected hosts, host:port or networks separated by commas, like ghe.corp.example:8443")
    host, port = match[1].strip("[]").removesuffix("."), int(match[2]) if match[2] else None
    try:
        return OpenedHost(None, ipaddress.ip_network(host), port)
    except ValueError:
        return OpenedHost(host, None, port)


def _proxy(text: str) -> EgressProxy:
    expected = ValueError("expected an address like http://proxy.example.com:3128, with user:password@ if it asks")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise expected from None
    if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise expected
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return EgressProxy(host, port or 80, login)


def _file(text: str) -> Path:
    path = _folder(text)
    if not path.is_file():
        raise ValueError("expected the path of a file")
    return path
