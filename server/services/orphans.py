"""Blobs that no row knows: what is left when a process dies between a blob's name and its row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from chainloop_ci.digests import Digest
from server.cas.blobs import Blobs, KeptBlob, UnfinishedUpload
from server.store import artifacts
from server.store.database import Database

T = TypeVar("T")

LOOKED_UP = 200
"""Blobs that are looked for in one query."""
REMOVED_AT_ONCE = 20
"""Blobs that are removed while the database is held: uploads wait for it meanwhile."""


def list_orphans(database: Database, back_ends: Mapping[str, Blobs]) -> Iterator[tuple[str, KeptBlob]]:
    """Return the blobs that belong to no organization, each with the name of its back end."""
    for name, group in _list_groups(database, back_ends):
        yield from ((name, blob) for blob in group)


def remove_orphans(
    database: Database, back_ends: Mapping[str, Blobs], *, written_before: datetime, dry_run: bool
) -> Iterator[list[KeptBlob]]:
    """Remove the blobs that belong to no organization and are old enough; `dry_run` only finds them.

    Returns the removed of one group after the other, of most groups none. Who stops half-way leaves the rest.
    """
    for name, group in _list_groups(database, back_ends):
        old = [blob for blob in group if blob.written_at < written_before]
        if not dry_run:
            gone = remove_unheld(database, name, back_ends[name], [blob.digest for blob in old])
            old = [blob for blob in old if blob.digest in gone]
        yield old


def remove_unfinished(
    back_ends: Mapping[str, Blobs], *, written_before: datetime, dry_run: bool
) -> Iterator[UnfinishedUpload]:
    """Remove the temporary files of uploads that nobody goes on with; `dry_run` only returns them."""
    for blobs in back_ends.values():
        for upload in blobs.list_unfinished():
            if upload.written_at < written_before:
                if not dry_run:
                    blobs.remove_unfinished(upload)
                yield upload


def remove_unheld(database: Database, name: str, blobs: Blobs, digests: Sequence[Digest]) -> set[Digest]:
    """Remove those of the blobs that no organization has in the back end `name`, and return their digests.

    A row made meanwhile keeps its blob: uploads name a blob and write its row in one transaction, and this looks again
    inside another.
    """
    removed: set[Digest] = set()
    for group in _groups(digests, REMOVED_AT_ONCE):
        with database.write() as connection:
            held = artifacts.list_held(connection, name, group)
            for digest in (item for item in group if item not in held):
                blobs.remove(digest)
                removed.add(digest)
    return removed


def _list_groups(database: Database, back_ends: Mapping[str, Blobs]) -> Iterator[tuple[str, list[KeptBlob]]]:
    """Return the orphans of one group of blobs after the other, with the name of their back end."""
    for name, blobs in back_ends.items():
        for group in _groups(blobs.list_kept(), LOOKED_UP):
            with database.read() as connection:
                held = artifacts.list_held(connection, name, [blob.digest for blob in group])
            yield name, [blob for blob in group if blob.digest not in held]


def _groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while group := list(islice(rest, size)):
        yield group
