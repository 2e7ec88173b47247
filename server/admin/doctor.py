"""`python -m server doctor`: is everything that was acknowledged still there and still what it was?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chainloop_ci.api.words import CasBackend
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import ChainloopError
from server.cas.registry import BACK_ENDS, open_back_ends
from server.config import ServerConfig
from server.services.orphans import list_orphans
from server.store import checks, schema
from server.store.database import Database

MAX_EXAMPLES = 20
"""Ids that one check shows."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    problems: tuple[str, ...] = ()
    """Empty: all is well."""
    warnings: tuple[str, ...] = ()
    """What is no fault but worth looking at."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `doctor` found."""

    checks: tuple[Check, ...]
    counts: dict[str, int] = field(default_factory=dict)
    """Rows per table."""

    @property
    def healthy(self) -> bool:
        """Tell whether no check found a problem."""
        return not any(check.problems for check in self.checks)


def diagnose(config: ServerConfig, database: Database) -> Diagnosis:
    """Look at the whole data folder; nothing is changed."""
    try:
        schema.require_current(database.engine)
    except ChainloopError as error:
        return Diagnosis((Check("schema", (error.message,)),))
    file = Check("database file", tuple(checks.check_file(database.engine)))
    with database.read() as connection:
        counts = checks.count_rows(connection)
        runs = Check("run states", tuple(checks.illegal_runs(connection, limit=MAX_EXAMPLES)))
        missing = Check("attestations of runs", tuple(checks.missing_attestations(connection, limit=MAX_EXAMPLES)))
        altered = [digest for digest, raw in checks.list_bundles(connection) if sha256_digest(raw) != digest]
        wanted = {back_end.name: checks.list_blobs(connection, back_end.name) for back_end in BACK_ENDS}
    bundles = Check("attestation digests", tuple(altered[:MAX_EXAMPLES]))
    blobs = Check("stored blobs", tuple(_broken_blobs(config, wanted)))
    unknown = Check("unknown blobs", warnings=tuple(_unknown_blobs(config, database)))
    return Diagnosis((Check("schema"), file, runs, missing, bundles, blobs, unknown), counts)


def _unknown_blobs(config: ServerConfig, database: Database) -> Iterator[str]:
    """Count what an upload left that never became an artifact; `gc` removes it after a time of grace (R8)."""
    sizes = [blob.size_bytes for _, blob in list_orphans(database, open_back_ends(config.blobs_path))]
    if sizes:
        yield f"{len(sizes)} with {sum(sizes)} bytes belong to no organization; `python -m server gc` removes them"


def _broken_blobs(config: ServerConfig, wanted: Mapping[CasBackend, list[Digest]]) -> Iterator[str]:
    """Read every blob to its end, which checks it against its name."""
    for back_end in BACK_ENDS:
        if back_end.open is None or not wanted[back_end.name]:
            continue
        blobs = back_end.open(config.blobs_path)
        for digest in wanted[back_end.name]:
            try:
                deque(blobs.read(digest), maxlen=0)
            except ChainloopError as error:
                yield error.message
