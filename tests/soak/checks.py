"""What must hold after every kill, looked up in the files themselves rather than asked of the server."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from server.admin.doctor import Diagnosis, diagnose
from server.config import ServerConfig
from server.store.database import Database, open_engine, sqlite_url
from tests.integration.live import PROJECT
from tests.soak.moments import python, run

DATABASE = "chainloop.db"


class ViolationError(Exception):
    """Something that must hold does not."""


def require(holds: object, message: str) -> None:
    """Raise a violation unless it holds.

    Raises:
        ViolationError: it does not.
    """
    if not holds:
        raise ViolationError(message)


@dataclass
class Ledger:
    """What the server said yes to."""

    bundles: dict[str, bytes] = field(default_factory=dict)
    """By run."""
    uploads: dict[str, None] = field(default_factory=dict)
    """Digests, in the order in which they came."""
    attested: dict[str, None] = field(default_factory=dict)
    """Digests of uploads that a stored attestation names."""

    def copy(self) -> Ledger:
        """Return what was acknowledged until now."""
        return Ledger(dict(self.bundles), dict(self.uploads), dict(self.attested))


def blob_path(data: Path, digest: str) -> Path:
    """Return where the content of a digest lies."""
    name = digest.removeprefix("sha256:")
    return data / "blobs" / name[:2] / name[2:4] / name


class BlobFiles:
    """The files of a blob folder, each of which is read once."""

    def __init__(self) -> None:
        self._read: set[tuple[str, int]] = set()

    def check(self, data: Path) -> None:
        """Require that every blob that is visible is whole."""
        for path in (data / "blobs").glob("??/??/*"):
            try:
                with path.open("rb") as file:
                    self._check(path.name, path.stat().st_ino, file.fileno())
            except FileNotFoundError:
                continue  # a sweep was faster

    def _check(self, name: str, number: int, descriptor: int) -> None:
        if (name, number) in self._read:
            return
        with open(descriptor, "rb", closefd=False) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        require(found == name, f"the blob {name} is visible and hashes to {found}")
        self._read.add((name, number))


def check_acknowledged(data: Path, seen: Ledger, *, with_uploads: bool = True) -> None:
    """Require that everything acknowledged is there, once, with the same bytes."""
    with closing(sqlite3.connect(data / DATABASE, timeout=30)) as connection:
        stored = list(connection.execute("SELECT run_id, bundle FROM attestations"))
        states = dict(connection.execute("SELECT id, state FROM workflow_runs"))
        known = {row[0] for row in connection.execute("SELECT digest FROM artifacts")}
    bundles = dict(stored)
    require(len(bundles) == len(stored), "a run is stored twice")
    lost = [run_ for run_, bundle in seen.bundles.items() if bundles.get(run_) != bundle]
    require(not lost, f"{len(lost)} acknowledged attestations are lost or changed: {lost[:3]}")
    unended = [run_ for run_ in seen.bundles if states.get(run_) != "success"]
    require(not unended, f"runs with an acknowledged attestation are not «success»: {unended[:3]}")
    for digest in seen.uploads if with_uploads else seen.attested:
        require(digest in known, f"the acknowledged upload {digest} has no row")
        require(blob_path(data, digest).is_file(), f"the acknowledged upload {digest} has no content")


def check_data(data: Path) -> None:
    """Require that `doctor`'s checks find no fault; the server may be at work."""
    found = _diagnose(data)
    faults = [f"{check.name}: {', '.join(check.problems)}" for check in found.checks if check.problems]
    require(found.healthy, f"doctor finds: {'; '.join(faults)}")


def check_nothing_found(data: Path) -> None:
    """Require that the operator's command finds nothing at all: no fault and nothing to look at."""
    done = run(python("server", "doctor", "--data", data, "-o", "json"), cwd=PROJECT)
    try:
        checks = json.loads(done.stdout)["checks"]
    except ValueError:
        raise ViolationError(f"doctor ended with {done.status}: {done.stderr[-2000:]}") from None
    found = [check for check in checks if check["problems"] or check["warnings"]]
    require(done.status == 0 and not found, f"doctor ended with {done.status} and finds {json.dumps(found)}")


def _diagnose(data: Path) -> Diagnosis:
    engine = open_engine(sqlite_url(data / DATABASE))
    try:
        return diagnose(ServerConfig(data=data), Database(engine), now=datetime.now(UTC))
    finally:
        engine.dispose()
