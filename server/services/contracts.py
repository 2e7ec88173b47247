"""Contracts and their revisions.

A contract belongs to the organization. A token bound to a project or workflow reaches those contracts that its
workflows use, and changes only those that nobody else uses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.workflows import Contract, ContractRevision, RevisionSummary
from chainloop_ci.attestation.times import render_time
from chainloop_ci.contract.load import LoadedContract
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.errors import (
    ConflictError,
    LimitExceededError,
    NotAllowedError,
    NotFoundError,
    PreconditionFailedError,
)
from server.model.audit import AuditAction, audit_of
from server.model.contracts import MAX_CONTRACTS, MAX_REVISIONS, StoredContract, StoredRevision
from server.model.events import EventKind
from server.model.names import require_name
from server.model.paging import Paging, bind
from server.model.principal import Principal
from server.model.workflows import MAX_CONTRACT_NAME
from server.services.contract_documents import describe_revision, load_for_name
from server.services.enforcement_dates import (
    AS_IT_IS,
    WantedDate,
    list_overtaken,
    refuse_first_date,
    require_future,
    reschedule,
)
from server.services.run_events import tell
from server.store import audit, contracts, pins
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class ContractText:
    """A contract as it was sent."""

    raw: bytes
    format: ContractFormat | None = None
    """None: found out from the bytes."""
    description: str | None = None
    """None: the contract's own, else the one it has."""
    if_match: int | None = None
    """The newest revision must be this one."""
    must_be_new: bool = False
    """There must be no contract of this name."""
    date: WantedDate = AS_IT_IS
    """From when on runs have to meet it (R38)."""


class Contracts:
    """Use cases of contracts."""

    def __init__(self, database: Database, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id

    def get_public(self, public_id: str) -> StoredRevision:
        """Return the revision in force of the contract that was made public under that id; no token is needed.

        Raises:
            NotFoundError: there is none, or it is not public any more.
        """
        with self._database.read() as connection:
            found = contracts.find_public(connection, public_id)
            pin = pins.find(connection, *found, None, self._now()) if found else None
        if pin is None or pin.revision is None:
            raise NotFoundError(
                f"there is no public contract {public_id}",
                hint="an operator makes one with `chainloop workflow update NAME --public-contract on`",
            )
        return pin.revision

    def list(self, principal: Principal, paging: Paging) -> Page[Contract]:
        """Return the contracts that the token reaches, by name."""
        binding = bind("contracts", principal.organization_id, project=principal.project_id)
        after = paging.after(binding, ("",))
        with self._database.read() as connection:
            found = contracts.list_page(
                connection,
                principal.organization_id,
                project_id=principal.project_id,
                after=after,
                limit=paging.limit + 1,
            )
        page = paging.page(found, binding, lambda item: (item.name,))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def get(self, principal: Principal, name: str) -> Contract:
        """Return a contract.

        Raises:
            NotFoundError: there is none of that name.
            NotAllowedError: no workflow in the token's scope uses it.
        """
        with self._database.read() as connection:
            return get_readable(connection, principal, name).api()

    def put(self, principal: Principal, name: str, text: ContractText) -> ContractRevision:
        """Store a contract; a new revision is made only when the bytes differ from the newest one's.

        Writers are serialised by the write transaction, so revisions have neither gaps nor duplicates.

        Raises:
            ContractInvalidError: with every finding.
            PreconditionFailedError: the newest revision is not the one that the writer has seen.
            NotAllowedError: it is used outside the token's scope.
            RequestInvalidError: the date has passed, or it is the contract's first revision, which has none.
            ConflictError: another date is given for a revision that is enforced already.
        """
        require_name("contract", name, MAX_CONTRACT_NAME)
        # Parsed before the write lock is taken: a large contract must not hold up others.
        loaded = load_for_name(text.raw, text.format, name)
        with self._database.write() as connection:
            _require_expected(contracts.find_by_name(connection, principal.organization_id, name), name, text)
            stored, is_changed = self.put_in(connection, principal, name, loaded, text.description, text.date)
            overtaken = list_overtaken(connection, stored, self._now()) if is_changed else []
        described = describe_revision(stored, changed=is_changed)
        return replace(described, warnings=(*described.warnings, *overtaken))

    def put_in(
        self,
        connection: Connection,
        principal: Principal,
        name: str,
        loaded: LoadedContract,
        description: str | None,
        date: WantedDate = AS_IT_IS,
    ) -> tuple[StoredRevision, bool]:
        """Store a contract within the caller's write transaction; return its newest revision, and whether that is new.

        Raises:
            NotAllowedError: it is used outside the token's scope.
            RequestInvalidError, ConflictError: it may not have that date.
        """
        found = contracts.find_by_name(connection, principal.organization_id, name)
        if found is None:
            principal.require_reach(project_id=None)
            refuse_first_date(date)
            return self.create_in(connection, principal, name, loaded, description), True
        _require_writable(connection, principal, found)
        return self._add_revision(connection, principal, found, loaded, description, date)

    def create_in(
        self, connection: Connection, principal: Principal, name: str, loaded: LoadedContract, description: str | None
    ) -> StoredRevision:
        """Create a contract within the caller's write transaction.

        Raises:
            LimitExceededError: the organization has as many as it may have.
        """
        if contracts.count(connection, principal.organization_id) >= MAX_CONTRACTS:
            raise LimitExceededError(f"an organization may have {MAX_CONTRACTS} contracts, and has them")
        now = self._now()
        contract = StoredContract(
            id=self._new_id(),
            organization_id=principal.organization_id,
            name=name,
            description=description if description is not None else loaded.contract.description or "",
            latest_revision=1,
            digest=loaded.digest,
            format=loaded.format,
            created_at=now,
            updated_at=now,
        )
        first = _revision(principal, contract, loaded, 1, now)
        contracts.add(connection, contract, first)
        _note(connection, principal, AuditAction.CONTRACT_CREATED, first, now)
        return first

    def delete(self, principal: Principal, name: str) -> None:
        """Delete a contract that nobody uses and no run was pinned to.

        Raises:
            ConflictError: it is in use.
        """
        with self._database.write() as connection:
            found = get_contract(connection, principal, name)
            _require_writable(connection, principal, found)
            if found.workflows:
                raise ConflictError(
                    f"contract {name} is used by {found.workflows} workflow{'s' * (found.workflows != 1)}",
                    hint="give them another contract first: `chainloop workflow update --contract`",
                )
            if contracts.has_runs(connection, principal.organization_id, found.id):
                raise ConflictError(f"runs were made against contract {name}; it is kept with them")
            contracts.remove(connection, principal.organization_id, found.id)
            done = audit_of(principal, self._now(), AuditAction.CONTRACT_DELETED, found.id, {"name": name})
            audit.add(connection, done)

    def list_revisions(self, principal: Principal, name: str, paging: Paging) -> Page[RevisionSummary]:
        """Return a contract's revisions, newest first."""
        binding = bind("contract-revisions", principal.organization_id, contract=name)
        after = paging.after(binding, (0,))
        with self._database.read() as connection:
            contract = get_readable(connection, principal, name)
            found = contracts.list_revisions(
                connection, principal.organization_id, contract.id, after=after, limit=paging.limit + 1
            )
        page = paging.page(found, binding, lambda item: (item.revision,))
        return Page(tuple(item.api() for item in page.items), page.next_cursor)

    def get_revision(self, principal: Principal, name: str, revision: int) -> ContractRevision:
        """Return a revision with its exact bytes.

        Raises:
            NotFoundError: says which is the newest.
        """
        with self._database.read() as connection:
            contract = get_readable(connection, principal, name)
            return describe_revision(get_pinned(connection, contract, revision))

    def _add_revision(
        self,
        connection: Connection,
        principal: Principal,
        found: StoredContract,
        loaded: LoadedContract,
        description: str | None,
        date: WantedDate,
    ) -> tuple[StoredRevision, bool]:
        now = self._now()
        wanted = description if description is not None else loaded.contract.description or found.description
        if wanted != found.description:
            contracts.save_description(connection, found.organization_id, found.id, wanted, now)
        if loaded.digest == found.digest:
            newest = get_pinned(connection, found, found.latest_revision)
            return reschedule(connection, principal, newest, date, now, self._new_id), False
        if found.latest_revision >= MAX_REVISIONS:
            raise LimitExceededError(f"a contract may have {MAX_REVISIONS} revisions; {found.name} has them")
        revision = _revision(principal, found, loaded, found.latest_revision + 1, now)
        revision = replace(revision, enforced_from=require_future(date.moment, now) or now)
        contracts.add_revision(connection, revision)
        _note(connection, principal, AuditAction.CONTRACT_REVISED, revision, now)
        told = {"name": revision.name, "revision": revision.revision, "digest": revision.digest}
        told["enforcedFrom"] = render_time(revision.enforced_from)
        kind = EventKind.CONTRACT_REVISED
        tell(connection, principal, kind, now, self._new_id, subject=revision.contract_id, facts=told)
        return revision, True


def get_readable(connection: Connection, principal: Principal, name: str) -> StoredContract:
    """Return the contract of that name, if the token reaches a workflow that uses it.

    Raises:
        NotFoundError: there is none of that name.
        NotAllowedError: it is of no concern to the token.
    """
    found = get_contract(connection, principal, name)
    if not principal.reaches(project_id=None):
        scopes = contracts.users(connection, principal.organization_id, found.id)
        if not any(principal.reaches(project_id=project, workflow_id=workflow) for project, workflow in scopes):
            principal.require_reach(project_id=None)
    return found


def get_pinned(connection: Connection, contract: StoredContract, revision: int) -> StoredRevision:
    """Return a revision of the contract.

    Raises:
        NotFoundError: says which is the newest.
    """
    found = contracts.find_revision(connection, contract.organization_id, contract.id, revision)
    if found is None:
        raise NotFoundError(
            f"contract {contract.name} has no revision {revision}; the newest is {contract.latest_revision}",
            hint="leave the revision out to take the newest",
        )
    return found


def find_newest(connection: Connection, organization_id: str, name: str) -> StoredRevision | None:
    """Return the newest revision of the contract of that name, enforced or not; None when there is no contract."""
    found = contracts.find_by_name(connection, organization_id, name)
    return None if found is None else get_pinned(connection, found, found.latest_revision)


def get_contract(connection: Connection, principal: Principal, name: str) -> StoredContract:
    """Return the organization's contract of that name, whoever uses it.

    Raises:
        NotFoundError: there is none.
    """
    found = contracts.find_by_name(connection, principal.organization_id, name)
    if found is None:
        raise NotFoundError(
            f"there is no contract {name[:MAX_CONTRACT_NAME]!r}", hint="`chainloop workflow contract list` names them"
        )
    return found


def _require_writable(connection: Connection, principal: Principal, contract: StoredContract) -> None:
    if principal.reaches(project_id=None):
        return
    scopes = contracts.users(connection, principal.organization_id, contract.id)
    if not scopes:
        principal.require_reach(project_id=None)
    for project, workflow in scopes:
        if not principal.reaches(project_id=project, workflow_id=workflow):
            raise NotAllowedError(
                f"contract {contract.name} is also used by workflows outside the scope of this token",
                hint="ask somebody with an organization-wide `operate` token to change it",
            )


def _require_expected(found: StoredContract | None, name: str, text: ContractText) -> None:
    if text.must_be_new and found is not None:
        raise PreconditionFailedError(
            f"there is already a contract {name}, its newest revision is {found.latest_revision}",
            hint="update it with `chainloop workflow contract update`, or choose another name",
        )
    if text.if_match is None:
        return
    newest = found.latest_revision if found else 0
    if newest != text.if_match:
        raise PreconditionFailedError(
            f"the newest revision of contract {name} is {newest}, not {text.if_match}: somebody else was faster",
            hint="read the newest revision, change that one, and send it again",
        )


def _note(
    connection: Connection, principal: Principal, action: AuditAction, revision: StoredRevision, now: datetime
) -> None:
    facts: dict[str, object] = {"name": revision.name, "revision": revision.revision, "digest": revision.digest}
    if revision.enforced_from > now:
        facts["enforced_from"] = render_time(revision.enforced_from)
    audit.add(connection, audit_of(principal, now, action, revision.contract_id, facts))


def _revision(
    principal: Principal, contract: StoredContract, loaded: LoadedContract, revision: int, now: datetime
) -> StoredRevision:
    return StoredRevision(
        contract_id=contract.id,
        organization_id=contract.organization_id,
        name=contract.name,
        revision=revision,
        latest_revision=revision,
        raw_body=loaded.raw,
        format=loaded.format,
        digest=loaded.digest,
        created_at=now,
        created_by=principal.token_id,
        # Applied without a date means at once (R19).
        enforced_from=now,
    )
