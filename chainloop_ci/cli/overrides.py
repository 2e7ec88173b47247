"""`chainloop workflow block`, `unblock`, `override`: what operators decide against the rules, with a reason (R39)."""

from __future__ import annotations

import re

import click

from chainloop_ci.api.overrides import Override, OverrideEnd, OverrideRequest
from chainloop_ci.api.words import OverrideKind
from chainloop_ci.attestation.times import parse_time
from chainloop_ci.cli.command import Command, Group
from chainloop_ci.cli.durations import parse_date_ahead
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page, show_record
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.which_workflow import WHICH, find_workflow
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import is_id
from chainloop_ci.errors import NotFoundError, UsageError

_REASON = Option("reason", ("--reason",), "Why, for people; shown wherever it counts.", required=True)
_UNTIL = Option(
    "until", ("--until",), "When it ends by itself: 2026-12-31, 2026-12-31T12:00:00Z or 14d.", metavar="WHEN"
)
_OVERRIDE = (
    *WHICH,
    Option("commit", ("--commit",), "The commit that passes: its whole hash.", metavar="SHA"),
    Option("until", ("--until",), f"{_UNTIL.help[:-1]}; 90 days at most.", metavar="WHEN"),
    Option("reason", ("--reason",), _REASON.help),
)
_LIST = (
    Option("workflow", ("--workflow",), "Only of this workflow.", metavar="NAME|ID"),
    Option("project", ("--project",), "Its project, where several have one of this name."),
    Option(
        "kind",
        ("--kind",),
        "Only of this kind.",
        Kind.CHOICE,
        choices=tuple(kind.value for kind in OverrideKind),
    ),
    Option("ended", ("--ended",), "Those that have ended too.", Kind.SWITCH),
    *PAGING,
)
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\Z")


@click.command("block", cls=Command, options=(*WHICH, _REASON, _UNTIL))
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def block(
    world: World, named: str | None, name: str | None, project: str | None, reason: str, until: str | None
) -> None:
    """Let nothing of a workflow begin, until it is unblocked; its commits fail."""
    operator = world.operator()
    workflow_id = find_workflow(operator, named or name, project).id
    ends = None if until is None else parse_time(parse_date_ahead(until, "--until", world.now()))
    made = operator.set_override(OverrideRequest(OverrideKind.BLOCK, reason, workflow_id=workflow_id, until=ends))
    _show(world, made, "workflow blocked")


@click.command("unblock", cls=Command, options=(*WHICH, _REASON))
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def unblock(world: World, named: str | None, name: str | None, project: str | None, reason: str) -> None:
    """End the block of a workflow."""
    operator = world.operator()
    found = find_workflow(operator, named or name, project)
    blocks = operator.list_overrides(paging_of(1, None), kind=OverrideKind.BLOCK, workflow_id=found.id)
    if not blocks.items:
        raise NotFoundError(
            f"workflow {found.project}/{found.name} is not blocked", hint="`chainloop workflow override list`"
        )
    _show(world, operator.end_override(blocks.items[0].id, OverrideEnd(reason)), "workflow unblocked")


class _Override(Group):
    """Takes the workflow as its first word too, as `block` and `unblock` do; what is a command stays one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read a first word with a slash, or an id, as `--name`: no command looks like that."""
        if args and not args[0].startswith("-") and ("/" in args[0] or is_id(args[0])):
            args = ["--name", *args]
        return super().parse_args(ctx, args)


@click.group("override", cls=_Override, options=_OVERRIDE, invoke_without_command=True)
@click.pass_context
def override(
    ctx: click.Context,
    name: str | None,
    project: str | None,
    commit: str | None,
    until: str | None,
    reason: str | None,
) -> None:
    """Let a commit pass for a workflow until a date, with a reason; or see what is in force."""
    given = {"--name": name, "--commit": commit, "--until": until, "--reason": reason}
    if ctx.invoked_subcommand is not None:
        _require_none(given, ctx.invoked_subcommand)
        return
    missing = [flag for flag, value in given.items() if not value]
    if missing:
        raise UsageError(f"missing: {', '.join(missing)}", hint="`chainloop workflow override --help`")
    world: World = ctx.find_root().obj
    ends = parse_time(parse_date_ahead(until or "", "--until", world.now()))
    _require_commit(commit or "")
    operator = world.operator()
    workflow_id = find_workflow(operator, name, project).id
    request = OverrideRequest(OverrideKind.OVERRIDE, reason or "", workflow_id=workflow_id, commit=commit, until=ends)
    _show(world, operator.set_override(request), "the commit passes for this workflow")


@override.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(
    world: World,
    workflow: str | None,
    project: str | None,
    kind: str | None,
    ended: bool,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List blocks, distrusted runs and overrides that are in force."""
    operator = world.operator()
    workflow_id = find_workflow(operator, workflow, project).id if workflow else None
    wanted = OverrideKind(kind) if kind else None
    page = operator.list_overrides(paging_of(limit, cursor), kind=wanted, workflow_id=workflow_id, also_ended=ended)
    header = ("ID", "Kind", "Project", "Workflow", "Run or commit", "Since", "Until", "By", "Reason")
    show_page(world, page, header, lambda item: (
        item.id, item.kind, item.project, item.workflow, item.run_id or item.commit or "", date(item.set_at),
        date(item.ended_at or item.until), item.set_by_name, item.reason,
    ), nothing="nothing is in force that was decided against the rules")  # fmt: skip


@override.command("end", options=(Option("override_id", ("--id",), "Its id.", metavar="ID"), _REASON))
@click.argument("named", metavar="[ID]", required=False)
@click.pass_obj
def end(world: World, named: str | None, override_id: str | None, reason: str) -> None:
    """End a block, a distrust or an override."""
    wanted = (named or override_id or "").lower()
    if not is_id(wanted):
        raise UsageError("say which one: its id", hint="`chainloop workflow override list` shows the ids")
    _show(world, world.operator().end_override(wanted, OverrideEnd(reason)), "override ended")


def _show(world: World, item: Override, said: str) -> None:
    show_record(world, item, override_rows(item))
    world.output.info(said, project=item.project, workflow=item.workflow)


def override_rows(item: Override) -> list[Row]:
    """Return what a table shows of one decision."""
    return [
        ("ID", item.id),
        ("Kind", item.kind),
        ("Project", item.project),
        ("Workflow", item.workflow),
        ("Run", item.run_id or ""),
        ("Commit", item.commit or ""),
        ("Reason", item.reason),
        ("Since", date(item.set_at)),
        ("By", item.set_by_name),
        ("Until", date(item.until)),
        ("Ended At", date(item.ended_at)),
        ("Ended For", item.ended_reason or ""),
    ]


def _require_commit(commit: str) -> None:
    if not _COMMIT.match(commit):
        raise UsageError(
            f"--commit: expected the whole hash of a commit in lower case, found {commit[:80]!r}",
            hint="`git rev-parse COMMIT` prints it",
        )


def _require_none(given: dict[str, str | None], command: str) -> None:
    typed = [flag for flag, value in given.items() if value]
    if typed:
        raise UsageError(
            f"{', '.join(typed)} stands in front of {command}", hint=f"type it behind: `workflow override {command} …`"
        )
