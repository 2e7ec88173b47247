"""Registry 4: every integration, one visible tuple."""

from __future__ import annotations

from collections.abc import Mapping

from server.integrations.github.entry import GITHUB
from server.integrations.gitlab.entry import GITLAB
from server.integrations.types import Integration
from server.integrations.webhook.entry import WEBHOOK

INTEGRATIONS: tuple[Integration, ...] = (GITHUB, GITLAB, WEBHOOK)


def by_kind(integrations: tuple[Integration, ...] = INTEGRATIONS) -> Mapping[str, Integration]:
    """Return the integrations under the word that names their kind."""
    return {item.kind: item for item in integrations}
