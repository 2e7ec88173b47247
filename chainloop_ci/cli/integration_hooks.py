"""`chainloop integration hooks`: sync, list."""

from __future__ import annotations

import threading
from time import monotonic

import click

from chainloop_ci.api.record import to_dict
from chainloop_ci.api.source_hooks import SOUND, HookMode, HooksAsked, SourceHook
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.durations import parse_duration
from chainloop_ci.cli.exit_codes import FAILURE
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.integrations import Integrations
from chainloop_ci.errors import UsageError

LOOK_SECONDS = 0.3
_WAIT = "60s"
_SYNC = (
    Option("check", ("--check",), "Change nothing, and fail when something is not as it should be.", Kind.SWITCH),
    Option("redeliver", ("--redeliver",), "Only have sent again what never came through.", Kind.SWITCH),
    Option("wait", ("--wait",), f"How long to wait for the forges (default: {_WAIT}).", metavar="DURATION"),
)
_UNLISTED = (
    "an administrator lists it beside the others: `chainloop integration registered update --setting repositories=…`"
)
_SILENT = "`chainloop integration delivery list` says what was tried; where nothing was, the dispatcher does not run"
_HEADER = ("Source", "State", "What was found", "# failed", "# asked again", "Answered at")


@click.group(cls=Group)
def hooks() -> None:
    """Look after our webhooks at the forges that workflows come from."""


@hooks.command("sync", options=_SYNC)
@click.pass_obj
def sync(world: World, check: bool, redeliver: bool, wait: str | None) -> None:
    """Create and repair our webhooks, give them the newest secret; the dispatcher does it."""
    if check and redeliver:
        raise UsageError("--check changes nothing, and --redeliver does", hint="give one of them")
    mode = HookMode.CHECK if check else HookMode.REDELIVER if redeliver else HookMode.SYNC
    patience = parse_duration(wait or _WAIT, "--wait")
    plane = world.integrations()
    asked = plane.ask_hooks(mode)
    found = _wait_for(plane, asked, patience)
    _show(world, asked, found)
    silent = [item.source for item in found if not _is_answered(item, asked)]
    if silent:
        world.output.warning(
            f"no answer yet about {', '.join(silent)}",
            hint=_SILENT,
        )
    if silent or asked.left_out or any(item.state not in SOUND for item in found):
        raise click.exceptions.Exit(FAILURE)


@hooks.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List our webhooks as they were found last."""
    page = world.integrations().list_hooks(paging_of(limit, cursor))
    show_page(world, page, _HEADER, _row, right=frozenset({3, 4}), nothing="no webhook was asked after yet")


def _wait_for(plane: Integrations, asked: HooksAsked, patience: float) -> list[SourceHook]:
    """Return the webhooks that were asked after, when each has its answer or the time is over."""
    ends = monotonic() + patience
    while True:
        found = [item for item in plane.every_hook() if item.source in asked.asked]
        if all(_is_answered(item, asked) for item in found) or monotonic() >= ends:
            return found
        threading.Event().wait(LOOK_SECONDS)


def _is_answered(item: SourceHook, asked: HooksAsked) -> bool:
    return item.answered_at is not None and item.asked_at >= asked.asked_at


def _show(world: World, asked: HooksAsked, found: list[SourceHook]) -> None:
    for source in asked.left_out:
        world.output.warning(f"no registration lists the repository of {source}", hint=_UNLISTED)
    if world.format == "json":
        world.output.document({**to_dict(asked), "items": [to_dict(item) for item in found]})
    elif found:
        world.output.table(Table([_row(item) for item in found], header=_HEADER, right=frozenset({3, 4})))
    else:
        world.output.info("there is no source of a forge whose webhook could be looked after")


def _row(item: SourceHook) -> Row:
    return (
        item.source,
        str(item.state or "not known"),
        "; ".join(item.differences),
        str(item.failed),
        str(item.asked_again),
        date(item.answered_at),
    )
