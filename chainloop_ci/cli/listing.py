"""What lists and records of the control plane have in common on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

from chainloop_ci.api.limits import DEFAULT_PAGE, MAX_PAGE
from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import to_dict
from chainloop_ci.cli.exit_codes import FAILURE
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.status_view import render_date
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Paging
from chainloop_ci.errors import UsageError

R = TypeVar("R")

PAGING: tuple[Option, ...] = (
    Option("limit", ("--limit",), f"How many, {MAX_PAGE} at most (default: {DEFAULT_PAGE}).", Kind.NUMBER),
    Option("cursor", ("--next",), "Continue a list: the cursor that the page before ended with.", metavar="CURSOR"),
)
"""Options of every list."""


def paging_of(limit: int | None, cursor: str | None) -> Paging:
    """Return which page was asked for.

    Raises:
        UsageError: it is larger than pages are.
    """
    if limit is not None and limit > MAX_PAGE:
        raise UsageError(
            f"--limit: expected at most {MAX_PAGE}, found {limit}",
            hint="the end of each page shows the --next with which the list goes on",
        )
    return Paging(limit or None, cursor)


def show_page(
    world: World,
    page: Page[R],
    header: Row,
    row: Callable[[R], Row],
    *,
    nothing: str,
    document: Callable[[R], object] = to_dict,
    right: frozenset[int] = frozenset(),
) -> None:
    """Show one page of a list, and how to get the next; `nothing` is said when it is empty."""
    if world.format == "json":
        result: dict[str, object] = {"items": [document(item) for item in page.items]}
        world.output.document({**result, **({"nextCursor": page.next_cursor} if page.next_cursor else {})})
        return
    if page.items:
        world.output.table(Table([row(item) for item in page.items], header=header, right=right))
    else:
        world.output.info(nothing)
    if page.next_cursor:
        world.output.info("there are more", next=f"--next {page.next_cursor}")


def show_record(world: World, record: Any, rows: Sequence[Row], *, title: str | None = None) -> None:
    """Show one record: a table of those rows that are not empty, or its document."""
    if world.format == "json":
        world.output.document(to_dict(record))
    else:
        world.output.table(Table([row for row in rows if row[1]], title=title))


def date(moment: datetime | None) -> str:
    """Return a time as tables show it, empty when there is none."""
    return "" if moment is None else render_date(moment)


def require_consent(world: World, question: str) -> None:
    """Ask before something that cannot be undone. Where nobody can answer, the command itself is the consent.

    Raises:
        Exit: the answer is not yes; with 1, since what was asked for was not done.
    """
    if world.stdin.isatty() and not world.confirm(question):
        world.output.info("nothing was changed: the question was not answered with yes")
        raise click.exceptions.Exit(FAILURE)
