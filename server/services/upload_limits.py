"""Uploads: how large one may be, and what a file name may hold (R8)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from server.errors import BodyTooLargeError, QuotaExceededError

MAX_FILENAME = 255
DEFAULT_FILENAME = "artifact"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What an upload may still use; a quota of 0 is no quota."""

    blob_bytes: int
    organization_quota_bytes: int = 0
    organization_left_bytes: int = 0
    run_quota_bytes: int = 0
    run_left_bytes: int = 0
    repeated_bytes: int = 0
    """What was counted already when it was uploaded the first time: a body up to this size may be that one again."""
    known_bytes: int = 0
    """As `repeated_bytes`, of what the organization has and the address names."""

    def require_announced(self, size_bytes: int | None) -> None:
        """Refuse a body by its announced size, before a byte of it is read."""
        if size_bytes is not None:
            self.require_fit(size_bytes)

    def require_fit(self, size_bytes: int, arriving_bytes: int = 0) -> None:
        """Refuse a body of this size or more; so much of the organization's other uploads is here at present (R8).

        Raises:
            BodyTooLargeError: one blob may not be this large.
            QuotaExceededError: the organization or the run has used up its bytes.
        """
        if size_bytes > self.blob_bytes:
            raise BodyTooLargeError(
                f"an artifact may have {self.blob_bytes} bytes, this one has {size_bytes} or more",
                hint="the server's operator sets the limit with CHAINLOOP_MAX_BLOB_BYTES; the contract's skipUpload "
                "records the digest only",
            )
        if size_bytes <= self.repeated_bytes:
            return
        left = max(0, self.organization_left_bytes - arriving_bytes)
        if self.organization_quota_bytes and size_bytes > max(left, self.known_bytes):
            raise _exceeded("organization", self.organization_quota_bytes, left, size_bytes)
        if self.run_quota_bytes and size_bytes > self.run_left_bytes:
            raise _exceeded("workflow run", self.run_quota_bytes, self.run_left_bytes, size_bytes)


def clean_filename(text: str) -> str:
    """Return a base name without folders and without characters that are not printable; it is shown and downloaded."""
    base = text.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(
        character for character in base if unicodedata.category(character)[0] not in "CZ" or character == " "
    )
    shown = shown.strip().lstrip(".")[:MAX_FILENAME]
    return shown or DEFAULT_FILENAME


def _exceeded(whose: str, quota_bytes: int, left_bytes: int, size_bytes: int) -> QuotaExceededError:
    return QuotaExceededError(
        f"the {whose} may store {quota_bytes} bytes and has {left_bytes} left, this artifact has {size_bytes} or more",
        hint="an administrator raises the quota, or the contract's skipUpload records the digest only",
    )
