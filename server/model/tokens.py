"""API tokens as they are stored: the secret's digests, the scope, what ends them (R1, R6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chainloop_ci.api.access import ApiToken, Role, Scope, ScopeKind
from chainloop_ci.errors import ConflictError
from server.model.principal import Principal

MAX_TOKENS = 1000
"""Tokens of one organization that are neither expired nor revoked."""


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A row of `api_tokens`, with the names of what its scope refers to."""

    id: str
    name: str
    role: Role
    secret_sha256: str
    created_at: datetime
    created_by: str
    """Id of the token that made it; `server` for the operator's command line."""
    organization_id: str | None = None
    organization: str | None = None
    description: str = ""
    project_id: str | None = None
    project: str | None = None
    workflow_id: str | None = None
    workflow: str | None = None
    previous_secret_sha256: str | None = None
    """Of the secret before the last rotation, whether or not it still works."""
    previous_expires_at: datetime | None = None
    """None: it ended with the rotation."""
    rotated_at: datetime | None = None
    """None: never, or by an older server, which did not keep it."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    last_used_address: str | None = None

    @property
    def scope(self) -> Scope:
        """Return how far the token reaches."""
        if self.workflow_id:
            return Scope(ScopeKind.WORKFLOW, self.project, self.workflow)
        if self.project_id:
            return Scope(ScopeKind.PROJECT, self.project)
        return Scope(ScopeKind.ORGANIZATION if self.organization_id else ScopeKind.INSTANCE)

    def why_not(self, secret_sha256: str, now: datetime) -> str | None:
        """Return why the token must not be accepted for this secret, or None."""
        if self.revoked_at is not None:
            return "this token was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return f"this token expired at {_render(self.expires_at)}"
        if secret_sha256 != self.secret_sha256 and (
            self.previous_expires_at is None or self.previous_expires_at <= now
        ):
            return self._why_rotated()
        return None

    def rotated(self, secret_sha256: str, overlap_seconds: int, now: datetime) -> StoredToken:
        """Return the token with a new secret; the present one works on for the overlap (R6).

        Raises:
            ConflictError: the token was revoked or has expired.
        """
        ended = self.why_not(self.secret_sha256, now)
        if ended:
            raise ConflictError(f"{ended}; it cannot be rotated", hint="create a new token")
        return replace(
            self,
            secret_sha256=secret_sha256,
            previous_secret_sha256=self.secret_sha256,
            previous_expires_at=now + timedelta(seconds=overlap_seconds) if overlap_seconds else None,
            rotated_at=now,
        )

    def _why_rotated(self) -> str:
        when = f" at {_render(self.rotated_at)}" if self.rotated_at else ""
        until = f", and its old secret worked until {_render(self.previous_expires_at)}"
        return f"this token was rotated{when}" + (until if self.previous_expires_at else "; this is its old secret")

    def revoked(self, now: datetime) -> StoredToken:
        """Return the token ended at once, both secrets; revoking again changes nothing."""
        return self if self.revoked_at else replace(self, revoked_at=now)

    def principal(self, address: str) -> Principal:
        """Return who asks with this token."""
        return Principal(
            token_id=self.id,
            token_name=self.name,
            role=self.role,
            organization_id=self.organization_id or "",
            organization=self.organization or "",
            project_id=self.project_id,
            workflow_id=self.workflow_id,
            project=self.project,
            workflow=self.workflow,
            address=address,
        )

    def api(self, ended_runs: int | None = None) -> ApiToken:
        """Return the wire form: no secret, no digest of one; after a revocation with how many runs it ended."""
        return ApiToken(
            id=self.id,
            name=self.name,
            role=self.role,
            scope=self.scope,
            created_at=self.created_at,
            created_by=self.created_by,
            description=self.description,
            expires_at=self.expires_at,
            revoked_at=self.revoked_at,
            previous_expires_at=self.previous_expires_at if self.revoked_at is None else None,
            ended_runs=ended_runs,
            last_used_at=self.last_used_at,
            last_used_address=self.last_used_address,
        )


def _render(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
