"""`chainloop integration`: the groups of what the control plane hears and tells."""

from __future__ import annotations

import click

from chainloop_ci.cli.command import Group, Lazy

_GROUPS = (Lazy("inbound", "chainloop_ci.cli.integration_inbound:inbound", "See the webhooks that came in."),)


@click.group(cls=Group, lazy=_GROUPS)
def integration() -> None:
    """See what the control plane hears from other systems."""
