"""Several reports in one archive: the same files give the same bytes, and so the same digest, on every machine.

A zip with stored entries: what a compressor writes depends on its version. Sorted names, one time, one mode. Source of
what an archive of reports may be: reference section 3.3 (JUNIT_XML).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from chainloop_ci.crafting.file_names import is_text
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    ChainloopError,
    Finding,
    Findings,
    LimitExceededError,
    MaterialRejectedError,
    limit_findings,
)
from chainloop_ci.records import record

if TYPE_CHECKING:
    from zipfile import ZipInfo

MAX_PACKED_FILES = 10_000
"""As many as are read out of an archive again."""
MAX_PACKED_BYTES = 64 * 1024 * 1024
"""All of them together; more is not read out of an archive of reports again."""

SUFFIX = ".xml"
"""What the name of a report ends in; other files in an archive are not looked at by whoever checks it."""
_HIDDEN = "._"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_MODE = 0o100644


@record
class PackedFile:
    """One file of a pack."""

    name: str
    """In the archive: relative, with `/`."""
    path: str
    """As it is opened."""
    expected: Digest | None = None
    """What a checksums file says of it."""


@record
class Pack:
    """What becomes one archive."""

    filename: str
    files: tuple[PackedFile, ...]


def make_archive(
    wanted: Pack,
    open_file: Callable[[str], BinaryIO],
    *,
    max_bytes: int = MAX_PACKED_BYTES,
    max_files: int = MAX_PACKED_FILES,
) -> bytes:
    """Return the archive.

    Raises:
        MaterialRejectedError: with every file that cannot be packed, and why.
        LimitExceededError: too many files, or too large.
    """
    import zipfile

    _require_reports(wanted, max_files)
    refused = Findings()
    left = max_bytes
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(wanted.files, key=lambda file: file.name):
            try:
                raw = _read(file, open_file, left, max_bytes)
            except LimitExceededError:
                raise
            except ChainloopError as error:
                refused.append(Finding(error.code, error.message, hint=error.hint))
                continue
            left -= len(raw)
            archive.writestr(_entry(file.name), raw)
    if refused:
        raise _not_packed(refused)
    return buffer.getvalue()


def require_expected(found: Digest, expected: Digest | None, path: str) -> None:
    """Check a file against the digest that a checksums file has for it.

    Raises:
        MaterialRejectedError: they differ; the message has both.
    """
    if expected is not None and found != expected:
        raise MaterialRejectedError(
            f"{path}: expected {expected}, as the checksums file says, found {found}",
            hint="write the checksums after the last step that changes the file",
        )


def _read(file: PackedFile, open_file: Callable[[str], BinaryIO], left: int, max_bytes: int) -> bytes:
    """Read a file of which `left` bytes at most still go into an archive of `max_bytes`."""
    with closing(open_file(file.path)) as opened:
        raw = opened.read(left + 1)
    if len(raw) > left:
        whole = f"larger than one archive may be ({max_bytes} bytes)"
        found = f"is {whole}" if left == max_bytes else f"and the reports before it are {whole}: {left} bytes were left"
        raise LimitExceededError(
            f"{file.path} {found}",
            hint="write a pattern that matches fewer, or `multiple: true` in .chainloop.yml to attest each by itself",
        )
    require_expected(sha256_digest(raw), file.expected, file.path)
    return raw


def _require_reports(wanted: Pack, max_files: int) -> None:
    if len(wanted.files) > max_files:
        raise LimitExceededError(
            f"{len(wanted.files)} files are to be packed, at most {max_files} are",
            hint="write a pattern that matches fewer",
        )
    others = (file.path for file in wanted.files if not _is_report(file.name))
    refused = limit_findings(
        Finding("not-packed", f"expected a report with a name in {SUFFIX}, found {path}") for path in others
    )
    if refused:
        raise _not_packed(refused)


def _is_report(name: str) -> bool:
    base = name.rpartition("/")[2].lower()
    return base.endswith(SUFFIX) and not base.startswith(_HIDDEN) and is_text(name)


def _entry(name: str) -> ZipInfo:
    import zipfile

    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX  # else it is the system's that packs
    entry.external_attr = _MODE << 16
    return entry


def _not_packed(refused: Sequence[Finding]) -> MaterialRejectedError:
    return MaterialRejectedError(
        f"{len(refused)} of the files cannot be packed: {'; '.join(map(str, refused))}",
        hint="write a pattern that matches reports only",
        findings=refused,
    )
