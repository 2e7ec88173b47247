"""Our webhooks at the forges that workflows come from: asked after, and what was found, on the wire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.records import record


class HookMode(StrEnum):
    """How much is done to a webhook."""

    CHECK = "check"
    """Nothing: what differs is told."""
    SYNC = "sync"
    """It is created or repaired, and has the newest secret afterwards."""
    REDELIVER = "redeliver"
    """What it could not deliver is asked for again."""


class HookState(StrEnum):
    """How a webhook was found, or left."""

    OK = "ok"
    MISSING = "missing"
    DIFFERS = "differs"
    CREATED = "created"
    REPAIRED = "repaired"


SOUND = frozenset({HookState.OK, HookState.CREATED, HookState.REPAIRED})
"""A webhook in these states is as it should be."""


@record
class HookRequest:
    """Have our webhooks of all sources looked after."""

    mode: HookMode


@record
class HooksAsked:
    """What was asked of the forges; the dispatcher does it, and `source-hooks` shows what came of it."""

    asked_at: datetime
    asked: Annotated[tuple[str, ...], about("Sources that a forge is asked about.")] = ()
    left_out: Annotated[tuple[str, ...], about("Sources whose repository no registration lists.")] = ()


@record
class SourceHook:
    """Our webhook of a source, as it was found last."""

    source_id: str
    source: Annotated[str, about("`github:acme/app`.")]
    url: Annotated[str, about("Where the webhook is to lead.")]
    asked_at: datetime
    mode: HookMode
    answered_at: Annotated[datetime | None, about("None: the forge has not answered yet.")] = None
    state: HookState | None = None
    hook_id: Annotated[str | None, about("The forge's number of it.")] = None
    differences: Annotated[tuple[str, ...], about("What was not as it should be.")] = ()
    failed: Annotated[int, about("Deliveries of the last three days that never came through.")] = 0
    asked_again: Annotated[int, about("Of those, how many the forge was asked to send again.")] = 0
