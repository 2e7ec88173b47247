"""The command that seals credentials anew: `reseal`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

from server.admin.data_folder import despite_full_disk, open_current
from server.config import ServerConfig
from server.secret_box import open_secret_box
from server.services.resealing import KINDS, Resealed, Resealing
from server.wiring import World, build_secrets

Command = Callable[[ServerConfig, argparse.Namespace], int]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser; `shared` has the options that all of them take."""
    commands.add_parser(
        "reseal",
        parents=[shared],
        help="seal credentials and webhook secrets with the newest key",
        description="Seal the credentials of integrations and the secrets of webhooks with the key that stands first, "
        "so that older ones can be taken away. Repeated, it goes on where it was. The server may run meanwhile.",
    )


def _reseal(config: ServerConfig, _: argparse.Namespace) -> int:
    return despite_full_disk(config, lambda: _do(config))


def _do(config: ServerConfig) -> int:
    database, world = open_current(config), World()
    box = open_secret_box(config, world.random_bytes)
    done = Resealing(database, world.now, box, build_secrets(config, world)).reseal()
    sys.stdout.write(_describe(done))
    for why in done.unreadable:
        sys.stderr.write(f"error: {why}\n")
    if done.unreadable:
        sys.stderr.write("hint: give the server the key that sealed them as well and repeat it, or enter them anew\n")
    return 1 if done.unreadable else 0


def _describe(done: Resealed) -> str:
    if not done.key:
        return "nothing is sealed yet\n"
    anew = " and ".join(f"{done.anew[kind.name]} {kind.name}" for kind in KINDS)
    return f"sealed {anew} with the key {done.key}; {done.current} had it already\n"


COMMANDS: Mapping[str, Command] = {"reseal": _reseal}
