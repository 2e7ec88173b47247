"""The commands that clean up: `dispatch`, `gc`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from server.admin.data_folder import despite_full_disk, open_current
from server.cas.registry import look_into_back_ends
from server.config import ServerConfig
from server.model.sweeps import ABANDONED
from server.services.orphans import remove_orphans, remove_unfinished
from server.services.upload_sweep import UploadSweep
from server.setting_values import parse_span
from server.wiring import World

Command = Callable[[ServerConfig, argparse.Namespace], int]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the commands to the parser; `shared` has the options that all of them take."""
    dispatch = commands.add_parser(
        "dispatch",
        parents=[shared],
        help="do the server's own work until SIGTERM or Ctrl-C; `serve` starts one",
        description="Do the server's own work until SIGTERM or Ctrl-C: end overdue runs, remove uploads that no "
        "attestation refers to. A server that runs has one already.",
    )
    dispatch.add_argument("--once", action="store_true", help="do everything once and end; 1: something failed")
    gc = commands.add_parser(
        "gc",
        parents=[shared],
        help="remove uploads that no attestation refers to, and what dead uploads left",
        description="Remove uploads that no attestation refers to, and what dead uploads left. Attested artifacts "
        "stay. The server may run meanwhile.",
    )
    gc.add_argument(
        "--older-than", metavar="AGE", type=_age, default=timedelta(days=7), help="such as 12h; default: 7d"
    )
    gc.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _dispatch(config: ServerConfig, options: argparse.Namespace) -> int:
    from server.admin.dispatch import dispatch

    return 0 if dispatch(config, once=options.once) else 1


def _gc(config: ServerConfig, options: argparse.Namespace) -> int:
    database, world = despite_full_disk(config, lambda: open_current(config)), World()
    # Not opened as a server does, which removes at once what a dry run only counts.
    back_ends = look_into_back_ends(config.blobs_path)
    before, dry_run = world.now() - options.older_than, options.dry_run
    did = "would remove" if dry_run else "removed"

    def go(what: str, which: str, sizes: Callable[[], Iterable[int]]) -> None:
        _say(did, what, which, _collect(config, sizes))

    sweep = UploadSweep(database, world.now, back_ends=back_ends)
    batches = partial(sweep.batches, before, dry_run=dry_run)
    go("upload", "that no attestation refers to", lambda: (item.size_bytes for b in batches() for item in b.removed))
    orphans = partial(remove_orphans, database, back_ends, written_before=before, dry_run=dry_run)
    go("blob", "of no organization", lambda: (blob.size_bytes for group in orphans() for blob in group))
    # A younger one may be an upload that goes on.
    stale = min(before, world.now() - ABANDONED)
    abandoned = partial(remove_unfinished, back_ends, written_before=stale, dry_run=dry_run)
    go("unfinished upload", "that nobody goes on with", lambda: (upload.size_bytes for upload in abandoned()))
    return 0


def _collect(config: ServerConfig, sizes: Callable[[], Iterable[int]]) -> list[int]:
    """Do one part to its end and return the sizes of what is removed, those before a disk was found full too."""
    found: list[int] = []

    def remove() -> None:
        for size in sizes():
            found.append(size)

    despite_full_disk(config, remove)
    return found


def _age(text: str) -> timedelta:
    try:
        return parse_span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, found {text[:20]!r}") from error


def _say(did: str, what: str, which: str, sizes: Iterable[int]) -> None:
    found = list(sizes)
    sys.stdout.write(f"{did} {len(found)} {what}{'' if len(found) == 1 else 's'} {which}, {sum(found)} bytes\n")


COMMANDS: Mapping[str, Command] = {"dispatch": _dispatch, "gc": _gc}
