"""The commands that keep a data folder alive: `backup`, `restore`, `migrate`, `doctor`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chainloop_ci.api.record import to_dict
from server.admin import data_folder
from server.admin.backup_manifest import Manifest
from server.admin.backup_progress import Progress
from server.admin.doctor import Diagnosis, diagnose
from server.config import ServerConfig
from server.wiring import World

Command = Callable[[ServerConfig, argparse.Namespace], int]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the commands to the parser; `shared` has the options that all of them take."""
    formed = argparse.ArgumentParser(add_help=False)
    formed.add_argument("-o", "--output", choices=("table", "json"), default="table", help="form of the answer")
    backup = commands.add_parser(
        "backup",
        parents=[shared, formed],
        help="write a whole copy of the data folder; the server may run meanwhile",
        description="Write a whole copy of the data folder: database, artifacts, secrets. The server may run "
        "meanwhile. On one file system artifacts become hard links to the store.",
    )
    backup.add_argument("folder", metavar="DIR", type=_folder, help="empty or absent; only its owner may read it")
    restore = commands.add_parser(
        "restore",
        parents=[shared, formed],
        help="make a new data folder from a backup",
        description="Make a new data folder from a backup. The data folder must be empty or absent.",
    )
    restore.add_argument("folder", metavar="DIR", type=_folder, help="what `backup` has written")
    commands.add_parser(
        "migrate",
        parents=[shared],
        help="bring the database to this server's version",
        description="Bring the database to this server's version. A copy of it is saved first; a server that runs on "
        "the folder must be stopped, unless there is nothing to do.",
    )
    commands.add_parser(
        "doctor",
        parents=[shared, formed],
        help="check database, attestations and blobs; exit 1: broken",
        description="Check database, attestations and artifacts, and say what to do. Nothing is changed; the server "
        "may run meanwhile.",
    )


def _backup(config: ServerConfig, options: argparse.Namespace) -> int:
    from server.admin.backup import take_backup

    world = World()
    database = data_folder.open_existing(config)
    taken = take_backup(config, database, options.folder, now=world.now, progress=_progress(world))
    manifest = taken.manifest
    text = f"backup of {_contents(manifest)} in {options.folder}"
    if taken.shares_bytes:
        text += _HARD_LINKS
    _answer(options, to_dict(manifest), text)
    for digest in manifest.lost:
        sys.stderr.write(f"warning: {digest} is missing or broken in the store\n")
    if manifest.lost_blobs:
        sys.stderr.write(
            f"error: the store lacks {manifest.lost_blobs} artifacts that it should have; the backup has all else\n"
            "hint: `python -m server doctor` says more; upload those files again, then take another backup\n"
        )
    return 1 if manifest.lost_blobs else 0


def _restore(config: ServerConfig, options: argparse.Namespace) -> int:
    from server.admin.restore import restore_backup

    restored = restore_backup(config, options.folder, _progress(World()))
    manifest = restored.manifest
    text = f"restored {_contents(manifest)} to {config.data}, as of {manifest.taken_at:%Y-%m-%dT%H:%M:%SZ}"
    if restored.needs_migration:
        text += f"\nschema {manifest.schema_version} is older than this server: run `python -m server migrate` next"
    _answer(options, {**to_dict(manifest), "needsMigration": restored.needs_migration}, text)
    if manifest.lost_blobs:
        sys.stderr.write(f"warning: {manifest.lost_blobs} artifacts were missing when the backup was taken\n")
    return 0


def _migrate(config: ServerConfig, _: argparse.Namespace) -> int:
    from server.admin.migrate import migrate

    world = World()
    done = migrate(config, now=world.now, progress=_progress(world))
    if done.before == done.after:
        sys.stdout.write(f"schema {done.after}: nothing to do\n")
        return 0
    sys.stdout.write(f"schema {done.before or 'none'} -> {done.after}\n")
    if done.saved_to:
        sys.stdout.write(f"the database as it was before: {done.saved_to}\n")
    return 0


def _doctor(config: ServerConfig, options: argparse.Namespace) -> int:
    world = World()
    diagnosis = diagnose(config, data_folder.open_existing(config), now=world.now())
    _answer(options, diagnosis.document(), _table(diagnosis))
    return 0 if diagnosis.healthy else 1


COMMANDS: Mapping[str, Command] = {"backup": _backup, "restore": _restore, "migrate": _migrate, "doctor": _doctor}


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _progress(world: World) -> Progress:
    return Progress(sys.stderr.write, world.monotonic)


def _contents(manifest: Manifest) -> str:
    runs = manifest.rows.get("workflow_runs", 0)
    return f"{runs} runs, {manifest.blobs} artifacts ({manifest.blob_bytes} bytes), schema {manifest.schema_version}"


_HARD_LINKS = (
    "\non the store's own file system its artifacts are hard links to the store's: no second room is taken, and one "
    "broken disk breaks both; copy it to another machine"
)


def _answer(options: argparse.Namespace, document: Mapping[str, Any], text: str) -> None:
    shown = json.dumps(document, indent=2) if options.output == "json" else text
    sys.stdout.write(shown + "\n")


def _table(diagnosis: Diagnosis) -> str:
    lines = []
    for check in diagnosis.checks:
        lines.append(f"{'FAIL' if check.problems else 'warn' if check.warnings else 'ok':<5} {check.name}")
        lines += [f"      {text}" for text in (*check.problems, *check.warnings)]
        if check.advice and (check.problems or check.warnings):
            lines.append(f"      -> {check.advice}")
    if diagnosis.counts:
        lines += ["", f"{'rows':>9} table"]
    lines += [f"{count:>9} {table}" for table, count in diagnosis.counts.items()]
    return "\n".join(lines)
