"""`python -m server restore DIR`: a data folder from a backup; whole, or not served.

Everything is copied and hashed into a folder inside the data folder, and moved to its place when all of it is right.
While that folder is there nothing serves the data folder, so a process that is killed at any time leaves nothing half.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from chainloop_ci.digests import Digest, digest_of_hex, hex_of
from chainloop_ci.errors import ConflictError, Finding
from server.admin import postgresql_programs
from server.admin.backup_files import copy_private, remove, space_needed, sync_folder
from server.admin.backup_manifest import (
    BLOB_LIST,
    BLOBS,
    DATABASE,
    DUMP,
    SECRETS,
    Manifest,
    SavedFile,
    describe_file,
    read_manifest,
)
from server.admin.backup_progress import Progress
from server.admin.data_folder import RESTORING, make_folder
from server.admin.database_copy import require_place
from server.admin.folder_lock import LOCK_NAME, hold_folder
from server.cas.filesystem import FilesystemBlobs
from server.cas.regular_file import NotRegularFileError
from server.config import ServerConfig
from server.errors import BackupInvalidError, BlobCorruptError, StoreUnusableError
from server.services.disk_reserve import RESERVE_NAME
from server.store import schema

_MAX_NAME_BYTES = 255
_MAX_SHOWN = 5
_LINE = re.compile(rb"sha256:([0-9a-f]{64}) ([0-9]{1,16})\n")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    needs_migration: bool
    """The backup has an older schema than this server."""


def restore_backup(config: ServerConfig, source: Path, progress: Progress) -> Restored:
    """Make the data folder, which must be empty or absent, from a backup.

    Raises:
        BackupInvalidError: the folder is no backup, or parts of it are damaged; all of them are named.
        SchemaMismatchError: a newer server made it.
        ConflictError: the data folder or the PostgreSQL database holds something, or the folder is being served.
        StoreFullError: there is no space; nothing was restored.
    """
    manifest = read_manifest(source)
    schema.require_known_version(manifest.schema_version)
    _require_own_names(manifest)
    require_place(config, manifest.database.name)
    if config.blobs is not None:
        raise ConflictError(
            f"artifacts are restored into the data folder, and CHAINLOOP_BLOBS says {config.blobs}",
            hint=f"unset it for this command, then move {config.data / BLOBS} there",
        )
    with space_needed(config.data):
        _fill(config, source, manifest, progress)
    return Restored(manifest, manifest.schema_version != schema.head_version())


def _fill(config: ServerConfig, source: Path, manifest: Manifest, progress: Progress) -> None:
    """Fill the data folder, or leave it as it was."""
    existed = config.data.is_dir()
    if existed:
        _require_free(config)
    make_folder(config, restoring=True)
    try:
        with hold_folder(config, "restoring a backup"):
            _require_empty(config)
            try:
                _Restore(source, config, manifest, progress).run()
            except BaseException:
                _clear(config)
                if not existed:
                    # Only its holder may: a server may have been started in the new folder.
                    (config.data / LOCK_NAME).unlink(missing_ok=True)
                raise
    except BaseException:
        if not existed:
            # Goes only when it is empty: with somebody else's lock in it, it is theirs.
            with suppress(OSError):
                config.data.rmdir()
        raise


class _Restore:
    """A restore that is going on, in a folder that is empty but for its lock."""

    def __init__(self, source: Path, config: ServerConfig, manifest: Manifest, progress: Progress) -> None:
        self._source = source
        self._data = config.data
        self._config = config
        self._staging = config.data / RESTORING
        self._manifest = manifest
        self._progress = progress

    def run(self) -> None:
        self._staging.mkdir(mode=0o700)
        findings = [*self._copy_files(), *self._copy_blobs()]
        if findings:
            raise BackupInvalidError(
                f"the backup {self._source} is damaged: {len(findings)} of its parts are not what they were",
                hint="nothing was restored; restore another backup",
                findings=findings,
            )
        self._put_in_place()

    def _copy_files(self) -> Iterator[Finding]:
        for file in (self._manifest.database, *self._manifest.secrets):
            try:
                found = copy_private(self._source / file.name, self._staging / file.name, follow_links=False)
            except FileNotFoundError:
                yield _damage(file.name, f"expected {file.digest}, found no such file")
                continue
            except NotRegularFileError:
                yield _damage(file.name, f"expected {file.digest}, found no ordinary file")
                continue
            if found != file.digest:
                yield _damage(file.name, f"expected {file.digest}, found {found}")

    def _copy_blobs(self) -> Iterator[Finding]:
        """Copy what the list names; a list that is not the one that was written is no guide."""
        damage = _check_file(self._source, self._manifest.blob_list)
        if damage:
            yield damage
            return
        kept, copied = FilesystemBlobs(self._source / BLOBS), FilesystemBlobs(self._staging / BLOBS)
        copied.prepare()
        report, done = self._progress.of("artifacts", "bytes"), 0
        for entry in _read_list(self._source / self._manifest.blob_list.name):
            if isinstance(entry, Finding):
                yield entry
                continue
            digest, size_bytes = entry
            try:
                copied.copy_from(kept, digest)
            except BlobCorruptError as error:
                yield _damage(f"{BLOBS}/…/{hex_of(digest)}", error.message.partition(";")[0])
            done += size_bytes
            report(done, self._manifest.blob_bytes)

    def _put_in_place(self) -> None:
        """Move everything; the folder that keeps others from serving goes last, what goes to PostgreSQL before it."""
        dump = self._staging / DUMP
        for entry in sorted(self._staging.iterdir(), key=lambda entry: entry.name == DATABASE):
            if entry != dump:
                entry.rename(self._data / entry.name)
        sync_folder(self._data)
        if dump.exists():
            self._load(dump)
            dump.unlink()
        self._staging.rmdir()
        sync_folder(self._data)

    def _load(self, dump: Path) -> None:
        try:
            postgresql_programs.load(self._config.database_url, dump)
        except StoreUnusableError:
            # A server may have made its tables since we looked.
            require_place(self._config, self._manifest.database.name)
            raise


def _require_own_names(manifest: Manifest) -> None:
    """Refuse a manifest with names that no backup has, or one of them twice: they would lead elsewhere."""
    named = [file.name for file in manifest.secrets]
    bad = [name for name in named if not _is_secret(name) or named.count(name) > 1]
    fixed = {manifest.database.name: (DATABASE, DUMP), manifest.blob_list.name: (BLOB_LIST,)}
    bad += [name for name, expected in fixed.items() if name not in expected]
    if bad:
        shown = ", ".join(repr(name[:80]) for name in dict.fromkeys(bad[:_MAX_SHOWN]))
        raise BackupInvalidError(f"the manifest names files that no backup has: {shown}", hint="restore another backup")


def _is_secret(name: str) -> bool:
    is_plain = name.isprintable() and "/" not in name and not name.startswith(".")
    return is_plain and len(name.encode()) <= _MAX_NAME_BYTES and any(fnmatchcase(name, pattern) for pattern in SECRETS)


def _require_free(config: ServerConfig) -> None:
    """Refuse a folder that is being served, before anything else is said about it."""
    if (config.data / LOCK_NAME).exists():
        with hold_folder(config, "restoring a backup"):
            pass


def _require_empty(config: ServerConfig) -> None:
    """Refuse a folder that holds anything but the rest of a restore that was interrupted."""
    found = sorted(entry.name for entry in config.data.iterdir() if entry.name not in (LOCK_NAME, RESERVE_NAME))
    if RESTORING in found:
        _clear(config)
    elif found:
        raise ConflictError(
            f"expected an empty data folder at {config.data}, or none, found {', '.join(found[:5])}",
            hint=f"move it away first (`mv {config.data} {config.data}.old`), or name another with --data",
        )


def _clear(config: ServerConfig) -> None:
    """Remove everything but the lock of the one that restores; the folder that keeps others out goes last."""
    for entry in config.data.iterdir():
        if entry.name not in (LOCK_NAME, RESTORING):
            remove(entry)
    remove(config.data / RESTORING)


def _check_file(folder: Path, file: SavedFile) -> Finding | None:
    try:
        found = describe_file(folder / file.name)
    except FileNotFoundError:
        return _damage(file.name, f"expected {file.digest}, found no such file")
    except NotRegularFileError:
        return _damage(file.name, f"expected {file.digest}, found no ordinary file")
    return None if found == file else _damage(file.name, f"expected {file.digest}, found {found.digest}")


def _read_list(path: Path) -> Iterator[tuple[Digest, int] | Finding]:
    """Return the blobs of the list with their sizes, and a finding for each line that is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            match = _LINE.fullmatch(line)
            if match:
                yield digest_of_hex(match[1].decode()), int(match[2])
            else:
                yield _damage(path.name, f"line {number} is no digest and size")


def _damage(name: str, what: str) -> Finding:
    return Finding("damaged", f"{name}: {what}", path=name)
