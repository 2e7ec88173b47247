"""What `attestation add` makes of its options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainloop_ci.cli.unreachable import may_queue, pending_contents
from chainloop_ci.cli.wiring import World
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.crafting.add import Add, AddRequest
from chainloop_ci.crafting.annotations import parse_annotations
from chainloop_ci.crafting.content import ContentReader
from chainloop_ci.crafting.ports import RegistryCredentials
from chainloop_ci.errors import UsageError

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import CraftedMaterial


def run_add(
    world: World,
    *,
    value: str,
    name: str | None,
    type: str | None,
    annotations: Sequence[str],
    no_strict_validation: bool,
    replace: bool,
    registry_server: str | None,
    registry_username: str | None,
    registry_password: str | None,
) -> CraftedMaterial:
    """Add a material and return it."""
    request = AddRequest(
        value=value,
        name=name,
        type=_type(type),
        annotations=parse_annotations(annotations),
        strict=not no_strict_validation,
        replace=replace,
        credentials=registry_credentials(world, registry_server, registry_username, registry_password),
    )
    add = make_add(world, ContentReader(world, world))
    return add(_find_files(world, request) if world.is_pattern(value) else request)


def _find_files(world: World, request: AddRequest) -> AddRequest:
    """Return the request for what a pattern matches: one file, or an archive of reports."""
    from chainloop_ci.crafting.expanding import MaterialRequest, expand

    contract = world.state().load().contract
    [found] = expand(MaterialRequest(request), contract, world, (), world.reporter)
    return found


def make_add(world: World, reader: ContentReader) -> Add:
    """Return the use case with this machine's adapters; `reader` says what a value may name."""
    return Add(
        store=world.state(),
        control_plane=world.control_plane_of,
        reader=reader,
        now=world.now,
        report=world.reporter,
        pending=pending_contents(world),
        may_queue=may_queue(world),
    )


def _type(name: str | None) -> MaterialType | None:
    if not name:
        return None
    try:
        return MaterialType(name.upper())
    except ValueError as error:
        from difflib import get_close_matches

        from chainloop_ci.materials.registry import IMPLEMENTED

        close = get_close_matches(name.upper(), [member.value for member in MaterialType], n=1)
        hint = f"did you mean {close[0]}?" if close else f"implemented: {', '.join(sorted(IMPLEMENTED))}"
        raise UsageError(f"{name[:80]!r} is no material type", hint=hint) from error


def registry_credentials(
    world: World, server: str | None, username: str | None, password: str | None
) -> RegistryCredentials | None:
    """Return the login that was typed, all of it or nothing; a job without secrets uses none that it has (R35)."""
    from chainloop_ci.cli.standing import is_without_secrets

    given = {"--registry-server": server, "--registry-username": username, "--registry-password": password}
    if not any(given.values()):
        return None
    missing = [flag for flag, text in given.items() if not text]
    if missing:
        raise UsageError(
            f"{', '.join(missing)}: missing, and the other credentials of the registry are given",
            hint="give all three, or none to use the docker configuration",
        )
    return None if is_without_secrets(world) else RegistryCredentials(server or "", username or "", password or "")
