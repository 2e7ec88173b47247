"""What a backup says of itself: `manifest.json`, written last. A folder without it is no backup."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chainloop_ci.api.record import from_dict, to_dict
from chainloop_ci.digests import Digest, digest_of_hex
from chainloop_ci.errors import RequestInvalidError
from server.admin.backup_files import open_private, sync_folder
from server.cas.regular_file import NotRegularFileError, open_regular
from server.errors import BackupInvalidError

MANIFEST = "manifest.json"
DATABASE = "chainloop.db"
DUMP = "chainloop.pgdump"
"""The database: a file of SQLite's, or what `pg_dump` wrote."""
BLOBS = "blobs"
BLOB_LIST = "blobs.txt"
"""One line per blob: digest, space, size in bytes."""
SECRETS = ("admin-token", "*.key")
"""Files of the data folder that a server needs beside database and blobs, as patterns."""
FORMAT = 1
MAX_LOST = 1000
"""Digests of lost blobs that a manifest names."""
_BLOCK_BYTES = 1024 * 1024
_MAX_MANIFEST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file of a backup."""

    name: str
    size_bytes: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    format: int
    server_version: str
    schema_version: str
    taken_at: datetime
    database: SavedFile
    blob_list: SavedFile
    secrets: tuple[SavedFile, ...]
    blobs: int
    blob_bytes: int
    lost_blobs: int
    """Blobs that rows name and the store did not have, or had broken, when the backup was taken."""
    lost: tuple[str, ...]
    """The first `MAX_LOST` of their digests."""
    rows: dict[str, int]
    """Rows per table."""

    @property
    def files(self) -> tuple[SavedFile, ...]:
        """Return every file but the blobs, the database first."""
        return (self.database, self.blob_list, *self.secrets)


def describe_file(path: Path) -> SavedFile:
    """Return name, size and digest of an ordinary file that is no link."""
    found, size_bytes = hashlib.sha256(), 0
    with open_regular(path, follow_links=False) as file:
        while block := file.read(_BLOCK_BYTES):
            found.update(block)
            size_bytes += len(block)
    return SavedFile(path.name, size_bytes, digest_of_hex(found.hexdigest()))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the folder a backup, in one step and only when everything in it has reached the disk."""
    os.sync()
    new = folder / f".{MANIFEST}"
    raw = json.dumps(to_dict(manifest), indent=2).encode() + b"\n"
    with open_private(new) as file:
        file.write(raw)
    new.replace(folder / MANIFEST)
    sync_folder(folder)


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup says of itself.

    Raises:
        BackupInvalidError: the folder is no backup, an unfinished one, or one of another server's format.
    """
    path = folder / MANIFEST
    try:
        with open_regular(path) as file:
            document = json.loads(file.read(_MAX_MANIFEST_BYTES))
    except (FileNotFoundError, NotADirectoryError, NotRegularFileError) as error:
        raise BackupInvalidError(
            f"{folder} is no finished backup: expected {MANIFEST} in it, found none",
            hint="name a folder that `python -m server backup` has filled to its end",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, "it is no JSON document") from error
    if isinstance(document, dict) and document.get("format") != FORMAT:
        raise BackupInvalidError(
            f"{path} has format {str(document.get('format'))[:20]}, this server reads {FORMAT}",
            hint="restore it with the server that made it, or a newer one",
        )
    try:
        return from_dict(Manifest, document)
    except (ValueError, TypeError, LookupError, AttributeError, RequestInvalidError) as error:
        raise _unreadable(path, str(error)[:200]) from error


def _unreadable(path: Path, why: str) -> BackupInvalidError:
    return BackupInvalidError(f"{path} cannot be used: {why}", hint="take another backup")
