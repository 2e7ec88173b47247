"""`chainloop integration attached`: add, list, delete."""

from __future__ import annotations

from collections.abc import Sequence

import click

from chainloop_ci.api.integrations import Attachment, AttachmentRequest
from chainloop_ci.cli.audit import render_detail
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.integration_settings import SETTINGS, parse_settings
from chainloop_ci.cli.listing import PAGING, date, paging_of, require_consent, show_page, show_record
from chainloop_ci.cli.names import require_names, split_workflow
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.table import Row
from chainloop_ci.cli.wiring import World

_ADD = (
    Option("project", ("--project",), "Tell only what happens in this project."),
    Option(
        "workflow",
        ("--workflow",),
        "Tell only what happens to this workflow of the project.",
        metavar="[PROJECT/]WORKFLOW",
    ),
    Option(
        "events",
        ("--event",),
        "Tell events of this kind: run.failed, run.*, *; may be repeated.",
        Kind.LIST,
        metavar="KIND",
    ),
    SETTINGS,
)
_LIST = (Option("registration", ("--registration",), "Only of this one.", metavar="NAME|ID"), *PAGING)


@click.group(cls=Group)
def attached() -> None:
    """Manage which registration is told what happens where."""


@attached.command("add", options=_ADD)
@click.argument("registration", metavar="REGISTRATION")
@click.pass_obj
def add(
    world: World,
    registration: str,
    project: str | None,
    workflow: str | None,
    events: Sequence[str],
    settings: Sequence[str],
) -> None:
    """Attach a registration to the organization, a project or a workflow."""
    if workflow is not None:
        project, workflow = split_workflow("--workflow", workflow, project)
    require_names(project=project)
    plane = world.integrations()
    schema = plane.find_available(plane.find_registration(registration).kind).attachment_schema if settings else {}
    request = AttachmentRequest(registration, project, workflow, tuple(events), parse_settings(settings, schema))
    made = plane.attach(request)
    show_record(world, made, _rows(made))
    world.output.info("attached", registration=made.registration, where=_where(made))


@attached.command("list", aliases=("ls",), options=_LIST)
@click.pass_obj
def list_(world: World, registration: str | None, limit: int | None, cursor: str | None) -> None:
    """List attachments, oldest first."""
    page = world.integrations().list_attachments(registration, paging_of(limit, cursor))
    header = ("ID", "Registration", "Kind", "Where", "Events", "Settings", "Created at")
    show_page(world, page, header, lambda item: (
        item.id, item.registration, item.kind, _where(item), ", ".join(item.events), render_detail(item.settings),
        date(item.created_at),
    ), nothing="nothing is attached yet")  # fmt: skip


@attached.command("delete", aliases=("remove", "rm"))
@click.argument("attachment", metavar="ID")
@click.pass_obj
def delete(world: World, attachment: str) -> None:
    """Tell it nothing more; what waits already is still delivered."""
    require_consent(world, f"Remove the attachment {attachment}?")
    world.integrations().detach(attachment)
    if world.format == "json":
        world.output.document({"removed": True, "id": attachment})
    world.output.info("attachment removed", id=attachment)


def _rows(item: Attachment) -> list[Row]:
    return [
        ("ID", item.id),
        ("Registration", item.registration),
        ("Kind", item.kind),
        ("Where", _where(item)),
        ("Events", ", ".join(item.events)),
        ("Settings", render_detail(item.settings)),
        ("Created At", date(item.created_at)),
    ]


def _where(item: Attachment) -> str:
    return "/".join(part for part in (item.project, item.workflow) if part) or "organization"
