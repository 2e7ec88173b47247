"""Verification keys: registered by administrators for named workflows and projects, ended, never deleted (R3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.access import KeyRequest, VerificationKey
from chainloop_ci.api.paging import Page
from chainloop_ci.digests import Digest
from chainloop_ci.errors import ConflictError, Finding, LimitExceededError, NotFoundError, RequestInvalidError
from server.model.audit import AuditAction, audit_of
from server.model.keys import MAX_KEYS, KeyScope, StoredKey
from server.model.paging import Paging
from server.model.principal import Principal
from server.services.disk_reserve import DiskReserve
from server.services.scoped_lists import list_in_scope
from server.store import audit, projects, verification_keys, workflows
from server.store.database import Database


class VerificationKeys:
    """Use cases of verification keys."""

    def __init__(self, database: Database, now: Callable[[], datetime], reserve: DiskReserve) -> None:
        self._database = database
        self._now = now
        self._reserve = reserve

    def register(self, principal: Principal, request: KeyRequest) -> VerificationKey:
        """Register a key.

        Raises:
            SigningKeyInvalidError: the PEM holds no public key of a kind that is verified.
            RequestInvalidError: it is bound to nothing, to both a part and the whole, or to what is not there.
            ConflictError: the key or the name was registered before.
        """
        from chainloop_ci.signing.public_keys import load_public_key

        _require_bound(request)
        public_key = load_public_key(request.public_key.encode())
        now = self._now()
        with self._database.write() as connection:
            scopes = _resolve(connection, principal, request)
            key = StoredKey(
                id=Digest(public_key.key_id),
                organization_id=principal.organization_id,
                name=request.name,
                algorithm=str(public_key.algorithm),
                public_key=public_key.pem,
                created_at=now,
                created_by=principal.token_id,
                valid_from=request.valid_from or now,
                organization_wide=request.organization_wide,
                scopes=scopes,
            )
            _require_reach(principal, key)
            _require_new(connection, key)
            verification_keys.add(connection, key)
            _note(connection, principal, AuditAction.KEY_REGISTERED, key, now)
        return key.api()

    def list(self, principal: Principal, paging: Paging) -> Page[VerificationKey]:
        """Return the keys that verify something in the token's scope, newest first, ended ones too."""
        return list_in_scope(self._database, principal, paging, "verification-keys", verification_keys.list_page)

    def get(self, principal: Principal, key_id: str) -> VerificationKey:
        """Return a key.

        Raises:
            NotFoundError: there is none of that id.
            NotAllowedError: it verifies nothing in the token's scope.
        """
        with self._database.read() as connection:
            key = _get(connection, principal, key_id)
        if not key.organization_wide and not any(_reaches(principal, scope) for scope in key.scopes):
            principal.require_reach(project_id=None)
        return key.api()

    def retire(self, principal: Principal, key_id: str) -> VerificationKey:
        """End a key for new attestations; what it verified stays verified."""
        return self._end(principal, key_id, AuditAction.KEY_RETIRED, StoredKey.retired)

    def revoke(self, principal: Principal, key_id: str) -> VerificationKey:
        """Withdraw a key that somebody else may hold, on a full disk too."""
        return self._reserve.insist(lambda: self._end(principal, key_id, AuditAction.KEY_REVOKED, StoredKey.revoked))

    def _end(
        self,
        principal: Principal,
        key_id: str,
        action: AuditAction,
        transition: Callable[[StoredKey, datetime], StoredKey],
    ) -> VerificationKey:
        now = self._now()
        with self._database.write() as connection:
            before = _get(connection, principal, key_id)
            _require_reach(principal, before)
            key = transition(before, now)
            if key != before:
                verification_keys.save_end(connection, key)
                _note(connection, principal, action, key, now)
        return key.api()


def _require_bound(request: KeyRequest) -> None:
    named = bool(request.projects or request.workflows)
    if named and request.organization_wide:
        message = "a key is either for the whole organization or for named projects and workflows, found both"
    elif not named and not request.organization_wide:
        message = "say which projects or workflows the key verifies, or say that it is for the whole organization"
    else:
        return
    raise RequestInvalidError(message, findings=[Finding("key-scope", message, path="/organizationWide")])


def _resolve(connection: Connection, principal: Principal, request: KeyRequest) -> tuple[KeyScope, ...]:
    """Return the scopes that the request names; every name that is not there is reported."""
    found: list[KeyScope] = []
    findings: list[Finding] = []
    for index, name in enumerate(dict.fromkeys(request.projects)):
        project = projects.find_by_name(connection, principal.organization_id, name)
        if project:
            found.append(KeyScope(project.id, project.name))
        else:
            findings.append(Finding("unknown-project", f"there is no project {name[:63]!r}", f"/projects/{index}"))
    for index, name in enumerate(dict.fromkeys(request.workflows)):
        owner, _, own = name.partition("/")
        workflow = workflows.find_by_name(connection, principal.organization_id, owner, own)
        if workflow:
            found.append(KeyScope(workflow.project_id, workflow.project, workflow.id, workflow.name))
        else:
            message = f"there is no workflow {name[:130]!r}; a workflow is named `project/workflow`"
            findings.append(Finding("unknown-workflow", message, f"/workflows/{index}"))
    if findings:
        raise RequestInvalidError("; ".join(item.message for item in findings), findings=findings)
    return tuple(sorted(found, key=lambda scope: (scope.project, scope.workflow or "")))


def _reaches(principal: Principal, scope: KeyScope) -> bool:
    return principal.reaches(project_id=scope.project_id, workflow_id=scope.workflow_id)


def _require_reach(principal: Principal, key: StoredKey) -> None:
    """Refuse to touch a key that verifies anything outside the token's scope."""
    if not key.scopes:
        principal.require_reach(project_id=None)
    for scope in key.scopes:
        principal.require_reach(project_id=scope.project_id, workflow_id=scope.workflow_id)


def _require_new(connection: Connection, key: StoredKey) -> None:
    same = verification_keys.find(connection, key.organization_id, key.id)
    if same:
        ended = " and was ended" if same.retired_at or same.revoked_at else ""
        raise ConflictError(
            f"this key is already registered as {same.name}{ended}; keys are never deleted",
            hint="register another key for another scope: `chainloop organization key create`",
        )
    if verification_keys.find_by_name(connection, key.organization_id, key.name):
        raise ConflictError(f"there is already a key {key.name}", hint="choose another name")
    if verification_keys.count(connection, key.organization_id) >= MAX_KEYS:
        raise LimitExceededError(f"an organization may have {MAX_KEYS} keys, and has them")


def _get(connection: Connection, principal: Principal, key_id: str) -> StoredKey:
    found = verification_keys.find(connection, principal.organization_id, key_id)
    if found is None:
        raise NotFoundError(f"there is no key {key_id}", hint="`chainloop organization key list` shows their ids")
    return found


def _note(connection: Connection, principal: Principal, action: AuditAction, key: StoredKey, now: datetime) -> None:
    scopes = [f"{scope.project}/{scope.workflow or '*'}" for scope in key.scopes]
    facts = {"name": key.name, "organization_wide": key.organization_wide, "scopes": scopes}
    audit.add(connection, audit_of(principal, now, action, key.id, facts))
