"""Installations of GitHub Apps, and whose they are on this server (R42)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chainloop_ci.api.integrations import AppInstallation

APP_KEY = "app-private-key"
"""Name of the credential that proves an App to be an organization's own."""
ENDING_ACTIONS = frozenset({"deleted", "suspend"})
"""Of the webhook `installation`, after which the App acts for the account no more (GitHub Docs, "Webhook events and
payloads")."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation that a forge has shown to its App's key, and that is not suspended."""

    id: str
    account: str
    """Login of the organization or person that it was installed by."""


@dataclass(frozen=True, slots=True)
class BoundInstallation:
    """A row of `app_installations`."""

    host: str
    """Base URL of the forge: another forge's installation may have the same number."""
    installation_id: str
    organization_id: str
    account: str
    bound_by: str
    """Id of a token, or `server`."""
    bound_at: datetime

    def api(self) -> AppInstallation:
        """Return the wire form."""
        return AppInstallation(self.installation_id, self.account, self.bound_at)
