"""Contracts in files: read, checked here before anything is sent, and linted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chainloop_ci.cli.exit_codes import SUCCESS, exit_status
from chainloop_ci.cli.names import MAX_CONTRACT_NAME, require_name
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.contract.limits import MAX_CONTRACT_BYTES
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.errors import ContractInvalidError, Finding, LimitExceededError, UsageError
from chainloop_ci.records import record

if TYPE_CHECKING:
    from chainloop_ci.contract.load import LoadedContract

_MEDIA_TYPES = {
    ContractFormat.YAML: "application/yaml",
    ContractFormat.JSON: "application/json",
    ContractFormat.CUE: "application/cue",
}


@record
class CheckedContract:
    """A contract of a file, found valid."""

    raw: bytes
    media_type: str
    name: str | None
    """The one that it gives itself; contracts of the form v1 give none."""

    def require_name(self, typed: str | None) -> str:
        """Return the name to store it under.

        Raises:
            UsageError: nobody names it, both do and differ, or it is no name.
        """
        if typed and self.name and typed != self.name:
            raise UsageError(
                f"--name says {typed}, the contract itself says {self.name}",
                hint="leave --name out, or correct the file",
            )
        named = typed or self.name
        if not named:
            raise UsageError("the contract gives itself no name", hint="give one with --name")
        return require_name("contract", named, MAX_CONTRACT_NAME)


def read_contract(world: World, path: str) -> CheckedContract:
    """Read and check a contract's file.

    Raises:
        ContractInvalidError: with every error.
    """
    loaded = _load(world, path)
    return CheckedContract(loaded.raw, _MEDIA_TYPES[loaded.format], loaded.contract.name)


def lint(world: World, path: str) -> int:
    """Check a contract's file and return the exit status; findings are `file:line:column path message`."""
    from chainloop_ci.contract.document import to_document

    try:
        loaded = _load(world, path)
    except ContractInvalidError as error:
        return _refuse(world, path, error)
    document = to_document(loaded.contract)
    if world.format == "json":
        world.output.document(document)
    else:
        show_materials(world, document)
    world.output.info(f"{path} is a valid contract", schema=loaded.contract.schema, digest=loaded.digest)
    return SUCCESS


def _refuse(world: World, path: str, error: ContractInvalidError) -> int:
    status = exit_status(error)
    if world.format == "json":
        world.output.error(error, status)
    else:
        world.output.text("\n".join(_lines(path, error.findings)))
        count = len(error.findings)
        world.output.error(ContractInvalidError(f"{path} has {count} error{'s' * (count != 1)}"), status)
    return status


def _load(world: World, path: str) -> LoadedContract:
    from chainloop_ci.contract.load import load
    from chainloop_ci.materials.registry import IMPLEMENTED

    with world.open_file(path) as file:
        raw = file.read(MAX_CONTRACT_BYTES + 1)
    if len(raw) > MAX_CONTRACT_BYTES:
        raise LimitExceededError(f"expected a contract of at most {MAX_CONTRACT_BYTES} bytes, {path} is larger")
    loaded = load(raw, filename=path, evaluate_cue=world.evaluate_cue(), implemented=frozenset(IMPLEMENTED))
    if loaded.raw != raw:
        world.output.info("evaluated by cue; stored as the JSON that came of it", file=path)
    for line in _lines(path, loaded.warnings):
        world.output.warning(line)
    return loaded


def _lines(path: str, findings: Iterable[Finding]) -> list[str]:
    return [
        ":".join(str(part) for part in (path, item.line, item.column) if part is not None)
        + f" {item.path or '/'} {item.message}"
        + (f" (hint: {item.hint})" if item.hint else "")
        for item in findings
    ]


def show_materials(world: World, document: Mapping[str, object]) -> None:
    """Show the materials of a normalised contract."""
    body = document.get("spec", document)
    listed = body.get("materials", []) if isinstance(body, dict) else []
    if not listed:
        world.output.info("the contract asks for no materials")
        return
    header = ("Name", "Type", "Required", "Is output", "Group")
    world.output.table(Table([_material_row(item) for item in listed], title="Materials", header=header))


def _material_row(item: Mapping[str, object]) -> Row:
    required = not item.get("optional") and not item.get("group")
    return (
        str(item.get("name", "")),
        str(item.get("type", "")),
        "Yes" if required else "No",
        "x" if item.get("output") else "",
        str(item.get("group", "")),
    )
