"""`chainloop integration`: its groups, and what the control plane can tell whom (`available`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from chainloop_ci.api.integrations import AvailableIntegration
from chainloop_ci.cli.command import Group, Lazy
from chainloop_ci.cli.listing import show_page, show_record
from chainloop_ci.cli.table import Row, Table
from chainloop_ci.cli.wiring import World

_GROUPS = (
    Lazy(
        "registered",
        "chainloop_ci.cli.integration_registered:registered",
        "Manage whom the organization tells things, and with which credentials.",
    ),
    Lazy(
        "attached",
        "chainloop_ci.cli.integration_attached:attached",
        "Manage which registration is told what happens where.",
    ),
    Lazy(
        "hooks",
        "chainloop_ci.cli.integration_hooks:hooks",
        "Look after our webhooks at the forges.",
    ),
    Lazy(
        "delivery",
        "chainloop_ci.cli.integration_delivery:delivery",
        "See what was told to whom, and tell it again.",
    ),
    Lazy("inbound", "chainloop_ci.cli.integration_inbound:inbound", "See the webhooks that came in."),
)


@click.group(cls=Group, lazy=_GROUPS)
def integration() -> None:
    """Tell others what happens, and hear from them."""


@integration.group("available", cls=Group)
def available() -> None:
    """See which integrations there are."""


@available.command("list", aliases=("ls",))
@click.pass_obj
def list_(world: World) -> None:
    """List the integrations that the control plane knows."""
    page = world.integrations().list_available()
    header = ("Kind", "What", "Credentials", "Told of")
    show_page(world, page, header, lambda item: (
        item.kind, item.title, ", ".join(item.credentials), ", ".join(item.events),
    ), nothing="this control plane has no integrations")  # fmt: skip


@available.command("describe")
@click.argument("kind", metavar="KIND")
@click.pass_obj
def describe(world: World, kind: str) -> None:
    """Show the settings and credentials of an integration."""
    found = world.integrations().find_available(kind)
    show_record(world, found, _rows(found))
    if world.format != "json":
        for title, schema in (("Settings", found.settings_schema), ("Of an attachment", found.attachment_schema)):
            if rows := setting_rows(schema):
                world.output.table(Table(rows, title=title, header=("Setting", "Takes", "Meaning")))


def _rows(item: AvailableIntegration) -> list[Row]:
    return [
        ("Kind", item.kind),
        ("What", item.title),
        ("Usual URL", item.usual_url),
        ("Credentials", ", ".join(item.credentials)),
        ("Needs", " or ".join(item.required_credentials)),
        ("Told Of", ", ".join(item.events)),
    ]


def setting_rows(schema: Mapping[str, Any]) -> list[Row]:
    """Return a row for each setting of a JSON Schema: name, what it takes, meaning."""
    return [
        (name, _takes(entry), str(entry.get("description", ""))) for name, entry in schema.get("properties", {}).items()
    ]


def _takes(entry: Mapping[str, Any]) -> str:
    if "enum" in entry:
        return " | ".join(map(str, entry["enum"]))
    if entry.get("type") == "array":
        return f"{entry.get('items', {}).get('type', 'anything')}, repeatable"
    return str(entry.get("type", ""))
