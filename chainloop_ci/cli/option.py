"""What an option is; `options` has them all."""

from __future__ import annotations

from enum import StrEnum

from chainloop_ci.records import record


class Kind(StrEnum):
    """What an option takes."""

    TEXT = "text"
    NUMBER = "number"
    PATH = "path"
    SWITCH = "switch"
    CHOICE = "choice"
    PAIRS = "name=value"
    """May be given several times; with commas several at once. Its variable holds one in each line."""
    LIST = "list"
    """May be given several times. Its variable holds one in each line."""


class OnUnreachable(StrEnum):
    """What a job does when the control plane does not answer."""

    FAIL = "fail"
    WARN = "warn"
    """It goes on, and nothing is attested."""
    QUEUE = "queue"
    """It goes on, and what is signed is kept for later (R20)."""


@record
class Option:
    """One option of the command line."""

    name: str
    """Its name in Python."""
    flags: tuple[str, ...]
    help: str
    kind: Kind = Kind.TEXT
    env: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None
    metavar: str | None = None
    required: bool = False
    secret: bool = False
    """Never shown; plugins mask it."""
    replaces: tuple[str, ...] = ()
    """Older flags that are still understood and not shown."""
