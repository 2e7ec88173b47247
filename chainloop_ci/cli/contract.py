"""`chainloop workflow contract`: create, apply, update, impact, describe, list, delete, lint."""

from __future__ import annotations

import base64

import click

from chainloop_ci.api.workflows import ContractRevision
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.contract_files import lint, read_contract, show_materials
from chainloop_ci.cli.durations import parse_enforcement
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.names import MAX_CONTRACT_NAME, require_name
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

_FILE = Option(
    "file", ("--file", "-f"), "The contract: YAML, JSON or CUE.", Kind.PATH, required=True, replaces=("--contract",)
)
_NAME = Option("name", ("--name",), "Name of the contract; left out, the one that it gives itself.")
_DESCRIPTION = Option("description", ("--description",), "For people.")
_IF_REVISION = Option(
    "if_revision",
    ("--if-revision",),
    "Store it only while this is the newest revision; 0: while there is none.",
    Kind.NUMBER,
    metavar="N",
)
_ENFORCE_FROM = Option(
    "enforce_from",
    ("--enforce-from",),
    "From when on runs have to meet it: 2026-12-31, 14d, now; until then what it adds is a warning.",
    metavar="WHEN",
)
_CREATE = (_FILE, _NAME, _DESCRIPTION)
_WRITE = (*_CREATE, _IF_REVISION, _ENFORCE_FROM)
_WHICH = (Option("name", ("--name",), "Name of the contract."),)
_DESCRIBE = (
    *_WHICH,
    Option("revision", ("--revision",), "Revision; left out or 0, the newest.", Kind.NUMBER),
)  # fmt: skip


@click.group(cls=Group)
def contract() -> None:
    """Manage contracts and check their files."""


@contract.command("lint", options=(Option("file", ("--file", "-f"), "The contract.", Kind.PATH),))
@click.argument("path", metavar="[FILE]", required=False)
@click.pass_obj
def lint_(world: World, path: str | None, file: str | None) -> int:
    """Check a contract's file, offline; ends with 1 and lists everything that is wrong."""
    named = path or file
    if not named:
        raise UsageError("say which file to check", hint="`chainloop workflow contract lint contract.yaml`")
    return lint(world, named)


@contract.command("create", options=_CREATE)
@click.pass_obj
def create(world: World, file: str, name: str | None, description: str | None) -> None:
    """Store a new contract."""
    read = read_contract(world, file)
    stored = world.operator().put_contract(
        read.require_name(name), read.raw, read.media_type, must_be_new=True, description=description
    )
    _show_stored(world, stored, "contract created")


@contract.command("apply", options=_WRITE)
@click.pass_obj
def apply(
    world: World,
    file: str,
    name: str | None,
    description: str | None,
    if_revision: int | None,
    enforce_from: str | None,
) -> None:
    """Store a contract; a new revision is made only when the bytes differ."""
    date_ = parse_enforcement(enforce_from, world.now())
    read = read_contract(world, file)
    stored = world.operator().put_contract(
        read.require_name(name),
        read.raw,
        read.media_type,
        if_match=if_revision,
        description=description,
        enforce_from=date_,
    )
    _show_stored(world, stored, "contract applied" if stored.changed else "contract unchanged")


@contract.command("update", options=_WRITE)
@click.argument("named", metavar="[NAME]", required=False)
@click.pass_obj
def update(
    world: World,
    named: str | None,
    file: str,
    name: str | None,
    description: str | None,
    if_revision: int | None,
    enforce_from: str | None,
) -> None:
    """Store the next revision of a contract, unless somebody else is faster."""
    date_ = parse_enforcement(enforce_from, world.now())
    read = read_contract(world, file)
    operator = world.operator()
    known = operator.get_contract(read.require_name(named or name))
    expected = known.latest_revision if if_revision is None else if_revision
    stored = operator.put_contract(
        known.name, read.raw, read.media_type, if_match=expected, description=description, enforce_from=date_
    )
    _show_stored(world, stored, "contract updated" if stored.changed else "contract unchanged")


@contract.command("impact", options=(_FILE, _NAME))
@click.pass_obj
def impact(world: World, file: str, name: str | None) -> None:
    """Show which workflows would fail on a contract's file, and on what; nothing is stored."""
    from chainloop_ci.cli.contract_impact import show_impact

    read = read_contract(world, file)
    named = read.require_name(name)
    show_impact(world, named, tuple(world.operator().judge_impact(named, read.raw, read.media_type)))


@contract.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List contracts."""
    page = world.operator().list_contracts(paging_of(limit, cursor))
    header = ("Name", "Latest revision", "Created at", "Updated at", "# workflows", "Description")
    show_page(world, page, header, lambda item: (
        item.name, str(item.latest_revision), date(item.created_at), date(item.updated_at), str(item.workflows),
        item.description,
    ), right=frozenset({1, 4}), nothing="no contracts yet")  # fmt: skip


@contract.command("describe", options=_DESCRIBE, formats=("table", "json", "schema"))
@click.argument("named", metavar="[NAME]", required=False)
@click.pass_obj
def describe(world: World, named: str | None, name: str | None, revision: int | None) -> None:
    """Show a contract's revision; `-o schema` prints its exact bytes."""
    operator = world.operator()
    wanted = _require(named or name)
    number = revision or operator.get_contract(wanted).latest_revision
    found = operator.get_contract_revision(wanted, number)
    if world.format == "schema":
        world.output.raw(base64.b64decode(found.raw_body))
        return
    show_record(world, found, _rows(found))
    if world.format == "table":
        show_materials(world, found.document)


@contract.command("delete", options=_WHICH)
@click.argument("named", metavar="[NAME]", required=False)
@click.pass_obj
def delete(world: World, named: str | None, name: str | None) -> None:
    """Delete a contract that no workflow uses and no run was made against."""
    wanted = _require(named or name)
    operator = world.operator()
    require_consent(world, f"Delete the contract {wanted}?")
    operator.delete_contract(wanted)
    if world.format == "json":
        world.output.document({"deleted": True, "name": wanted})
    world.output.info("contract deleted", name=wanted)


def _require(named: str | None) -> str:
    if not named:
        raise UsageError("say which contract", hint="`chainloop workflow contract list` names them")
    return require_name("contract", named, MAX_CONTRACT_NAME)


def _show_stored(world: World, stored: ContractRevision, said: str) -> None:
    for warning in stored.warnings:
        world.output.warning(warning)
    show_record(world, stored, _rows(stored))
    world.output.info(said, name=stored.name, revision=stored.revision)


def _rows(item: ContractRevision) -> list[Row]:
    older = f" (newest: {item.latest_revision})" if item.latest_revision != item.revision else ""
    return [
        ("Name", item.name),
        ("Revision", f"{item.revision}{older}"),
        ("Digest", item.digest),
        ("Format", item.format),
        ("Created At", date(item.created_at)),
        ("Enforced From", date(item.enforced_from)),
    ]
