"""Many contracts and workflows at once: everything in a request, or nothing of it, and every reason why not.

A dry run does the same and takes it back: so it cannot say anything else than the request itself would.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from chainloop_ci.api.apply import (
    Applied,
    AppliedContract,
    AppliedItem,
    AppliedKind,
    AppliedResult,
    AppliedWorkflow,
    ApplyRequest,
)
from chainloop_ci.api.workflows import WorkflowChange, WorkflowRequest
from chainloop_ci.contract.load import LoadedContract
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.errors import ChainloopError, Finding, RequestInvalidError, UsageError, limit_findings
from server.model.contracts import StoredRevision
from server.model.names import require_name
from server.model.principal import Principal
from server.model.workflows import EMPTY_CONTRACT, MAX_CONTRACT_NAME
from server.services.contract_documents import load_for_name
from server.services.contracts import Contracts, find_newest
from server.services.enforcement_dates import AS_IT_IS, list_overtaken, parse_date
from server.services.sources import Sources
from server.services.workflows import Workflows
from server.store import contracts, projects, workflows
from server.store.database import Database


class _TakenBackError(Exception):
    """Ends the transaction of a dry run."""


@dataclass(slots=True)
class _Outcome:
    """What became of the things of one request."""

    made_projects: dict[str, AppliedItem] = field(default_factory=dict)
    items: list[AppliedItem] = field(default_factory=list)
    errors: list[tuple[str, ChainloopError]] = field(default_factory=list)
    """JSON pointer of the thing, and why it cannot be."""

    def attempt(self, path: str, make: Callable[[], AppliedItem]) -> None:
        """Make a thing, or keep the reason why it cannot be made: the others are looked at all the same."""
        try:
            self.items.append(make())
        except ChainloopError as error:
            self.errors.append((path, error))

    def require_success(self) -> None:
        """Refuse the request with every reason.

        Raises:
            ChainloopError: of the kind that all reasons have; `RequestInvalidError` when they are of several kinds.
        """
        if not self.errors:
            return
        findings = limit_findings(found for path, error in self.errors for found in _findings(path, error))
        kinds = {type(error) for _, error in self.errors}
        kind = kinds.pop() if len(kinds) == 1 else RequestInvalidError
        first = self.errors[0][1]
        if len(self.errors) == 1:
            raise kind(first.message, hint=first.hint, findings=findings)
        raise kind(f"{len(self.errors)} things cannot be applied; nothing was changed", findings=findings)


class Apply:
    """The use case of many things at once."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        *,
        contracts: Contracts,
        workflows: Workflows,
        sources: Sources,
    ) -> None:
        self._database = database
        self._now = now
        self._contracts = contracts
        self._workflows = workflows
        self._sources = sources

    def apply(self, principal: Principal, request: ApplyRequest) -> Applied:
        """Store contracts and workflows that are not there or not so; the same request again changes nothing.

        Raises:
            ChainloopError: something cannot be; nothing was changed, and every reason is among the findings.
        """
        if request.announced and not request.dry_run:
            raise UsageError("`announced` belongs to a dry run")
        outcome = _Outcome()
        # Parsed before the write lock is taken: large contracts must not hold up others.
        loaded = _load(request, outcome)
        try:
            with self._database.write() as connection:
                self._apply(connection, principal, request, loaded, outcome)
                outcome.require_success()
                if request.dry_run:
                    raise _TakenBackError
        except _TakenBackError:
            pass
        items = sorted(outcome.items, key=lambda item: item.kind is AppliedKind.WORKFLOW)
        return Applied((*outcome.made_projects.values(), *items), request.dry_run)

    def _apply(
        self,
        connection: Connection,
        principal: Principal,
        request: ApplyRequest,
        loaded: dict[int, LoadedContract],
        outcome: _Outcome,
    ) -> None:
        for at, contract in loaded.items():
            wanted = request.contracts[at]
            put = partial(self._put, connection, principal, wanted.name, contract, wanted.enforce_from)
            outcome.attempt(f"/contracts/{at}", put)
        for name in request.announced:
            self._announce(connection, principal, name)
        for at, workflow in enumerate(request.workflows):
            place = partial(self._place, connection, principal, workflow, outcome.made_projects)
            outcome.attempt(f"/workflows/{at}", place)

    def _put(
        self, connection: Connection, principal: Principal, name: str, loaded: LoadedContract, enforce_from: str | None
    ) -> AppliedItem:
        now = self._now()
        before = find_newest(connection, principal.organization_id, name)
        date = AS_IT_IS if before is None or _is_settled(before, loaded, now) else parse_date(enforce_from)
        stored, is_new = self._contracts.put_in(connection, principal, name, loaded, None, date)
        result = AppliedResult.CREATED
        if before is not None:
            is_moved = stored.enforced_from != before.enforced_from
            result = AppliedResult.CHANGED if is_new or is_moved else AppliedResult.UNCHANGED
        return AppliedItem(
            AppliedKind.CONTRACT,
            name,
            result,
            revision=stored.revision,
            enforced_from=stored.enforced_from if stored.enforced_from > now else None,
            warnings=tuple(list_overtaken(connection, stored, now)) if is_new else (),
        )

    def _announce(self, connection: Connection, principal: Principal, name: str) -> None:
        """Let a contract be there for the length of a dry run."""
        require_name("contract", name, MAX_CONTRACT_NAME)
        if contracts.find_by_name(connection, principal.organization_id, name) is None:
            empty = load_for_name(EMPTY_CONTRACT.format(name=name).encode(), ContractFormat.YAML, name)
            self._contracts.create_in(connection, principal, name, empty, None)

    def _place(
        self, connection: Connection, principal: Principal, wanted: AppliedWorkflow, made: dict[str, AppliedItem]
    ) -> AppliedItem:
        organization_id = principal.organization_id
        found = workflows.find_by_name(connection, organization_id, wanted.project, wanted.name)
        if found is None:
            is_new_project = projects.find_by_name(connection, organization_id, wanted.project) is None
            self._workflows.create_in(connection, principal, _new(wanted))
            if is_new_project:
                item = AppliedItem(AppliedKind.PROJECT, wanted.project, AppliedResult.CREATED)
                made[wanted.project] = item
            return _item(wanted, AppliedResult.CREATED)
        principal.require_reach(project_id=found.project_id, workflow_id=found.id)
        change = WorkflowChange(wanted.contract, wanted.team, wanted.description)
        after = self._workflows.change_in(connection, principal, found, change)
        is_changed = after != found
        if wanted.source is not None:
            is_changed |= self._sources.put_in(connection, principal, after, wanted.source).is_changed
        return _item(wanted, AppliedResult.CHANGED if is_changed else AppliedResult.UNCHANGED)


def _is_settled(newest: StoredRevision, loaded: LoadedContract, now: datetime) -> bool:
    """Tell whether no date is for a contract: it says what it said, and runs are held to that already.

    So the same command can be repeated when the date has passed, and one for a whole folder dates what it changes.
    """
    return newest.digest == loaded.digest and newest.enforced_from <= now


def _load(request: ApplyRequest, outcome: _Outcome) -> dict[int, LoadedContract]:
    """Return the contracts that are valid, by their place in the request."""
    loaded: dict[int, LoadedContract] = {}
    for at, contract in enumerate(request.contracts):
        try:
            loaded[at] = load_for_name(_decode(contract), contract.format, contract.name)
        except ChainloopError as error:
            outcome.errors.append((f"/contracts/{at}", error))
    return loaded


def _decode(contract: AppliedContract) -> bytes:
    try:
        return base64.b64decode(contract.raw_body, validate=True)
    except ValueError as error:
        message = f"the bytes of contract {contract.name} are not base64"
        raise RequestInvalidError(message, findings=[Finding("invalid-field", message, path="/rawBody")]) from error


def _new(wanted: AppliedWorkflow) -> WorkflowRequest:
    return WorkflowRequest(
        name=wanted.name,
        project=wanted.project,
        contract=wanted.contract,
        team=wanted.team or "",
        description=wanted.description or "",
        source=wanted.source,
    )


def _item(wanted: AppliedWorkflow, result: AppliedResult) -> AppliedItem:
    return AppliedItem(AppliedKind.WORKFLOW, wanted.name, result, project=wanted.project)


def _findings(path: str, error: ChainloopError) -> list[Finding]:
    """Return the reasons of an error as reasons of the request; what has none of its own is one itself."""
    if not error.findings:
        return [Finding(error.code, error.message, path=path, hint=error.hint)]
    # What is a parameter of the address elsewhere is a field here.
    return [replace(found, path=path + (found.path or "").replace("?", "/")) for found in error.findings]
