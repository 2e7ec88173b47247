"""API tokens: created, rotated, revoked by administrators, within their own role and scope (R1, R6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

import chainloop_ci
from chainloop_ci.api.access import ApiToken, CreatedToken, Role, TokenRequest, TokenRotation, WhoAmI
from chainloop_ci.api.paging import Page
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.errors import (
    ConflictError,
    Finding,
    LimitExceededError,
    NotAllowedError,
    NotFoundError,
    RequestInvalidError,
)
from server.auth.token_text import RANDOM_BYTES, render_token, token_sha256
from server.model.audit import AuditAction, audit_of
from server.model.events import EventKind
from server.model.paging import Paging
from server.model.principal import Principal
from server.model.runs import REVOKED
from server.model.tokens import MAX_TOKENS, StoredToken
from server.services.disk_reserve import DiskReserve
from server.services.run_events import end_run, tell
from server.services.scoped_lists import list_in_scope
from server.store import audit, projects, runs, tokens, workflows
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class _Scope:
    """The ids and names that a request's scope stands for."""

    project_id: str | None = None
    project: str | None = None
    workflow_id: str | None = None
    workflow: str | None = None


class Tokens:
    """Use cases of API tokens."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        random_bytes: Callable[[int], bytes],
        reserve: DiskReserve,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._random_bytes = random_bytes
        self._reserve = reserve

    def whoami(self, principal: Principal) -> WhoAmI:
        """Return what the server knows of the token that asks."""
        # An instance token has no organization of its own, whatever the header names.
        owner = None if principal.role is Role.INSTANCE else principal.organization_id
        with self._database.read() as connection:
            token = _require(tokens.find(connection, owner, principal.token_id), principal.token_id)
        return WhoAmI(
            token_id=token.id,
            token_name=token.name,
            role=token.role,
            scope=token.scope,
            organization=principal.organization or None,
            workflow_id=token.workflow_id,
            expires_at=token.expires_at,
            server_version=chainloop_ci.__version__,
        )

    def create(self, principal: Principal, request: TokenRequest) -> CreatedToken:
        """Create a token and return its secret, which is nowhere else.

        Raises:
            NotAllowedError: it would do more than the token that asks.
            RequestInvalidError: role and scope do not go together.
            ConflictError: the name is taken.
        """
        _require_coherent(request)
        secret = self._new_secret()
        now = self._now()
        with self._database.write() as connection:
            scope = _resolve(connection, principal, request)
            principal.require_reach(project_id=scope.project_id, workflow_id=scope.workflow_id)
            self._require_room(connection, principal, request.name, now)
            token = StoredToken(
                id=self._new_id(),
                name=request.name,
                role=request.role,
                secret_sha256=token_sha256(secret),
                created_at=now,
                created_by=principal.token_id,
                organization_id=principal.organization_id,
                organization=principal.organization,
                description=request.description,
                project_id=scope.project_id,
                project=scope.project,
                workflow_id=scope.workflow_id,
                workflow=scope.workflow,
                expires_at=now + timedelta(seconds=request.expires_in_seconds) if request.expires_in_seconds else None,
            )
            tokens.add(connection, token)
            _note(connection, principal, AuditAction.TOKEN_CREATED, token, now, role=token.role.value)
            self._tell(connection, principal, EventKind.TOKEN_CREATED, token, now)
        return CreatedToken(token.api(), secret)

    def list(self, principal: Principal, paging: Paging) -> Page[ApiToken]:
        """Return the tokens in the scope of the one that asks, newest first, ended ones too."""
        return list_in_scope(self._database, principal, paging, "api-tokens", tokens.list_page)

    def get(self, principal: Principal, token_id: str) -> ApiToken:
        """Return a token without its secret.

        Raises:
            NotFoundError: there is none of that id.
            NotAllowedError: its scope is wider than that of the token that asks.
        """
        with self._database.read() as connection:
            return get_reachable(connection, principal, token_id).api()

    def rotate(self, principal: Principal, token_id: str, rotation: TokenRotation) -> CreatedToken:
        """Give a token a new secret, on a full disk too; the old one works on for the overlap (R6).

        Raises:
            ConflictError: the token was revoked or has expired.
        """
        return self._reserve.insist(lambda: self._rotate(principal, token_id, rotation))

    def _rotate(self, principal: Principal, token_id: str, rotation: TokenRotation) -> CreatedToken:
        secret = self._new_secret()
        now = self._now()
        with self._database.write() as connection:
            token = get_reachable(connection, principal, token_id)
            token = token.rotated(token_sha256(secret), rotation.overlap_seconds, now)
            tokens.save(connection, token)
            overlap = rotation.overlap_seconds
            _note(connection, principal, AuditAction.TOKEN_ROTATED, token, now, overlap_seconds=overlap)
        return CreatedToken(token.api(), secret)

    def revoke(self, principal: Principal, token_id: str) -> ApiToken:
        """End a token at once, on a full disk too, and with it the open runs that it began (R6)."""
        return self._reserve.insist(lambda: self._revoke(principal, token_id))

    def _revoke(self, principal: Principal, token_id: str) -> ApiToken:
        now = self._now()
        ended = 0
        with self._database.write() as connection:
            before = get_reachable(connection, principal, token_id)
            token = before.revoked(now)
            if token != before:
                tokens.save(connection, token)
                ended = self._end_runs(connection, token, now)
                _note(connection, principal, AuditAction.TOKEN_REVOKED, token, now, ended_runs=ended)
                self._tell(connection, principal, EventKind.TOKEN_REVOKED, token, now, endedRuns=ended)
        return token.api(ended)

    def _end_runs(self, connection: Connection, token: StoredToken, now: datetime) -> int:
        """Cancel the open runs that a token began (R6), and return how many there were."""
        opened = runs.list_open_of_token(connection, token.organization_id or "", token.id, now)
        for run in opened:
            end_run(connection, run.canceled(CancelTrigger.CANCELLATION, REVOKED, now), now, self._new_id)
        return len(opened)

    def _tell(
        self,
        connection: Connection,
        principal: Principal,
        kind: EventKind,
        token: StoredToken,
        now: datetime,
        **facts: object,
    ) -> None:
        told = {"name": token.name, "role": token.role.value, "by": principal.token_name, **facts}
        place = {"project_id": token.project_id, "workflow_id": token.workflow_id}
        tell(connection, principal, kind, now, self._new_id, subject=token.id, **place, facts=told)

    def _new_secret(self) -> str:
        return render_token(self._random_bytes(RANDOM_BYTES))

    def _require_room(self, connection: Connection, principal: Principal, name: str, now: datetime) -> None:
        if tokens.find_by_name(connection, principal.organization_id, name):
            raise ConflictError(
                f"there is already a token {name}; names of revoked tokens are not used again",
                hint="rotate that token, or choose another name",
            )
        if tokens.count_active(connection, principal.organization_id, now) >= MAX_TOKENS:
            raise LimitExceededError(
                f"an organization may have {MAX_TOKENS} working tokens, and has them", hint="revoke those not in use"
            )


def _require_coherent(request: TokenRequest) -> None:
    """Refuse a role and scope that do not go together, all reasons at once."""
    if request.role is Role.INSTANCE:
        raise NotAllowedError(
            "an instance token belongs to the server's operator and is not made through the API",
            hint="on the server's machine: `python -m server token create`",
        )
    findings = []
    if request.workflow is not None and request.project is None:
        findings.append(Finding("missing-project", "a workflow is named by its project too", path="/project"))
    if request.workflow is not None and request.role is not Role.ATTEST:
        message = f"a token bound to a workflow has the role attest, found {request.role.value}"
        findings.append(Finding("role-of-service-account", message, path="/role"))
    if findings:
        raise RequestInvalidError("; ".join(item.message for item in findings), findings=findings)


def _resolve(connection: Connection, principal: Principal, request: TokenRequest) -> _Scope:
    if request.project is None:
        return _Scope()
    project = projects.find_by_name(connection, principal.organization_id, request.project)
    if project is None:
        raise NotFoundError(f"there is no project {request.project}", hint="`chainloop workflow list` names them")
    if request.workflow is None:
        return _Scope(project.id, project.name)
    workflow = workflows.find_by_name(connection, principal.organization_id, project.name, request.workflow)
    if workflow is None:
        raise NotFoundError(
            f"project {project.name} has no workflow {request.workflow}", hint="`chainloop workflow list` names them"
        )
    return _Scope(project.id, project.name, workflow.id, workflow.name)


def get_reachable(connection: Connection, principal: Principal, token_id: str) -> StoredToken:
    """Return a token of the organization and scope of the one that asks.

    Raises:
        NotFoundError: there is none of that id in the organization.
        NotAllowedError: it lies outside the scope.
    """
    token = _require(tokens.find(connection, principal.organization_id, token_id), token_id)
    principal.require_reach(project_id=token.project_id, workflow_id=token.workflow_id)
    return token


def no_token(name_or_id: str) -> NotFoundError:
    """Return the error for a filter that names a token that does not exist."""
    return NotFoundError(
        f"there is no token {name_or_id[:80]}", hint="`chainloop organization api-token list` names them"
    )


def _require(found: StoredToken | None, token_id: str) -> StoredToken:
    if found is None:
        raise NotFoundError(
            f"there is no token {token_id}", hint="`chainloop organization api-token list` shows their ids"
        )
    return found


def _note(
    connection: Connection,
    principal: Principal,
    action: AuditAction,
    token: StoredToken,
    now: datetime,
    **detail: object,
) -> None:
    scope = {"kind": token.scope.kind.value, "project": token.project, "workflow": token.workflow}
    facts = {"name": token.name, "scope": scope, **detail}
    audit.add(connection, audit_of(principal, now, action, token.id, facts))
