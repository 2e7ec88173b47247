"""`chainloop organization`: create, list, describe, update; the groups `key` and `api-token`."""

from __future__ import annotations

import click

from chainloop_ci.api.access import Organization, OrganizationRequest, OrganizationSettings
from chainloop_ci.api.words import CasBackend
from chainloop_ci.cli.command import Group, Lazy
from chainloop_ci.cli.durations import parse_run_expiry, parse_size, render_duration
from chainloop_ci.cli.listing import PAGING, date, paging_of, show_page, show_record
from chainloop_ci.cli.names import require_name, require_names
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.progress import render_size
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World
from chainloop_ci.client.operator import Operator
from chainloop_ci.errors import UsageError

_UPDATE = (
    Option(
        "accept_unsigned",
        ("--accept-unsigned",),
        "Store unsigned attestations, as unverified; they count as success nowhere.",
        Kind.CHOICE,
        choices=("true", "false"),
    ),
    Option(
        "run_expiry", ("--run-expiry",), "Life of a run after its last request: 6h (1m to 30d).", metavar="DURATION"
    ),
    Option("quota", ("--quota",), "Bytes of artifacts: 10GB; 0 is no limit.", metavar="SIZE"),
    Option(
        "cas_backend",
        ("--cas-backend",),
        "Where the content of new artifacts goes.",
        Kind.CHOICE,
        choices=tuple(entry.value for entry in CasBackend),
    ),
)
_GROUPS = (
    Lazy("key", "chainloop_ci.cli.verification_keys:key", "Manage the keys that verify attestations."),
    Lazy("api-token", "chainloop_ci.cli.api_tokens:api_token", "Manage API tokens and service accounts."),
    Lazy("audit", "chainloop_ci.cli.audit:audit", "See who changed rights, keys, contracts and settings."),
)


@click.group(cls=Group, aliases=("org",), lazy=_GROUPS)
def organization() -> None:
    """Manage organizations and keys."""


@organization.command("create")
@click.argument("name")
@click.pass_obj
def create(world: World, name: str) -> None:
    """Create an organization; needs the instance token, that of the server's operator."""
    request = OrganizationRequest(require_name("organization", name))
    created = world.operator().create_organization(request)
    show_record(world, created, _rows(created))
    world.output.info("organization created", name=created.name)


@organization.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List the token's organization; with the instance token all."""
    page = world.operator().list_organizations(paging_of(limit, cursor))
    header = ("Name", "ID", "Created at", "Run expiry", "CAS backend")
    show_page(world, page, header, lambda item: (
        item.name, item.id, date(item.created_at), render_duration(item.run_expiry_seconds), item.cas_backend
    ), nothing="no organizations yet")  # fmt: skip


@organization.command("describe")
@click.argument("name", required=False)
@click.pass_obj
def describe(world: World, name: str | None) -> None:
    """Show an organization and its settings."""
    require_names(organization=name)
    operator = world.operator()
    found = operator.get_organization(name or _own(operator))
    show_record(world, found, _rows(found))


@organization.command("update", options=_UPDATE)
@click.argument("name", required=False)
@click.pass_obj
def update(
    world: World,
    name: str | None,
    accept_unsigned: str | None,
    run_expiry: str | None,
    quota: str | None,
    cas_backend: str | None,
) -> None:
    """Change an organization's settings; what is left out stays."""
    require_names(organization=name)
    settings = OrganizationSettings(
        accept_unsigned=None if accept_unsigned is None else accept_unsigned == "true",
        run_expiry_seconds=None if run_expiry is None else parse_run_expiry(run_expiry),
        quota_bytes=None if quota is None else parse_size(quota, "--quota"),
        cas_backend=None if cas_backend is None else CasBackend(cas_backend),
    )
    if settings == OrganizationSettings():
        raise UsageError("there is nothing to change", hint="see `chainloop organization update --help`")
    operator = world.operator()
    changed = operator.update_organization(name or _own(operator), settings)
    show_record(world, changed, _rows(changed))
    world.output.info("organization updated", name=changed.name)


def _own(operator: Operator) -> str:
    """Return the organization that the token belongs to."""
    known = operator.whoami().organization
    if known is None:
        raise UsageError(
            "this token belongs to no organization", hint="name one as an argument, or with --org; "
            "`chainloop organization list` shows them",
        )  # fmt: skip
    return known


def _rows(item: Organization) -> list[Row]:
    return [
        ("Name", item.name),
        ("ID", item.id),
        ("Created At", date(item.created_at)),
        ("Accept Unsigned", "yes: stored as unverified, never a success" if item.accept_unsigned else "no"),
        ("Run Expiry", render_duration(item.run_expiry_seconds)),
        ("Quota", render_size(item.quota_bytes) if item.quota_bytes else "none"),
        ("CAS Backend", item.cas_backend),
    ]
