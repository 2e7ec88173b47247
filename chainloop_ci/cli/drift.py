"""`chainloop workflow drift`: what has drifted from what operators asked for."""

from __future__ import annotations

import click

from chainloop_ci.api.words import DriftKind
from chainloop_ci.cli.command import Command
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.uncovered import show_uncovered
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

_OPTIONS = (
    Option("project", ("--project",), "Only of this project."),
    Option("kind", ("--kind",), "Only of this kind.", Kind.CHOICE, choices=tuple(kind.value for kind in DriftKind)),
    Option(
        "uncovered",
        ("--uncovered",),
        "Instead, the repositories that the registered forges show and no workflow comes from.",
        Kind.SWITCH,
    ),
    *PAGING,
)


@click.command("drift", cls=Command, options=_OPTIONS)
@click.pass_obj
def drift(
    world: World, project: str | None, kind: str | None, uncovered: bool, limit: int | None, cursor: str | None
) -> None:
    """List what has drifted from what operators asked for."""
    if uncovered:
        if project or kind:
            raise UsageError(
                "--uncovered lists repositories, which have no project and no kind",
                hint="leave out --project and --kind",
            )
        show_uncovered(world, paging_of(limit, cursor))
        return
    page = world.operator().list_drift(
        paging_of(limit, cursor), kind=DriftKind(kind) if kind else None, project=project
    )
    header = ("Kind", "Project", "Workflow", "Since", "What is so", "What to do")
    show_page(world, page, header, lambda item: (
        item.kind, item.project, item.workflow, date(item.since), item.message, item.advice,
    ), nothing="nothing has drifted")  # fmt: skip
