"""`chainloop workflow source secret`: create, rotate."""

from __future__ import annotations

import click

from chainloop_ci.api.inbound import DEFAULT_SECRET_OVERLAP_SECONDS, HookSecret, SecretRotation
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.durations import parse_duration
from chainloop_ci.cli.listing import date, show_record
from chainloop_ci.cli.options import Option
from chainloop_ci.cli.which_workflow import WHICH, find_registered_source
from chainloop_ci.cli.wiring import World

_ROTATE = (
    *WHICH,
    Option("overlap", ("--overlap",), "Accept the old secret so much longer: 24h (the default).", metavar="DURATION"),
)


@click.group(cls=Group)
def secret() -> None:
    """Manage what the forge signs its webhooks with."""


@secret.command("create", options=WHICH)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def create(world: World, named: str | None, name: str | None, project: str | None) -> None:
    """Make the secret of a source's webhook and show it, this once."""
    operator = world.operator()
    source_id, _ = find_registered_source(operator, named or name, project)
    _show(world, operator.create_hook_secret(source_id))


@secret.command("rotate", options=_ROTATE)
@click.argument("named", metavar="[NAME|ID]", required=False)
@click.pass_obj
def rotate(world: World, named: str | None, name: str | None, project: str | None, overlap: str | None) -> None:
    """Make another secret and show it, this once; the old one is accepted for the overlap."""
    seconds = DEFAULT_SECRET_OVERLAP_SECONDS if overlap is None else parse_duration(overlap, "--overlap")
    operator = world.operator()
    source_id, _ = find_registered_source(operator, named or name, project)
    _show(world, operator.rotate_hook_secret(source_id, SecretRotation(seconds)))


def _show(world: World, made: HookSecret) -> None:
    show_record(
        world,
        made,
        [
            ("Source", made.source),
            ("Address", made.url),
            ("Secret", made.secret),
            ("Old Secret Until", date(made.previous_until)),
        ],
    )
    world.output.info("give address and secret to the webhook of the forge; the secret is not shown again")
