"""`chainloop version`."""

from __future__ import annotations

import click

from chainloop_ci import __version__
from chainloop_ci.cli.command import Command
from chainloop_ci.cli.wiring import World


@click.command(cls=Command)
@click.pass_obj
def version(world: World) -> None:
    """Show the version."""
    if world.format == "json":
        from platform import python_version

        world.output.document({"version": __version__, "python": python_version()})
    else:
        world.output.text(f"chainloop version {__version__}")
