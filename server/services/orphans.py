"""Blobs that no row knows: what is left when a process dies between a blob's name and its row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from server.cas.blobs import Blobs, KeptBlob
from server.store import artifacts
from server.store.database import Database


def list_orphans(database: Database, back_ends: Mapping[str, Blobs]) -> Iterator[tuple[str, KeptBlob]]:
    """Return the blobs that belong to no organization, each with the name of its back end."""
    for name, blobs in back_ends.items():
        for blob in blobs.list_kept():
            with database.read() as connection:
                is_held = artifacts.is_held(connection, name, blob.digest)
            if not is_held:
                yield name, blob


def remove_orphans(
    database: Database, back_ends: Mapping[str, Blobs], *, written_before: datetime, dry_run: bool
) -> list[KeptBlob]:
    """Remove the blobs that belong to no organization and are old enough, and return them; `dry_run` only returns them.

    A row made meanwhile keeps its blob: uploads name a blob and write its row in one transaction, and this looks again
    inside another.
    """
    removed = []
    for name, blob in list_orphans(database, back_ends):
        if blob.written_at >= written_before:
            continue
        with database.write() as connection:
            if artifacts.is_held(connection, name, blob.digest):
                continue
            if not dry_run:
                back_ends[name].remove(blob.digest)
            removed.append(blob)
    return removed
