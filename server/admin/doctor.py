"""`python -m server doctor`: is everything that was acknowledged still there and still what it was?

Nothing is changed, and the server may run meanwhile: what the database says is read at one moment, and whether a blob
that cannot be read is wanted is asked once more, since a sweep may have removed it in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from secrets import token_bytes
from typing import Any

from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ChainloopError
from server.admin.doctor_deliveries import ADVICE, find_troubles
from server.cas.blobs import Blobs
from server.cas.registry import look_into_back_ends
from server.config import ServerConfig
from server.model.sweeps import ABANDONED
from server.secret_box import open_secret_box
from server.services.orphans import list_orphans
from server.services.resealing import describe_seals
from server.services.secrets import lost_keys
from server.services.sweep_log import SweepLog
from server.store import artifacts, checks, counter_checks, schema
from server.store.database import Database
from server.store.snapshots import count_rows, list_blobs

MAX_EXAMPLES = 20
"""Findings that one check shows."""

_RESTORE = "restore the last backup (`python -m server restore DIR`), and look after the disk"
_REPORT = "the server does not write this by itself: keep a backup as it is, and report it with the server's log"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    problems: tuple[str, ...] = ()
    """Empty: all is well."""
    warnings: tuple[str, ...] = ()
    """What is no fault but worth looking at."""
    advice: str = ""
    """What to do about them."""


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

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        listed = [
            {
                "name": check.name,
                "problems": list(check.problems),
                "warnings": list(check.warnings),
                "advice": check.advice if check.problems or check.warnings else "",
            }
            for check in self.checks
        ]
        return {"healthy": self.healthy, "checks": listed, "counts": self.counts}


def diagnose(config: ServerConfig, database: Database, *, now: datetime) -> Diagnosis:
    """Look at the whole data folder; nothing is changed."""
    try:
        schema.require_current(database.engine)
    except ChainloopError as error:
        return Diagnosis((Check("schema", (error.message,), advice=error.hint or ""),))
    tables = Check("schema", _first(checks.check_tables(database.engine)), advice=_REPORT)
    file = Check("database file", _first(checks.check_file(database.engine)), advice=_RESTORE)
    if tables.problems:
        # The other checks ask for tables that may not be there.
        return Diagnosis((tables, file))
    inside, counts = _look_inside(database, now)
    secrets = _look_at_secrets(config, database)
    sweeps = _look_at_sweeps(database, now)
    back_ends = look_into_back_ends(config.blobs_path)
    return Diagnosis((tables, file, *inside, secrets, sweeps, *_look_at_blobs(database, back_ends, now)), counts)


def _look_inside(database: Database, now: datetime) -> tuple[tuple[Check, ...], dict[str, int]]:
    """Check what one moment of the database says."""
    with database.read() as connection:
        altered = (digest for digest, raw in checks.list_bundles(connection) if sha256_digest(raw) != digest)
        found = (
            Check("run states", _first(checks.illegal_runs(connection)), advice=_REPORT),
            Check("attestations of runs", _first(checks.missing_attestations(connection)), advice=_RESTORE),
            Check("attestation digests", _first(altered), advice=_RESTORE),
            Check("counters", _first(counter_checks.check_counters(connection)), advice=_REPORT),
            Check(
                "quotas",
                warnings=_first(counter_checks.check_quotas(connection)),
                advice="raise it: `chainloop organization update --quota`, or leave it: uploads are refused until then",
            ),
            Check("deliveries", warnings=_first(find_troubles(connection, now)), advice=ADVICE),
        )
        return found, count_rows(connection)


def _look_at_secrets(config: ServerConfig, database: Database) -> Check:
    """Check that every key that sealed credentials is here."""
    box = open_secret_box(config, token_bytes)
    with database.read() as connection:
        lost = list(lost_keys(connection, box))
        seals = list(describe_seals(connection, box))
    lost += [words for is_lost, words in seals if is_lost]
    if not lost:
        advice = "`python -m server reseal` seals them with the newest key; then the old one can go"
        return Check("keys of credentials", warnings=_first(words for _, words in seals), advice=advice)
    advice = (
        "give the server that key again (CHAINLOOP_SECRET_KEY, or `secret.key` of a backup); when it is lost, a new "
        "one, and every credential has to be entered anew"
    )
    return Check("keys of credentials", _first(lost), _first(words for is_lost, words in seals if not is_lost), advice)


def _look_at_sweeps(database: Database, now: datetime) -> Check:
    """Check the sweeps as `/readyz` does."""
    late = [finding.message for finding in SweepLog(database, lambda: now).findings()]
    advice = "`python -m server serve` runs the dispatcher that sweeps; its log says why a sweep fails"
    return Check("sweeps", warnings=_first(late), advice=advice)


def _look_at_blobs(database: Database, back_ends: Mapping[str, Blobs], now: datetime) -> tuple[Check, ...]:
    """Check what lies in the back ends."""
    orphans = [blob.size_bytes for _, blob in list_orphans(database, back_ends)]
    unknown = f"{len(orphans)} with {sum(orphans)} bytes belong to no organization"
    stale = now - ABANDONED
    left = [
        upload.size_bytes
        for blobs in back_ends.values()
        for upload in blobs.list_unfinished()
        if upload.written_at < stale
    ]
    unfinished = f"{len(left)} with {sum(left)} bytes were broken off"
    return (
        Check(
            "stored blobs",
            _first(_broken_blobs(database, back_ends)),
            advice="upload those files again (the right bytes replace the stored ones), or restore the last backup",
        ),
        Check("unknown blobs", warnings=(unknown,) if orphans else (), advice="`python -m server gc` removes them"),
        Check(
            "unfinished uploads",
            warnings=(unfinished,) if left else (),
            advice="the next sweep of unknown blobs removes them, and so does the next start; `python -m server gc` "
            "does it now",
        ),
    )


def _broken_blobs(database: Database, back_ends: Mapping[str, Blobs]) -> Iterator[str]:
    """Read every blob to its end, which checks it against its name."""
    for name, blobs in back_ends.items():
        with database.read() as connection:
            wanted = [digest for digest, _ in list_blobs(connection, name)]
        for digest in wanted:
            try:
                deque(blobs.read(digest), maxlen=0)
            except ChainloopError as error:
                with database.read() as connection:
                    still_wanted = artifacts.is_held(connection, name, digest)
                if still_wanted:
                    yield error.message


def _first(findings: Iterable[str]) -> tuple[str, ...]:
    """Return the first findings, and how many there are beyond them."""
    each = iter(findings)
    shown = tuple(islice(each, MAX_EXAMPLES))
    rest = sum(1 for _ in each)
    return (*shown, f"and {rest} more") if rest else shown
