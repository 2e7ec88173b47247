"""`chainloop organization api-token`: create, list, rotate, revoke, activity."""

from __future__ import annotations

import click

from chainloop_ci.api.access import ApiToken, CreatedToken, Role, Scope, ScopeKind, TokenRequest, TokenRotation
from chainloop_ci.api.record import to_dict
from chainloop_ci.cli.command import Group, Lazy
from chainloop_ci.cli.durations import parse_duration
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.names import require_name, require_names, split_workflow
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

_ROLES = tuple(role.value for role in Role if role is not Role.INSTANCE)
_CREATE = (
    Option("name", ("--name",), "Name, unique in the organization.", required=True),
    Option(
        "role",
        ("--role",),
        "What it may do: attest (for jobs), read, operate, admin.",
        Kind.CHOICE,
        choices=_ROLES,
    ),
    Option("project", ("--project",), "Let it reach this project only."),
    Option(
        "workflow",
        ("--workflow",),
        "Let it reach this workflow of the project only: a service account.",
        metavar="[PROJECT/]WORKFLOW",
    ),
    Option("expiration", ("--expiration",), "End it after this time: 30d.", metavar="DURATION"),
    Option("description", ("--description",), "For people.", default=""),
)
_ROTATE = (
    Option("overlap", ("--overlap",), "Let the old secret work so much longer: 24h.", metavar="DURATION"),
)  # fmt: skip


_ACTIVITY = Lazy(
    "activity",
    "chainloop_ci.cli.audit:activity",
    "Show a token and everything it did: runs, uploads, refusals, changes.",
    ("describe",),
)


@click.group(cls=Group, lazy=(_ACTIVITY,))
def api_token() -> None:
    """Manage API tokens and service accounts."""


@api_token.command("create", options=_CREATE)
@click.pass_obj
def create(
    world: World,
    name: str,
    role: str | None,
    project: str | None,
    workflow: str | None,
    expiration: str | None,
    description: str,
) -> None:
    """Create an API token and show its secret, this once."""
    if role is None and workflow is None:
        raise UsageError("say with --role what the token may do", hint=f"one of {', '.join(_ROLES)}")
    if workflow is not None:
        project, workflow = split_workflow("--workflow", workflow, project)
    require_names(project=project)
    request = TokenRequest(
        require_name("token", name),
        Role(role or Role.ATTEST),  # a service account is always this (R1)
        project=project,
        workflow=workflow,
        expires_in_seconds=None if expiration is None else parse_duration(expiration, "--expiration"),
        description=description,
    )
    _show_secret(world, world.operator().create_token(request))


@api_token.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List API tokens with role, scope and last use."""
    page = world.operator().list_tokens(paging_of(limit, cursor))
    header = ("ID", "Name", "Role", "Scope", "State", "Expires at", "Last used at", "From")
    show_page(world, page, header, lambda item: (
        item.id, item.name, item.role, render_scope(item.scope), _long_state(world, item), date(item.expires_at),
        date(item.last_used_at), item.last_used_address or "",
    ), nothing="no API tokens yet")  # fmt: skip


@api_token.command("rotate", options=_ROTATE)
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def rotate(world: World, named: str, overlap: str | None) -> None:
    """Give a token a new secret and show it, this once; without --overlap the old one ends at once."""
    seconds = 0 if overlap is None else parse_duration(overlap, "--overlap")
    operator = world.operator()
    _show_secret(world, operator.rotate_token(operator.find_token(named).id, TokenRotation(seconds)))


@api_token.command("revoke")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def revoke(world: World, named: str) -> None:
    """End a token at once, and the open runs that it began; without a terminal nothing is asked."""
    operator = world.operator()
    found = operator.find_token(named)
    if found.revoked_at is not None:
        show_record(world, found, token_rows(world, found))
        world.output.info("token was revoked already", name=found.name)
        return
    require_consent(world, f"End the token {found.name} and its open runs?")
    revoked = operator.revoke_token(found.id)
    show_record(world, revoked, token_rows(world, revoked))
    ended = {} if revoked.ended_runs is None else {"ended-runs": revoked.ended_runs}
    world.output.info("token revoked, and the open runs that it began", name=revoked.name, **ended)


def render_scope(scope: Scope) -> str:
    """Return a scope for people: `project/workflow`, `project/*` or `organization`."""
    if scope.kind is ScopeKind.WORKFLOW:
        return f"{scope.project}/{scope.workflow}"
    return f"{scope.project}/*" if scope.kind is ScopeKind.PROJECT else scope.kind.value


def _show_secret(world: World, created: CreatedToken) -> None:
    if world.format == "json":
        world.output.document(to_dict(created))
        shown = "the secret is in the field `secret`, shown this once"
    else:
        rows = [row for row in token_rows(world, created.token) if row[1]]
        world.output.table(Table([*rows, ("Token", created.secret)]))
        shown = "the token is shown this once"
    world.output.warning(f"{shown}: keep it where secrets are kept", name=created.token.name)
    until = _old_secret_until(world, created.token)
    if until:
        world.output.warning("the old secret works as well", name=created.token.name, until=until)


def token_rows(world: World, item: ApiToken) -> list[Row]:
    """Return what tables show of a token; empty where nothing is known."""
    return [
        ("ID", item.id),
        ("Name", item.name),
        ("Description", item.description),
        ("Role", item.role),
        ("Scope", render_scope(item.scope)),
        ("State", _state(world, item)),
        ("Old Secret Until", _old_secret_until(world, item)),
        ("Created At", date(item.created_at)),
        ("Expires At", date(item.expires_at)),
        ("Revoked At", date(item.revoked_at)),
    ]


def _state(world: World, item: ApiToken) -> str:
    if item.revoked_at is not None:
        return "revoked"
    return "expired" if item.expires_at is not None and item.expires_at <= world.now() else "active"


def _long_state(world: World, item: ApiToken) -> str:
    until = _old_secret_until(world, item)
    return f"{_state(world, item)}, old secret until {until}" if until else _state(world, item)


def _old_secret_until(world: World, item: ApiToken) -> str:
    """Return how long the secret before the last rotation still works; empty when it does not (R6)."""
    ends = [moment for moment in (item.previous_expires_at, item.expires_at) if moment is not None]
    works = item.previous_expires_at is not None and item.revoked_at is None and min(ends) > world.now()
    return date(min(ends)) if works else ""
