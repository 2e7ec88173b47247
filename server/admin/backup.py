"""`python -m server backup DIR`: a whole copy of the data folder, taken while it is being served.

The database comes first: a snapshot says which blobs belong to the backup. Blobs are never written again, so they get
a second name (on the same disk) or a checked copy. A sweep may remove a blob meanwhile, together with its row: when one
is missing, another snapshot is taken, which no longer knows it. So nothing waits for a backup, and it has no hole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

import chainloop_ci
from chainloop_ci.api.words import CasBackend
from chainloop_ci.digests import Digest
from chainloop_ci.errors import ConflictError, NotFoundError
from server.admin.backup_files import copy_private, empty_folder, open_private, space_needed
from server.admin.backup_manifest import (
    BLOB_LIST,
    BLOBS,
    FORMAT,
    MANIFEST,
    MAX_LOST,
    SECRETS,
    Manifest,
    SavedFile,
    describe_file,
    write_manifest,
)
from server.admin.backup_progress import Progress
from server.admin.database_copy import copy_of
from server.cas.filesystem import FilesystemBlobs
from server.config import ServerConfig
from server.errors import BlobCorruptError
from server.store import artifacts, schema
from server.store.database import Database
from server.store.snapshots import count_rows, list_blobs

MAX_ROUNDS = 10
"""Snapshots that are taken at most while sweeps remove blobs; a sweep removes a blob once, so two suffice."""


def take_backup(
    config: ServerConfig, database: Database, target: Path, *, now: Callable[[], datetime], progress: Progress
) -> Taken:
    """Write a backup of the data folder into `target`, which must be empty or absent, and return what it holds.

    On an error nothing of it remains. A process that is killed leaves a folder without manifest, which is no backup.

    Raises:
        NotFoundError: the database has no tables yet.
        ConflictError: the folder is not empty.
        SchemaMismatchError: a newer server made the database.
        StoreFullError: there is no space.
    """
    schema.require_known(database.engine)
    if schema.current_version(database.engine) is None:
        raise NotFoundError(f"the database in {config.database_place} is empty: there is nothing to back up")
    with space_needed(target), _new_folder(target):
        with closing(_Backup(config, database, target, progress)) as backup:
            manifest = backup.describe(backup.copy(), now())
        write_manifest(target, manifest)
    return Taken(manifest, backup.shares_bytes)


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was taken."""

    manifest: Manifest
    shares_bytes: bool
    """Whether artifacts in it are second names of those in the store."""


class _Backup:
    """A backup that is being taken."""

    def __init__(self, config: ServerConfig, database: Database, target: Path, progress: Progress) -> None:
        self._config = config
        self._database = database
        self._target = target
        self._progress = progress
        self._copier = copy_of(config, database)
        self._moment = ExitStack()
        self._source = FilesystemBlobs(config.blobs_path)
        self._blobs = FilesystemBlobs(target / BLOBS)
        self._lost: set[Digest] = set()
        self.shares_bytes = False

    def close(self) -> None:
        """Let go of the moment that was copied last."""
        self._moment.close()

    def copy(self) -> Connection:
        """Copy the database, then the blobs that it names, and again while sweeps remove some of them.

        Returns what reads the moment that was copied.
        """
        self._blobs.prepare()
        for round_ in range(MAX_ROUNDS):
            seen = self._copy_database()
            missing = self._copy_blobs(seen)
            if missing <= self._lost or round_ == MAX_ROUNDS - 1:
                break
            # A blob goes after its row, or in the same write transaction: what is missing though all those of now have
            # ended, and is named even so, is lost and not swept.
            self._lost = missing
            with self._database.write():
                pass
        self._lost = missing
        if round_:
            self._drop_swept(seen)
        # After the database: a key that is made meanwhile has sealed what the snapshot may already hold.
        self._copy_secrets()
        return seen

    def describe(self, seen: Connection, taken_at: datetime) -> Manifest:
        """Write the list of blobs and return the manifest of what was copied."""
        rows = count_rows(seen)
        blobs, blob_bytes = self._write_list(list_blobs(seen, CasBackend.FILESYSTEM))
        return Manifest(
            format=FORMAT,
            server_version=chainloop_ci.__version__,
            schema_version=schema.version_of(seen) or "",
            taken_at=taken_at,
            database=describe_file(self._target / self._copier.name),
            blob_list=describe_file(self._target / BLOB_LIST),
            secrets=self._secrets(),
            blobs=blobs,
            blob_bytes=blob_bytes,
            lost_blobs=len(self._lost),
            lost=tuple(sorted(self._lost))[:MAX_LOST],
            rows=rows,
        )

    def _copy_database(self) -> Connection:
        """Copy the moment that is now, and return what reads it until the next one."""
        self._moment.close()
        path = self._target / self._copier.name
        path.unlink(missing_ok=True)
        return self._moment.enter_context(self._copier.taken(path, self._progress))

    def _copy_blobs(self, seen: Connection) -> set[Digest]:
        """Take every blob that the snapshot names, and return those that could not be taken."""
        missing = set()
        report = self._progress.of("artifacts", "bytes")
        total = sum(size for _, size in list_blobs(seen, CasBackend.FILESYSTEM))
        done = 0
        for digest, size_bytes in list_blobs(seen, CasBackend.FILESYSTEM):
            try:
                self.shares_bytes |= self._blobs.link_from(self._source, digest)
            except BlobCorruptError:
                missing.add(digest)
            done += size_bytes
            report(done, total)
        return missing

    def _drop_swept(self, seen: Connection) -> None:
        """Remove blobs that only an earlier snapshot named."""
        for blob in self._blobs.list_kept():
            if not artifacts.is_held(seen, CasBackend.FILESYSTEM, blob.digest):
                self._blobs.remove(blob.digest)

    def _copy_secrets(self) -> None:
        for pattern in SECRETS:
            for path in sorted(self._config.data.glob(pattern)):
                copy_private(path, self._target / path.name)

    def _secrets(self) -> tuple[SavedFile, ...]:
        paths = (path for pattern in SECRETS for path in sorted(self._target.glob(pattern)))
        return tuple(describe_file(path) for path in paths)

    def _write_list(self, blobs: Iterator[tuple[Digest, int]]) -> tuple[int, int]:
        count, size = 0, 0
        with open_private(self._target / BLOB_LIST) as file:
            for digest, size_bytes in blobs:
                if digest not in self._lost:
                    file.write(f"{digest} {size_bytes}\n".encode())
                    count, size = count + 1, size + size_bytes
        return count, size


@contextmanager
def _new_folder(target: Path) -> Iterator[None]:
    """Make a folder, or take an empty one; on an error it is as it was before."""
    existed = target.is_dir()
    if existed and any(target.iterdir()):
        unfinished = not (target / MANIFEST).exists() and (target / BLOBS).is_dir()
        raise ConflictError(
            f"expected an empty folder, or none, at {target}, found "
            + ("a backup that was not finished" if unfinished else "one that holds something"),
            hint=f"remove it (`rm -r {target}`), or name another" if unfinished else "name another folder",
        )
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Two backups into one folder: only one of them makes this.
    try:
        (target / BLOBS).mkdir(mode=0o700)
    except FileExistsError as error:
        raise ConflictError(f"another backup is being written to {target}", hint="name another folder") from error
    try:
        yield
    except BaseException:
        empty_folder(target)
        if not existed:
            target.rmdir()
        raise
