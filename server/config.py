"""The server's settings: read once from the environment, checked whole, then passed as a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from chainloop_ci.api.limits import MAX_BLOB_BYTES
from chainloop_ci.errors import ConfigInvalidError, Finding
from server.setting_values import (
    EgressProxy,
    Network,
    OpenedHost,
    integer,
    parse_address,
    parse_database_url,
    parse_file,
    parse_folder,
    parse_grace,
    parse_hook_secrets,
    parse_networks,
    parse_opened_hosts,
    parse_proxy,
    parse_retention,
    parse_secret_keys,
    parse_url,
    read_setting_file,
)

T = TypeVar("T")

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
DEFAULT_EVENT_RETENTION = timedelta(days=90)
DEFAULT_MIN_FREE_BYTES = 256 * 1024 * 1024
DEFAULT_SHUTDOWN_SECONDS = 30
DEFAULT_GITHUB_APP_URL = "https://github.com"
DEFAULT_CHECK_MEMORY_BYTES = 1024 * 1024 * 1024
MIN_CHECK_MEMORY_BYTES = 64 * 1024 * 1024
_CHECK_MEMORY = integer(MIN_CHECK_MEMORY_BYTES, 2**50)


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
        read, secret = reader.read, reader.read_secret
        port = read("PORT", integer(1, 65535), DEFAULT_PORT)
        bind = read("CHAINLOOP_BIND", parse_address, DEFAULT_BIND)
        config = cls(
            data=read("CHAINLOOP_DATA", parse_folder, parse_folder(DEFAULT_DATA)),
            database_url=reader.read_file_or_secret("CHAINLOOP_DATABASE_URL", parse_database_url),
            blobs=read("CHAINLOOP_BLOBS", parse_folder, None),
            port=port,
            bind=bind,
            public_url=read("CHAINLOOP_PUBLIC_URL", parse_url, _local_url(bind, port)),
            trusted_proxies=read("CHAINLOOP_TRUSTED_PROXIES", parse_networks, ()),
            workers=read("CHAINLOOP_WORKERS", integer(1, 256), DEFAULT_WORKERS),
            threads=read("CHAINLOOP_THREADS", integer(1, MAX_THREADS), DEFAULT_THREADS),
            max_blob_bytes=read("CHAINLOOP_MAX_BLOB_BYTES", integer(1, 2**50), MAX_BLOB_BYTES),
            run_quota_bytes=read("CHAINLOOP_RUN_QUOTA_BYTES", integer(0, 2**50), 0),
            upload_grace=read("CHAINLOOP_UPLOAD_GRACE", parse_grace, DEFAULT_UPLOAD_GRACE),
            event_retention=read("CHAINLOOP_EVENT_RETENTION", parse_retention, DEFAULT_EVENT_RETENTION),
            max_open_runs=read("CHAINLOOP_MAX_OPEN_RUNS", integer(0, 10**9), DEFAULT_MAX_OPEN_RUNS),
            min_free_bytes=read("CHAINLOOP_MIN_FREE_BYTES", integer(0, 2**50), DEFAULT_MIN_FREE_BYTES),
            check_memory_bytes=read("CHAINLOOP_CHECK_MEMORY_BYTES", _CHECK_MEMORY, DEFAULT_CHECK_MEMORY_BYTES),
            shutdown_seconds=read("CHAINLOOP_SHUTDOWN_SECONDS", integer(1, 3600), DEFAULT_SHUTDOWN_SECONDS),
            egress_allow=read("CHAINLOOP_EGRESS_ALLOW", parse_opened_hosts, ()),
            egress_proxy=secret("CHAINLOOP_EGRESS_PROXY", parse_proxy, None),
            egress_ca=read("CHAINLOOP_EGRESS_CA", parse_file, None),
            secret_keys=secret("CHAINLOOP_SECRET_KEY", parse_secret_keys, ()),
            secret_key_file=read("CHAINLOOP_SECRET_KEY_FILE", parse_file, None),
            github_app_url=read("CHAINLOOP_GITHUB_APP_URL", parse_url, DEFAULT_GITHUB_APP_URL),
            github_app_webhook_secrets=secret("CHAINLOOP_GITHUB_APP_WEBHOOK_SECRET", parse_hook_secrets, ()),
        )
        reader.refuse_both("CHAINLOOP_SECRET_KEY", "CHAINLOOP_SECRET_KEY_FILE")
        reader.require_no_findings()
        return config


def _local_url(bind: str, port: int) -> str:
    return f"http://[{bind}]:{port}" if ":" in bind else f"http://{bind}:{port}"


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
        path = self.read(f"{name}_FILE", parse_file, None)
        if path is None:
            return self.read_secret(name, parse, "")
        try:
            return parse(read_setting_file(path))
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
