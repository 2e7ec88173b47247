"""Verification keys as they are stored: bound, retired, revoked, never deleted (R3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chainloop_ci.api.access import Scope, ScopeKind, VerificationKey
from chainloop_ci.digests import Digest
from chainloop_ci.errors import Finding

MAX_KEYS = 1000
"""Of one organization, ended ones included: they are never deleted."""


@dataclass(frozen=True, slots=True)
class KeyScope:
    """A project whose workflows a key verifies, or one workflow of it."""

    project_id: str
    project: str
    workflow_id: str | None = None
    workflow: str | None = None

    def covers(self, project_id: str, workflow_id: str) -> bool:
        """Tell whether the scope covers a workflow."""
        return workflow_id == self.workflow_id if self.workflow_id else project_id == self.project_id


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row of `verification_keys` with its scopes."""

    id: Digest
    organization_id: str
    name: str
    algorithm: str
    public_key: str
    """SubjectPublicKeyInfo in PEM."""
    created_at: datetime
    created_by: str
    valid_from: datetime
    organization_wide: bool = False
    scopes: tuple[KeyScope, ...] = ()
    retired_at: datetime | None = None
    revoked_at: datetime | None = None

    def covers(self, project_id: str, workflow_id: str) -> bool:
        """Tell whether the key is bound to this workflow (R3: a key bound to A does not verify B)."""
        return self.organization_wide or any(scope.covers(project_id, workflow_id) for scope in self.scopes)

    def usable_at(self, moment: datetime) -> bool:
        """Tell whether the key counts for what is stored at this moment: valid already, not retired, not revoked."""
        return self.why_not_at(moment) is None

    def why_not_at(self, moment: datetime) -> Finding | None:
        """Return why the key does not count for what is stored at this moment, or None.

        A revoked key counts at no moment: nobody knows since when somebody else has held it.
        """
        shown = f"key {self.name} ({self.id})"
        if self.revoked_at is not None:
            return Finding("key-revoked", f"{shown} was revoked at {_utc(self.revoked_at)}")
        if self.retired_at is not None and self.retired_at <= moment:
            return Finding("key-retired", f"{shown} was retired at {_utc(self.retired_at)}")
        if self.valid_from > moment:
            return Finding("key-not-yet-valid", f"{shown} is valid from {_utc(self.valid_from)} on")
        return None

    def retired(self, now: datetime) -> StoredKey:
        """Return the key ended for new attestations; what it verified before stays verified. Again: no change."""
        return self if self.retired_at or self.revoked_at else replace(self, retired_at=now)

    def revoked(self, now: datetime) -> StoredKey:
        """Return the key withdrawn, because somebody else may hold it. Again: no change."""
        return self if self.revoked_at else replace(self, revoked_at=now)

    def api(self) -> VerificationKey:
        """Return the wire form."""
        if self.organization_wide:
            scopes: tuple[Scope, ...] = (Scope(ScopeKind.ORGANIZATION),)
        else:
            scopes = tuple(
                Scope(ScopeKind.WORKFLOW if scope.workflow_id else ScopeKind.PROJECT, scope.project, scope.workflow)
                for scope in self.scopes
            )
        return VerificationKey(
            id=self.id,
            name=self.name,
            algorithm=self.algorithm,
            public_key=self.public_key,
            scopes=scopes,
            created_at=self.created_at,
            created_by=self.created_by,
            valid_from=self.valid_from,
            retired_at=self.retired_at,
            revoked_at=self.revoked_at,
        )


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
