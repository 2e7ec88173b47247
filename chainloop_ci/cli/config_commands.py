"""`chainloop config`: save, view, reset."""

from __future__ import annotations

import click

from chainloop_ci.api.address import require_safe_url
from chainloop_ci.cli.command import Group
from chainloop_ci.cli.options import Option
from chainloop_ci.cli.table import Table
from chainloop_ci.cli.wiring import World
from chainloop_ci.config import Secret, Setting, config_path, reset_config, save_config
from chainloop_ci.errors import UsageError

_SAVE = (
    Option("signing_key", ("--signing-key",), "Key to sign with: a path, or env://NAME.", metavar="KEY", secret=True),
)  # fmt: skip
_OPTIONS = {
    "control_plane": "control-plane",
    "control_plane_ca": "ca",
    "token": "token",
    "organization": "organization",
}
"""Global options that are kept, by the names that they have in the file."""


@click.group(cls=Group)
def config() -> None:
    """Keep the control plane's address and a token."""


@config.command("save", options=_SAVE)
@click.pass_obj
def save(world: World, signing_key: str | None) -> None:
    """Keep --control-plane, --control-plane-ca, --token, --org and --signing-key in the configuration file.

    `--token -` reads the token from standard input, so that it stands in no command line and no shell history.
    """
    changes = {key: str(world.given[name]) for name, key in _OPTIONS.items() if world.given.get(name) is not None}
    if signing_key is not None:
        changes["signing-key"] = signing_key
    if changes.get("token") == "-":
        changes["token"] = _read_token(world)
    if not changes:
        raise UsageError(
            "there is nothing to save",
            hint="`chainloop config save --control-plane https://chainloop.example.com --token clp_…`",
        )
    if changes.get("control-plane"):
        changes["control-plane"] = require_safe_url(changes["control-plane"], world.switch("insecure"))
    file = save_config(config_path(world.env, world.text("config")), changes)
    for warning in file.warnings:
        world.output.warning(warning)
    if world.format == "json":
        world.output.document({"path": str(file.path), "saved": sorted(changes)})
    world.output.info("configuration saved", path=file.path, fields=",".join(sorted(changes)))


@config.command("view")
@click.pass_obj
def view(world: World) -> None:
    """Show the settings that are in force and where each comes from; secrets are not shown."""
    settings = world.settings()
    found: dict[str, Setting[str] | Setting[Secret] | Setting[bool] | None] = {
        "control-plane": settings.control_plane,
        "ca": settings.ca,
        "organization": settings.organization,
        "token": settings.token,
        "signing-key": settings.signing_key,
        "insecure": settings.insecure,
    }
    path = config_path(world.env, world.text("config"))
    if world.format == "json":
        world.output.document(
            {
                "path": str(path),
                "settings": {
                    name: None if item is None else {"value": _text(item.value), "source": item.source.value}
                    for name, item in found.items()
                },
            }
        )
        return
    rows = [
        (name, "" if item is None else _text(item.value), "" if item is None else item.where or item.source.value)
        for name, item in found.items()
    ]
    world.output.table(Table(rows, header=("Name", "Value", "Comes from")))
    world.output.info("configuration file", path=path, there=str(path.exists()).lower())


@config.command("reset")
@click.pass_obj
def reset(world: World) -> None:
    """Remove the configuration file."""
    path = config_path(world.env, world.text("config"))
    removed = reset_config(path)
    if world.format == "json":
        world.output.document({"path": str(path), "removed": removed})
    world.output.info("configuration removed" if removed else "there was no configuration", path=path)


def _read_token(world: World) -> str:
    if world.stdin.isatty():
        from getpass import getpass

        token = getpass("Token: ", stream=world.stderr)
    else:
        token = world.stdin.readline()
    if not token.strip():
        raise UsageError("--token - expects the token on standard input, found nothing")
    return token.strip()


def _text(value: str | Secret | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
