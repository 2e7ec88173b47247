"""`chainloop organization audit`, and what one token did: `chainloop organization api-token activity`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from chainloop_ci.api.audit import Activity, AuditEntry
from chainloop_ci.api.paging import Page
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.words import AuditAction
from chainloop_ci.cli.api_tokens import token_rows
from chainloop_ci.cli.command import Command, Group
from chainloop_ci.cli.durations import parse_moment
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page
from chainloop_ci.cli.options import Option
from chainloop_ci.cli.run_filters import require_one_of
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import AuditFilter

_TIMES = (
    Option("since", ("--since",), "Only what was done since then: 2026-01-31, 24h.", metavar="WHEN"),
    Option("until", ("--until",), "Only what was done until then: 2026-01-31, 24h.", metavar="WHEN"),
)
_LIST = (
    Option("token_name", ("--token-name",), "Only what this token did.", metavar="NAME|ID"),
    Option("action", ("--action",), "Only this action: contract.revised.", metavar="ACTION"),
    *_TIMES,
    *PAGING,
)


@click.group(cls=Group)
def audit() -> None:
    """See who changed rights, keys, contracts and settings."""


@audit.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(
    world: World,
    /,
    token_name: str | None,
    action: str | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List audit records, newest first."""
    if action is not None:
        require_one_of("--action", action, action.lower(), [known.value for known in AuditAction])
        action = action.lower()
    wanted = AuditFilter(token_name, action, *_moments(world, since, until))
    page = world.operator().list_audit(wanted, paging_of(limit, cursor))
    header = ("At", "Token", "From", "Action", "Subject", "Detail")
    nothing = "nothing was changed yet" if wanted == AuditFilter() else "no record fits these options"
    show_page(world, page, header, _audit_row, nothing=nothing)


@click.command(cls=Command, name="activity", options=(*_TIMES, *PAGING))
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def activity(
    world: World, named: str, since: str | None, until: str | None, limit: int | None, cursor: str | None
) -> None:
    """Show a token and everything it did: runs, uploads, refusals, changes."""
    operator = world.operator()
    first, last = _moments(world, since, until)
    paging = paging_of(limit, cursor)
    found = operator.find_token(named)
    page = operator.list_activity(found.id, paging, since=first, until=last)
    if world.format == "json":
        more = {"nextCursor": page.next_cursor} if page.next_cursor else {}
        world.output.document({"token": to_dict(found), "items": [to_dict(item) for item in page.items], **more})
        return
    used = [("Last Used At", date(found.last_used_at)), ("Last Used From", found.last_used_address or "")]
    rows: list[Row] = [row for row in (*token_rows(world, found), ("Created By", found.created_by), *used) if row[1]]
    world.output.table(Table(rows, title="Token"))
    _show_activity(world, page)


def _show_activity(world: World, page: Page[Activity]) -> None:
    header = ("At", "Action", "Workflow", "From", "Subject", "Detail")
    show_page(world, page, header, _activity_row, nothing="this token did nothing in that time")


def _moments(world: World, since: str | None, until: str | None) -> tuple[str | None, str | None]:
    now = world.now()
    return (
        None if since is None else parse_moment(since, "--since", now),
        None if until is None else parse_moment(until, "--until", now),
    )


def _audit_row(item: AuditEntry) -> Row:
    who = item.token_name or item.token_id
    return (date(item.at), who, item.address, item.action, item.subject, render_detail(item.detail))


def _activity_row(item: Activity) -> Row:
    where = f"{item.project}/{item.workflow}" if item.workflow else ""
    return (date(item.at), item.action, where, item.address, item.subject, render_detail(item.detail))


def render_detail(detail: Mapping[str, object]) -> str:
    """Return what came of something on one line: `state=success commit=6417e226`."""
    return " ".join(f"{name}={_value(value)}" for name, value in detail.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        if {"from", "to"} == value.keys():
            return f"{_value(value['from'])}→{_value(value['to'])}"
        return "/".join(_value(part) for part in value.values() if part is not None)
    if isinstance(value, list):
        return ",".join(_value(part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
