"""`chainloop help`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from chainloop_ci.cli.command import Command
from chainloop_ci.cli.wiring import World


@click.command("help", cls=Command)
@click.argument("command", nargs=-1)
@click.pass_context
def help_(ctx: click.Context, command: Sequence[str]) -> None:
    """Show the help of a command."""
    shown = ctx.find_root()
    for word in command:
        if not isinstance(shown.command, click.Group):
            raise click.UsageError(f"`{shown.command_path}` has no commands of its own", shown)
        name, found, _ = shown.command.resolve_command(shown, [word])
        if found is None:
            raise click.UsageError(f"there is no command {word!r}", shown)
        shown = click.Context(found, info_name=name, parent=shown)
    world: World = ctx.find_root().obj
    world.output.text(shown.get_help())
