"""Words of the wire that options of the command line take too; light to load, records are not."""

from __future__ import annotations

from enum import StrEnum


class CancelTrigger(StrEnum):
    """What ended a run that was not pushed."""

    FAILURE = "failure"
    CANCELLATION = "cancellation"
    SUPERSEDED = "superseded"
    """By a run that took its place in the same job (R17)."""


class CasBackend(StrEnum):
    """Where an organization keeps the content of materials."""

    FILESYSTEM = "filesystem"
    INLINE = "inline"
    """Inside the signed statement."""
