"""`chainloop integration registered`: add, list, describe, update, check, pause, resume, delete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from chainloop_ci.api.integrations import Registration, RegistrationChange, RegistrationRequest
from chainloop_ci.api.words import IntegrationKind
from chainloop_ci.cli.audit import render_detail
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.integration_settings import CREDENTIALS, SETTINGS, parse_settings, read_credentials
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.names import require_name
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import UsageError

_URL = Option("url", ("--url",), "Base URL of the forge, or the address of the webhook.")
_ADD = (
    Option("name", ("--name",), "Name, unique in the organization.", required=True),
    _URL,
    SETTINGS,
    CREDENTIALS,
)
_UPDATE = (
    _URL,
    SETTINGS,
    CREDENTIALS,
    Option(
        "dropped",
        ("--drop-credential",),
        "Forget a credential, such as the previous one after a change; may be repeated.",
        Kind.LIST,
        metavar="NAME",
    ),
)


@click.group(cls=Group)
def registered() -> None:
    """Manage whom the organization tells things, and with which credentials."""


@registered.command("add", options=_ADD)
@click.argument("kind", metavar="KIND", type=click.Choice([kind.value for kind in IntegrationKind]))
@click.pass_obj
def add(
    world: World, kind: str, name: str, url: str | None, settings: Sequence[str], credentials: Sequence[str]
) -> None:
    """Register an integration; the third party is asked whether it takes the credential."""
    require_name("registration", name)
    secrets = read_credentials(world, credentials)
    plane = world.integrations()
    schema = plane.find_available(kind).settings_schema
    request = RegistrationRequest(IntegrationKind(kind), name, url, parse_settings(settings, schema), secrets)
    made = plane.register(request)
    _show(world, made)
    world.output.info("registered; now attach it", next=f"chainloop integration attached add {made.name}")


@registered.command("list", aliases=("ls",), options=PAGING)
@click.pass_obj
def list_(world: World, limit: int | None, cursor: str | None) -> None:
    """List registrations, and how each gets on."""
    page = world.integrations().list_registrations(paging_of(limit, cursor))
    header = ("Name", "Kind", "URL", "State", "# attached", "# waiting", "# dead", "Created at")
    show_page(world, page, header, lambda item: (
        item.name, item.kind, item.url, _state(item), str(item.attachments), str(item.waiting), str(item.dead),
        date(item.created_at),
    ), right=frozenset({4, 5, 6}), nothing="nothing is registered yet")  # fmt: skip


@registered.command("describe")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def describe(world: World, named: str) -> None:
    """Show a registration, without its credentials."""
    _show(world, world.integrations().find_registration(named))


@registered.command("update", options=_UPDATE)
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def update(
    world: World,
    named: str,
    url: str | None,
    settings: Sequence[str],
    credentials: Sequence[str],
    dropped: Sequence[str],
) -> None:
    """Change a registration; what waited for it goes on. Another URL needs all credentials again."""
    if url is None and not (settings or credentials or dropped):
        raise UsageError("say what to change", hint="--url, --setting, --credential, --drop-credential")
    secrets = read_credentials(world, credentials)
    plane = world.integrations()
    found = plane.find_registration(named)
    schema = plane.find_available(found.kind).settings_schema if settings else {}
    change = RegistrationChange(
        url=url,
        settings={**found.settings, **parse_settings(settings, schema)} if settings else None,
        credentials=secrets,
        dropped_credentials=tuple(dropped),
    )
    changed = plane.change_registration(found.id, change)
    _show(world, changed)
    world.output.info("registration changed", name=changed.name, waiting=changed.waiting)


@registered.command("check")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def check(world: World, named: str) -> None:
    """Let the third party be asked again whether settings and credentials will do."""
    plane = world.integrations()
    checked = plane.check_registration(plane.find_registration(named).id)
    _show(world, checked)
    for finding in checked.findings:
        world.output.warning(finding)


@registered.command("pause")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def pause(world: World, named: str) -> None:
    """Send nothing until it is resumed; what is due waits."""
    plane = world.integrations()
    paused = plane.pause_registration(plane.find_registration(named).id)
    _show(world, paused)
    world.output.info("registration paused", name=paused.name)


@registered.command("resume")
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def resume(world: World, named: str) -> None:
    """Go on, with what waited first."""
    plane = world.integrations()
    resumed = plane.resume_registration(plane.find_registration(named).id)
    _show(world, resumed)
    world.output.info("registration resumed", name=resumed.name, waiting=resumed.waiting)


@registered.command("delete", aliases=("remove", "rm"))
@click.argument("named", metavar="NAME|ID")
@click.pass_obj
def delete(world: World, named: str) -> None:
    """Remove a registration with its credentials and attachments; what was told stays listed."""
    plane = world.integrations()
    found = plane.find_registration(named)
    require_consent(world, f"Remove the registration {found.name} and its {found.attachments} attachments?")
    plane.remove_registration(found.id)
    if world.format == "json":
        world.output.document({"removed": True, "id": found.id, "name": found.name})
    world.output.info("registration removed", name=found.name)


def _show(world: World, item: Registration) -> None:
    show_record(world, item, _rows(item))


def _rows(item: Registration) -> list[Row]:
    return [
        ("Name", item.name),
        ("ID", item.id),
        ("Kind", item.kind),
        ("URL", item.url),
        ("State", _state(item)),
        ("Paused Because", item.paused_reason),
        ("Settings", render_detail(item.settings)),
        ("Credentials", ", ".join(item.credentials)),
        ("Credential Expires At", date(item.credential_expires_at)),
        ("App Installation", _installation(item)),
        ("Repositories", ", ".join(repository.name for repository in item.repositories)),
        ("Checked At", date(item.checked_at)),
        *_several("Findings", item.findings),
        *_several("It Says", _facts(item.facts)),
        ("Left Alone Until", date(item.left_alone_until)),
        ("Attachments", str(item.attachments)),
        ("Waiting", str(item.waiting)),
        ("Dead", str(item.dead)),
        ("Forged Statuses", str(item.forged_statuses) if item.forged_statuses else ""),
        ("Created At", date(item.created_at)),
    ]


def _several(label: str, lines: Iterable[str]) -> list[Row]:
    return [(label if number == 0 else "", line) for number, line in enumerate(lines)]


def _facts(facts: Mapping[str, object]) -> Iterator[str]:
    """Yield each fact on a line of its own: some are sentences, and some say something of each repository."""
    for name, value in sorted(facts.items()):
        if isinstance(value, Mapping):
            yield from (f"{key}: {render_detail(part)}" for key, part in value.items() if isinstance(part, Mapping))
        else:
            yield f"{name}: {render_detail({name: value}).partition('=')[2]}"


def _installation(item: Registration) -> str:
    """Return the App's installation whose webhooks come to the organization, or how it gets to be that (R42)."""
    if item.installation is not None:
        return f"{item.installation.id} of {item.installation.account}, bound {date(item.installation.bound_at)}"
    if "installationId" not in item.settings or "app-private-key" not in item.credentials:
        return ""
    return f"not bound, so that its webhooks are not taken: chainloop integration registered check {item.name}"


def _state(item: Registration) -> str:
    return f"{item.state} (target fails)" if item.state == "active" and item.left_alone_until else item.state
