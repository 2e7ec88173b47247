"""`chainloop organization key`: create, add, list, retire, revoke."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from chainloop_ci.api.access import KeyRequest, VerificationKey
from chainloop_ci.cli.api_tokens import render_scope
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.key_files import NewFile, new_files
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.names import require_name, split_workflow
from chainloop_ci.cli.options import SIGNING_PASSWORD_FILE_VARIABLE, SIGNING_PASSWORD_VARIABLE, Kind, Option
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import FileUnreadableError, PathRefusedError, UsageError

if TYPE_CHECKING:
    from chainloop_ci.signing.public_keys import PublicKey

_SCOPE = (
    Option("name", ("--name",), "Name of the key.", required=True),
    Option(
        "workflows",
        ("--workflow",),
        "Let it verify this workflow; may be repeated.",
        Kind.LIST,
        metavar="PROJECT/WORKFLOW",
    ),
    Option("projects", ("--project",), "Let it verify the workflows of this project; may be repeated.", Kind.LIST),
    Option("organization_wide", ("--organization-wide",), "Let it verify every workflow.", Kind.SWITCH),
)
_CREATE = (
    *_SCOPE,
    Option("private_key", ("--private-key",), "File to write it to; <name>.key.", Kind.PATH),
    Option("public_key", ("--public-key",), "File to write it to; <name>.pub.", Kind.PATH),
    Option(
        "algorithm",
        ("--algorithm",),
        "Kind of key.",
        Kind.CHOICE,
        choices=("ecdsa-p256-sha256", "ed25519"),
        default="ecdsa-p256-sha256",
    ),
)
_ADD = (
    *_SCOPE,
    Option("public_key", ("--public-key", "-f"), "PEM file, env://NAME, PEM text or base64 of it.", required=True),
)


@click.group(cls=Group)
def key() -> None:
    """Manage the keys that verify attestations."""


@key.command("create", options=_CREATE)
@click.pass_obj
def create(
    world: World,
    name: str,
    workflows: Sequence[str],
    projects: Sequence[str],
    organization_wide: bool,
    private_key: str | None,
    public_key: str | None,
    algorithm: str,
) -> None:
    """Make a key pair, write both files, and register the public one."""
    from chainloop_ci.signing.generate import generate_key
    from chainloop_ci.signing.public_keys import KeyAlgorithm

    require_name("key", name)
    _require_scope(workflows, projects, organization_wide)
    files = (world.cwd / (private_key or f"{name}.key"), world.cwd / (public_key or f"{name}.pub"))
    if files[0] == files[1]:
        raise UsageError(f"both halves of the key would be written to {files[0]}", hint="choose two files")
    operator = world.operator()
    password = _password(world)
    private_pem, public_pem = generate_key(KeyAlgorithm(algorithm), password or None)
    request = KeyRequest(name, public_pem, tuple(projects), tuple(workflows), organization_wide)
    halves = (
        NewFile(files[0], private_pem, 0o600, "--private-key"),
        NewFile(files[1], public_pem, 0o644, "--public-key"),
    )
    with new_files(halves, _add_line(request, public_key or f"{name}.pub")):
        registered = operator.add_key(request)
    if not password:
        world.output.warning(
            f"the private key is not encrypted; {SIGNING_PASSWORD_VARIABLE} in the environment would encrypt it"
        )
    show_record(world, registered, _rows(registered))
    world.output.info("key created", private_key=files[0], public_key=files[1])


@key.command("add", options=_ADD)
@click.pass_obj
def add(
    world: World,
    name: str,
    workflows: Sequence[str],
    projects: Sequence[str],
    organization_wide: bool,
    public_key: str,
) -> None:
    """Register a public key that was made elsewhere."""
    require_name("key", name)
    _require_scope(workflows, projects, organization_wide)
    pem = load_typed_key(world, "--public-key", public_key).pem
    request = KeyRequest(name, pem, tuple(projects), tuple(workflows), organization_wide)
    registered = world.operator().add_key(request)
    show_record(world, registered, _rows(registered))
    world.output.info("key registered", name=registered.name)


@key.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List the keys, retired and revoked ones too."""
    page = world.operator().list_keys(paging_of(limit, cursor))
    header = ("Name", "ID", "Algorithm", "Verifies", "State", "Created at")
    show_page(world, page, header, lambda item: (
        item.name, item.id, item.algorithm, _scopes(item), _state(item), date(item.created_at)
    ), nothing="no keys yet")  # fmt: skip


@key.command("retire")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def retire(world: World, named: str) -> None:
    """Let a key verify nothing new; what it verified stays good."""
    operator = world.operator()
    found = operator.find_key(named)
    if found.retired_at or found.revoked_at:
        show_record(world, found, _rows(found))
        world.output.info(f"key was {_state(found)} already", name=found.name)
        return
    require_consent(world, f"Retire the key {found.name} for good?")
    retired = operator.retire_key(found.id)
    show_record(world, retired, _rows(retired))
    world.output.info("key retired", name=retired.name)


@key.command("revoke")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def revoke(world: World, named: str) -> None:
    """Trust nothing of a key any more: somebody else may have it."""
    operator = world.operator()
    found = operator.find_key(named)
    if found.revoked_at:
        show_record(world, found, _rows(found))
        world.output.info("key was revoked already", name=found.name)
        return
    require_consent(world, f"Revoke the key {found.name} for good?")
    revoked = operator.revoke_key(found.id)
    show_record(world, revoked, _rows(revoked))
    world.output.info("key revoked", name=revoked.name)


def _require_scope(workflows: Sequence[str], projects: Sequence[str], organization_wide: bool) -> None:
    """Refuse before anything is made: the whole organization has to be said explicitly (R3)."""
    if organization_wide == bool(workflows or projects):
        raise UsageError(
            "say what the key verifies: either workflows and projects, or the whole organization",
            hint="--workflow PROJECT/WORKFLOW, --project PROJECT, or --organization-wide",
        )
    for workflow in workflows:
        if workflow.count("/") != 1:
            raise UsageError(
                f"--workflow: expected PROJECT/WORKFLOW, found {workflow[:140]!r}",
                hint="`chainloop workflow list` shows both",
            )
        split_workflow("--workflow", workflow, None)
    for project in projects:
        require_name("project", project)


def _add_line(request: KeyRequest, public_key: str) -> str:
    """Return the command that registers a public key whose file is there already."""
    scope = [word for workflow in request.workflows for word in ("--workflow", workflow)]
    scope += [word for project in request.projects for word in ("--project", project)]
    scope += ["--organization-wide"] * request.organization_wide
    return shlex.join(
        ["chainloop", "organization", "key", "add", "--name", request.name, "--public-key", public_key, *scope]
    )


def load_typed_key(world: World, option: str, reference: str) -> PublicKey:
    """Return the public key that an option names.

    Raises:
        SigningKeyInvalidError: it names no public key.
        FileUnreadableError, PathRefusedError: the file cannot be read; says what the option takes.
    """
    from chainloop_ci.cli.attestation_verify import load_public_key_reference

    try:
        return load_public_key_reference(world, reference)
    except (FileUnreadableError, PathRefusedError) as error:
        error.hint = f"{option} takes the path of a PEM file, env://NAME, PEM text, or base64 of it"
        raise


def _password(world: World) -> str | None:
    """Return what the private key is encrypted with; none, or an empty one, leaves it in the clear."""
    from chainloop_ci.signing.passwords import password_reader

    file = world.env.get(SIGNING_PASSWORD_FILE_VARIABLE)
    return password_reader(world.env, file=world.cwd / file if file else None)()


def _rows(item: VerificationKey) -> list[Row]:
    return [
        ("Name", item.name),
        ("ID", item.id),
        ("Algorithm", item.algorithm),
        ("Verifies", _scopes(item)),
        ("State", _state(item)),
        ("Created At", date(item.created_at)),
        ("Retired At", date(item.retired_at)),
        ("Revoked At", date(item.revoked_at)),
    ]


def _scopes(item: VerificationKey) -> str:
    return ", ".join(render_scope(scope) for scope in item.scopes) or "organization"


def _state(item: VerificationKey) -> str:
    if item.revoked_at is not None:
        return "revoked"
    return "retired" if item.retired_at is not None else "active"
