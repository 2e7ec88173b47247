"""Credentials of registrations, sealed for organization, registration and host (R44)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from server.model.integrations import StoredRegistration
from server.secret_box import SealedFor
from server.services.secrets import Secrets

REGISTRATION = "registration"
"""What credentials of registrations are sealed as."""


class Credentials:
    """Seals and opens them; they are open for one try or one check, and nowhere written down."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def seal(
        self, connection: Connection, registration: StoredRegistration, values: Mapping[str, str]
    ) -> StoredRegistration:
        """Return a registration that holds these credentials; to be stored in this transaction."""
        text = json.dumps(dict(values), sort_keys=True)
        sealed = self._secrets.seal(connection, text, _place(registration)) if values else None
        return replace(registration, sealed=sealed, credential_names=tuple(sorted(values)))

    def open(self, registration: StoredRegistration) -> Mapping[str, str]:
        """Return the credentials by name.

        Raises:
            SecretUnreadableError: they were sealed for something else, or with a key that is gone.
        """
        if registration.sealed is None:
            return {}
        opened: Mapping[str, str] = json.loads(self._secrets.open(registration.sealed, _place(registration)))
        return opened


def _place(registration: StoredRegistration) -> SealedFor:
    return SealedFor(REGISTRATION, registration.organization_id, registration.id, registration.host)
