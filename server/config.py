"""The server's settings: read once from the environment, checked whole, then passed as a record."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

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
MIN_UPLOAD_GRACE = timedelta(minutes=1)
MAX_UPLOAD_GRACE = timedelta(days=3650)
DEFAULT_MIN_FREE_BYTES = 256 * 1024 * 1024
DEFAULT_SHUTDOWN_SECONDS = 30
DEFAULT_CHECK_MEMORY_BYTES = 1024 * 1024 * 1024
MIN_CHECK_MEMORY_BYTES = 64 * 1024 * 1024

_SPAN = re.compile(r"([0-9]{1,5})([mhd])\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Everything that the operator may set; each field names its environment variable."""

    data: Path
    """CHAINLOOP_DATA: folder of the database, the blobs and the instance token; one server serves it."""
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
    max_open_runs: int = DEFAULT_MAX_OPEN_RUNS
    """CHAINLOOP_MAX_OPEN_RUNS: of one token at once; 0 is no bound."""
    min_free_bytes: int = DEFAULT_MIN_FREE_BYTES
    """CHAINLOOP_MIN_FREE_BYTES: with less space than this /readyz reports the disk as nearly full."""
    shutdown_seconds: int = DEFAULT_SHUTDOWN_SECONDS
    """CHAINLOOP_SHUTDOWN_SECONDS: requests in progress get this long to end after SIGTERM."""
    check_memory_bytes: int = DEFAULT_CHECK_MEMORY_BYTES
    """CHAINLOOP_CHECK_MEMORY_BYTES: what content checks of one process may take together; documents over a twelfth of
    it are not checked (R11)."""

    @property
    def database_path(self) -> Path:
        """Return the file of the embedded database."""
        return self.data / "chainloop.db"

    @property
    def blobs_path(self) -> Path:
        """Return the folder of the `filesystem` CAS back end."""
        return self.data / "blobs"

    @property
    def admin_token_path(self) -> Path:
        """Return the file that holds the first instance token (R6)."""
        return self.data / "admin-token"

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
            port=port,
            bind=bind,
            public_url=reader.read("CHAINLOOP_PUBLIC_URL", _url, f"http://{host}:{port}"),
            trusted_proxies=reader.read("CHAINLOOP_TRUSTED_PROXIES", _networks, ()),
            workers=reader.read("CHAINLOOP_WORKERS", _integer(1, 256), DEFAULT_WORKERS),
            threads=reader.read("CHAINLOOP_THREADS", _integer(1, MAX_THREADS), DEFAULT_THREADS),
            max_blob_bytes=reader.read("CHAINLOOP_MAX_BLOB_BYTES", _integer(1, 2**50), MAX_BLOB_BYTES),
            run_quota_bytes=reader.read("CHAINLOOP_RUN_QUOTA_BYTES", _integer(0, 2**50), 0),
            upload_grace=reader.read("CHAINLOOP_UPLOAD_GRACE", _grace, DEFAULT_UPLOAD_GRACE),
            max_open_runs=reader.read("CHAINLOOP_MAX_OPEN_RUNS", _integer(0, 10**9), DEFAULT_MAX_OPEN_RUNS),
            min_free_bytes=reader.read("CHAINLOOP_MIN_FREE_BYTES", _integer(0, 2**50), DEFAULT_MIN_FREE_BYTES),
            check_memory_bytes=reader.read(
                "CHAINLOOP_CHECK_MEMORY_BYTES", _integer(MIN_CHECK_MEMORY_BYTES, 2**50), DEFAULT_CHECK_MEMORY_BYTES
            ),
            shutdown_seconds=reader.read("CHAINLOOP_SHUTDOWN_SECONDS", _integer(1, 3600), DEFAULT_SHUTDOWN_SECONDS),
        )
        reader.require_no_findings()
        return config


class _Reader:
    """Reads variables one after the other and keeps what is wrong with all of them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._findings: list[Finding] = []

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self._env.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._findings.append(Finding("invalid-setting", f"{name}: {error}, found {text[:80]!r}", path=name))
            return default

    def require_no_findings(self) -> None:
        if self._findings:
            raise ConfigInvalidError(
                "the server's environment cannot be used: " + "; ".join(item.message for item in self._findings),
                hint="correct or unset the variables named above",
                findings=self._findings,
            )


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


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
