"""`chainloop integration inbound`: list, describe, replay."""

from __future__ import annotations

import click

from chainloop_ci.api.inbound import InboundDelivery, InboundOutcome
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page, show_record
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World

_OUTCOMES = tuple(outcome.value for outcome in InboundOutcome)
_LIST = (
    Option("source", ("--source",), "Only those from the source of this id.", metavar="ID"),
    Option("event", ("--event",), "Only events of this name, as the sender writes it: workflow_run."),
    Option("outcome", ("--outcome",), "Only those that this became of.", Kind.CHOICE, choices=_OUTCOMES),
    *PAGING,
)


@click.group(cls=Group)
def inbound() -> None:
    """See the webhooks that came in."""


@inbound.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(
    world: World,
    source: str | None,
    event: str | None,
    outcome: str | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List the webhooks that came in, newest first; those that were refused are only counted."""
    page = world.operator().list_inbound(paging_of(limit, cursor), source=source, event=event, outcome=outcome)
    nothing = "no webhook fits these options" if source or event or outcome else "no webhooks came yet"
    header = ("ID", "Source", "Event", "Action", "Outcome", "Received at", "ms")
    show_page(world, page, header, lambda item: (
        item.id, item.source or item.receiver, item.event, item.action or "", item.outcome.value,
        date(item.received_at), _milliseconds(item),
    ), right=frozenset({6}), nothing=nothing)  # fmt: skip


@inbound.command("describe")
@click.argument("delivery_id", metavar="ID")
@click.pass_obj
def describe(world: World, delivery_id: str) -> None:
    """Show a webhook that came in."""
    found = world.operator().get_inbound(delivery_id)
    show_record(world, found, _rows(found))


@inbound.command("replay")
@click.argument("delivery_id", metavar="ID")
@click.pass_obj
def replay(world: World, delivery_id: str) -> None:
    """Have a webhook handled once more; what is newer than it stays."""
    again = world.operator().replay_inbound(delivery_id)
    show_record(world, again, _rows(again))
    world.output.info("the webhook will be handled once more", id=again.id)


def _rows(item: InboundDelivery) -> list[Row]:
    return [
        ("ID", item.id),
        ("Receiver", item.receiver),
        ("Source", item.source or ""),
        ("Event", item.event),
        ("Action", item.action or ""),
        ("Outcome", item.outcome.value),
        ("Reason", item.reason),
        ("Sender's ID", item.delivery_id or ""),
        ("Received At", date(item.received_at)),
        ("From", item.address),
        ("Handled At", date(item.handled_at)),
        ("Milliseconds", _milliseconds(item)),
        ("Body", f"{item.body_bytes} bytes, {item.body_digest}"),
        ("Replays", str(item.replays)),
        ("Can Be Replayed", "yes" if item.can_be_replayed else "no, its body is not kept"),
        *((f"Header {name}", value) for name, value in item.headers.items()),
    ]


def _milliseconds(item: InboundDelivery) -> str:
    return "" if item.duration_milliseconds is None else str(item.duration_milliseconds)
