"""`chainloop integration delivery`: list, describe, replay."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import click

from chainloop_ci.api.integrations import Delivery, DeliveryDetail
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.words import DeliveryState
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.integrations import DeliveryQuery
from chainloop_ci.errors import UsageError

_REGISTRATION = Option("registration", ("--registration",), "Only to this one.", metavar="NAME|ID")
_LIST = (
    _REGISTRATION,
    Option(
        "state",
        ("--state",),
        "Only in this state.",
        Kind.CHOICE,
        choices=tuple(state.value for state in DeliveryState),
    ),
    Option("run", ("--run",), "Only what is told of this workflow run.", metavar="ID"),
    Option("event", ("--event",), "Only of this kind of event.", metavar="KIND"),
    *PAGING,
)
_REPLAY = (
    Option("all_dead", ("--all-dead",), "Everything that was given up.", Kind.SWITCH),
    _REGISTRATION,
)


@click.group(cls=Group)
def delivery() -> None:
    """See what was told to whom, and tell it again."""


@delivery.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(
    world: World,
    /,
    registration: str | None,
    state: str | None,
    run: str | None,
    event: str | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List deliveries, newest first."""
    wanted = DeliveryQuery(registration, state, run, event)
    page = world.integrations().list_deliveries(wanted, paging_of(limit, cursor))
    header = ("ID", "Registration", "Event", "About", "State", "# tries", "Last answer", "Created at")
    nothing = "nothing was told yet" if wanted == DeliveryQuery() else "no delivery fits these options"
    show_page(world, page, header, lambda item: (
        item.id, item.registration, item.event, _about(item), item.state, str(item.attempts), item.outcome_code,
        date(item.created_at),
    ), right=frozenset({5}), nothing=nothing)  # fmt: skip


@delivery.command("describe")
@click.argument("delivery_id", metavar="ID")
@click.pass_obj
def describe(world: World, delivery_id: str) -> None:
    """Show a delivery, what it says and every try."""
    found = world.integrations().get_delivery(delivery_id)
    if world.format == "json":
        world.output.document(to_dict(found))
        return
    world.output.table(Table([row for row in _rows(found.delivery) if row[1]], title="Delivery"))
    if found.tries:
        world.output.table(Table(_tries(found), title="Tries", header=("#", "At", "Took", "Outcome", "Answer", "Why")))
    world.output.text(json.dumps(found.content, indent=2, ensure_ascii=False, sort_keys=True))


@delivery.command("replay", options=_REPLAY)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.pass_obj
def replay(world: World, ids: Sequence[str], all_dead: bool, registration: str | None) -> None:
    """Tell it again, with the same content; what was given up gets patience anew."""
    if bool(ids) == all_dead:
        raise UsageError("say what to tell again: ids, or --all-dead", hint="`integration delivery list` shows ids")
    plane = world.integrations()
    if all_dead:
        dead = plane.every_delivery(DeliveryQuery(registration, DeliveryState.DEAD.value))
        require_consent(world, f"Tell {len(dead)} deliveries again?")
        # Oldest first: so they were to be told.
        ids = [item.id for item in reversed(dead)]
    again = [plane.replay(each) for each in ids]
    if world.format == "json":
        world.output.document({"items": [to_dict(item) for item in again]})
    world.output.info("told again as soon as the dispatcher gets there", deliveries=len(again))


def _about(item: Delivery) -> str:
    """Return what the order is kept within, without the address of its forge; commits as people write them."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{28}\b", r"\1", item.lane.rpartition("@")[2])


def _rows(item: Delivery) -> list[Row]:
    return [
        ("ID", item.id),
        ("Registration", item.registration),
        ("Event", item.event),
        ("Event ID", item.event_id),
        ("Part", item.part),
        ("In Order With", item.lane),
        ("Workflow Run", item.run_id or ""),
        ("State", item.state),
        ("Created At", date(item.created_at)),
        ("Next Try At", date(item.next_attempt_at)),
        ("Finished At", date(item.finished_at)),
        ("Last Answer", " ".join(filter(None, (item.outcome_code, item.outcome_detail)))),
    ]


def _tries(found: DeliveryDetail) -> list[Row]:
    return [
        (str(each.number), date(each.at), f"{each.duration_milliseconds} ms", each.outcome, each.code, each.detail)
        for each in found.tries
    ]
