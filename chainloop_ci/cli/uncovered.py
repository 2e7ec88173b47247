"""`chainloop workflow drift --uncovered`: the forges' repositories that no workflow comes from."""

from __future__ import annotations

from chainloop_ci.api.inventories import RepositoryInventory, UncoveredRepository
from chainloop_ci.api.record import to_dict
from chainloop_ci.cli.listing import date
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Paging

_HEADER = ("Repository", "Note", "Seen through", "First seen at")


def show_uncovered(world: World, paging: Paging) -> None:
    """Show one page of them, and how old the lists are that they come from."""
    plane = world.operator()
    page, inventories = plane.list_uncovered(paging), plane.list_inventories()
    if world.format == "json":
        result: dict[str, object] = {"items": [to_dict(item) for item in page.items]}
        result |= {"nextCursor": page.next_cursor} if page.next_cursor else {}
        world.output.document({**result, "inventories": [to_dict(item) for item in inventories]})
        return
    if page.items:
        world.output.table(Table([_row(item) for item in page.items], header=_HEADER))
        world.output.info(
            "a workflow covers a repository: `chainloop workflow create --source REPOSITORY --ci-file FILE`"
        )
    elif any(item.listed_at for item in inventories):
        world.output.info("every repository that was listed has a workflow")
    _show_ages(world, inventories)
    if page.next_cursor:
        world.output.info("there are more", next=f"--next {page.next_cursor}")


def _row(item: UncoveredRepository) -> Row:
    notes = ("archived" if item.is_archived else "", "fork" if item.is_fork else "")
    return (item.source, ", ".join(filter(None, notes)), item.registration, date(item.first_seen_at))


def _show_ages(world: World, inventories: list[RepositoryInventory]) -> None:
    if not inventories:
        world.output.warning(
            "no repositories are known: no forge is registered",
            hint="an administrator registers one: `chainloop integration registered add`",
        )
    for item in inventories:
        if item.listed_at is None:
            message = f"{item.registration} was not listed to its end yet: {item.repositories} repositories are known"
            when = "asks again after an hour" if item.finding else "begins within five minutes"
            world.output.warning(message, hint=f"the control plane's dispatcher {when}")
        else:
            world.output.info(
                f"{item.registration}: {item.repositories} repositories, listed at {date(item.listed_at)}"
            )
        if not item.is_complete:
            world.output.warning(f"{item.registration} shows more repositories than are listed; the rest is not known")
        if item.finding:
            world.output.warning(f"{item.registration} could not be listed: {item.finding}")
