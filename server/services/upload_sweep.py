"""Take away the uploads that no attestation refers to, and give their bytes back to the quota (R8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.digests import Digest
from server.cas.blobs import Blobs
from server.model.paging import Key
from server.model.sweeps import UploadVerdict, judge_upload
from server.services.orphans import remove_unheld
from server.store import artifacts, counters
from server.store.artifacts import StoredArtifact, SweepCandidate
from server.store.database import Database

UPLOADS_REMOVED = "uploads_removed"
UPLOAD_BYTES_REMOVED = "upload_bytes_removed"
"""Counters of an organization."""
BATCH = 100
"""Uploads that are judged in one transaction: others wait for the database meanwhile."""


@dataclass(frozen=True, slots=True)
class SweptUploads:
    """What one batch came to."""

    removed: tuple[StoredArtifact, ...] = ()
    seen: int = 0
    next: Key | None = None
    """Where the next batch begins; None: there is none."""

    @property
    def size_bytes(self) -> int:
        """Return how much the quota got back."""
        return sum(artifact.size_bytes for artifact in self.removed)


class UploadSweep:
    """The use case of the sweep."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        *,
        back_ends: Mapping[str, Blobs],
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._now = now
        self._back_ends = back_ends
        self._batch = batch

    def batches(self, before: datetime, *, dry_run: bool = False) -> Iterator[SweptUploads]:
        """Judge all uploads, one batch after the other; with `dry_run` nothing is changed."""
        step = self.find_some if dry_run else self.sweep_some
        batch = step(before)
        yield batch
        while batch.next:
            batch = step(before, batch.next)
            yield batch

    def sweep_some(self, before: datetime, after: Key | None = None) -> SweptUploads:
        """Judge one batch of uploads and remove those that nobody has needed since `before`; those of an open run stay.

        The rows go in one transaction. The bytes go in later ones that look again, so that an upload of the same bytes
        meanwhile keeps them; what a crash leaves between is a blob that no row knows, which `orphans` finds.
        """
        if not self.find_some(before, after).seen:
            return SweptUploads()
        with self._database.write() as connection:
            candidates, found = self._judge(connection, before, after)
            named = found[UploadVerdict.REFERENCED]
            removed = tuple(item.artifact for item in found[UploadVerdict.UNREFERENCED])
            artifacts.mark_referenced(connection, (item.artifact for item in named), self._now())
            artifacts.remove(connection, removed)
            for artifact in removed:
                counters.add(connection, artifact.organization_id, UPLOADS_REMOVED)
                counters.add(connection, artifact.organization_id, UPLOAD_BYTES_REMOVED, by=artifact.size_bytes)
        self._remove_bytes(removed)
        return self._answer(candidates, removed)

    def find_some(self, before: datetime, after: Key | None = None) -> SweptUploads:
        """Return what `sweep_some` would remove; nothing is changed."""
        with self._database.read() as connection:
            candidates, found = self._judge(connection, before, after)
        return self._answer(candidates, tuple(item.artifact for item in found[UploadVerdict.UNREFERENCED]))

    def _judge(
        self, connection: Connection, before: datetime, after: Key | None
    ) -> tuple[Sequence[SweepCandidate], Mapping[UploadVerdict, list[SweepCandidate]]]:
        candidates = artifacts.list_candidates(connection, before=before, after=after, limit=self._batch)
        found: dict[UploadVerdict, list[SweepCandidate]] = {verdict: [] for verdict in UploadVerdict}
        for item in candidates:
            verdict = judge_upload(
                is_referenced=item.is_referenced,
                last_uploaded_at=item.last_uploaded_at,
                runs_ended_at=item.runs_ended_at,
                before=before,
            )
            found[verdict].append(item)
        return candidates, found

    def _answer(self, candidates: Sequence[SweepCandidate], removed: tuple[StoredArtifact, ...]) -> SweptUploads:
        more = candidates[-1].key if len(candidates) == self._batch else None
        return SweptUploads(removed, len(candidates), more)

    def _remove_bytes(self, removed: Sequence[StoredArtifact]) -> None:
        for name, blobs in self._back_ends.items():
            digests: list[Digest] = [artifact.digest for artifact in removed if artifact.backend == name]
            remove_unheld(self._database, name, blobs, digests)
