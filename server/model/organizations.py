"""Organizations: the tenants, and their settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.access import Organization, OrganizationSettings
from chainloop_ci.api.words import CasBackend

DEFAULT_RUN_EXPIRY_SECONDS = 6 * 3600
"""R15: life of a run after its last accepted request."""
MAX_ORGANIZATIONS = 10_000
"""Of one server."""


@dataclass(frozen=True, slots=True)
class StoredOrganization:
    """A row of `organizations`."""

    id: str
    name: str
    created_at: datetime
    accept_unsigned: bool = False
    """R4; every change of it is audited."""
    run_expiry_seconds: int = DEFAULT_RUN_EXPIRY_SECONDS
    quota_bytes: int = 0
    """0: no limit."""
    used_bytes: int = 0
    cas_backend: CasBackend = CasBackend.FILESYSTEM

    def changed(self, settings: OrganizationSettings) -> StoredOrganization:
        """Return the organization with what `settings` names; the rest stays."""
        named = {
            "accept_unsigned": settings.accept_unsigned,
            "run_expiry_seconds": settings.run_expiry_seconds,
            "quota_bytes": settings.quota_bytes,
            "cas_backend": settings.cas_backend,
        }
        return replace(self, **{name: value for name, value in named.items() if value is not None})  # type: ignore[arg-type]  # the mapping's values are the fields' own types

    def api(self) -> Organization:
        """Return the wire form."""
        return Organization(
            id=self.id,
            name=self.name,
            created_at=self.created_at,
            accept_unsigned=self.accept_unsigned,
            run_expiry_seconds=self.run_expiry_seconds,
            quota_bytes=self.quota_bytes,
            cas_backend=self.cas_backend,
        )
