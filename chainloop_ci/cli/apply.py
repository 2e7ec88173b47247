"""`chainloop apply`: contracts and workflows as files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from chainloop_ci.api.apply import AppliedItem, AppliedKind, AppliedResult, AppliedWorkflow
from chainloop_ci.api.record import to_dict
from chainloop_ci.cli.apply_batches import pack, send
from chainloop_ci.cli.apply_files import Document, read_documents
from chainloop_ci.cli.command import Command
from chainloop_ci.cli.durations import parse_enforcement
from chainloop_ci.cli.listing import date
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

_APPLY = (
    Option(
        "file",
        ("--file", "-f"),
        "A file, or a folder with all that is in it; may be repeated.",
        Kind.LIST,
        metavar="PATH",
    ),
    Option(
        "enforce_from",
        ("--enforce-from",),
        "From when on runs have to meet contracts that change or still wait: 2026-12-31, 14d, now.",
        metavar="WHEN",
    ),
    Option("dry_run", ("--dry-run",), "Ask the control plane what would change, and change nothing.", Kind.SWITCH),
)


@click.command(cls=Command, options=_APPLY)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.pass_obj
def apply(world: World, file: tuple[str, ...], paths: tuple[str, ...], enforce_from: str | None, dry_run: bool) -> None:
    """Make contracts and workflows as files say."""
    places = [*file, *paths]
    if not places:
        raise UsageError("say which files", hint="`chainloop apply -f FOLDER`")
    moment = parse_enforcement(enforce_from, world.now())
    documents = read_documents(world, places)
    documents.require_valid()
    documents.date_contracts(moment)
    for warning in documents.warnings:
        world.output.warning(str(warning))
    items = send(world.operator(), pack(documents.read), dry_run=dry_run)
    if world.format == "json":
        world.output.document({"items": [to_dict(item) for item in items], "dryRun": dry_run})
    else:
        world.output.table(Table([_row(item) for item in items], header=("Kind", "Name", "Result")))
    for item in items:
        for told in item.warnings:
            world.output.warning(f"contract {item.name}: {told}")
    _warn_of_empty(world, documents.read, items)
    counts = Counter(item.result for item in items)
    said = "dry run: nothing was changed" if dry_run else "applied"
    world.output.info(said, **{result.value: counts[result] for result in AppliedResult})


def _row(item: AppliedItem) -> Row:
    name = f"{item.project}/{item.name}" if item.project else item.name
    revision = f" (revision {item.revision})" if item.revision else ""
    waits = f", enforced from {date(item.enforced_from)}" if item.enforced_from else ""
    return (item.kind.value, f"{name}{revision}", f"{item.result.value}{waits}")


def _warn_of_empty(world: World, documents: Sequence[Document], items: Sequence[AppliedItem]) -> None:
    """Say which new workflows are green whatever they attest: their files name no contract (R37)."""
    made = {
        (item.project, item.name)
        for item in items
        if item.kind is AppliedKind.WORKFLOW and item.result is AppliedResult.CREATED
    }
    named = [one.item for one in documents if isinstance(one.item, AppliedWorkflow) and one.item.contract is None]
    bare = [f"{item.project}/{item.name}" for item in named if (item.project, item.name) in made]
    if bare:
        more = f" and {len(bare) - 5} others" if len(bare) > 5 else ""
        world.output.warning(f"these workflows got empty contracts, which ask for nothing: {', '.join(bare[:5])}{more}")
