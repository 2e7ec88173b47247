"""Workflow runs: begin, list, end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from sqlalchemy import Connection

from chainloop_ci.api.paging import Page
from chainloop_ci.api.problems import ProblemFinding
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.runs import (
    CancelRequest,
    Refusal,
    RefusedInit,
    RunDetail,
    RunRequest,
    StateLocation,
    WorkflowRun,
)
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.contract.compliance import check_event
from chainloop_ci.contract.types import Contract, RunnerType
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import (
    ConflictError,
    ContractNotMetError,
    Finding,
    NotFoundError,
    RequestInvalidError,
    RunnerMismatchError,
)
from server.model.audit import AuditAction, audit_of
from server.model.contracts import StoredRevision
from server.model.events import EventKind
from server.model.paging import Paging, bind
from server.model.pins import Pin
from server.model.principal import OPERATORS, Principal
from server.model.runs import MAX_REFUSED_INITS, Run, RunNames
from server.model.workflows import StoredWorkflow
from server.services.contract_documents import load_contract
from server.services.disk_reserve import DiskReserve
from server.services.metrics_counters import REFUSED_INITS
from server.services.revision_rules import get_pin, require_minimum, require_revision, require_unblocked
from server.services.run_access import (
    get_run,
    list_with_requirements,
    require_living_token,
    require_open_place,
    run_not_found,
)
from server.services.run_details import describe_run
from server.services.run_events import begin_run, end_run, tell
from server.services.run_filters import RunQuery, resolve
from server.store import audit, counters, refusals, run_lists, runs, workflows
from server.store.database import Database

_RUNNER_TYPES = tuple(kind.value for kind in RunnerType)


class Runs:
    """Use cases of workflow runs."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        reserve: DiskReserve,
        max_open_runs: int = 0,
    ) -> None:
        """`max_open_runs` bounds what one token may have open at once; 0 is no bound."""
        self._database = database
        self._now = now
        self._new_id = new_id
        self._reserve = reserve
        self._max_open_runs = max_open_runs

    def create(self, principal: Principal, run_id: str, request: RunRequest) -> tuple[WorkflowRun, bool]:
        """Begin a run under the id that the client chose; tell whether it is new.

        The same request again gets the same answer, so that a lost answer costs nothing.

        Raises:
            ConflictError: the run exists and was begun by another request; or a late one pins an older revision.
            NotFoundError: no such workflow or contract revision; or the id is taken by another organization.
            RequestInvalidError: the contract revision has another digest, the runner type is none, or a late run asks
                for a shared state.
            RunnerMismatchError: the contract asks for another runner; written down as a refused init.
            ContractNotMetError: the revision is older than the workflow takes (R19), or does not allow the job's event.
            LimitExceededError: the token has as many open runs as it may have.
            NotAuthenticatedError: the token has ended meanwhile.
            WorkflowBlockedError: an operator has blocked the workflow (R39).
        """
        digest = request_digest(request)
        asked = principal, request.workflow_id, request.contract_revision
        with self._database.read() as connection:
            known = self._find_known(connection, principal, run_id, digest)
            if known:
                return self._api(connection, known), False
            revision = _require_pinned(get_pin(connection, *asked, self._now()), request)
        # Outside the write transaction: the first reading of a contract takes longer than everything else here.
        contract = load_contract(revision.raw_body, revision.format).contract
        self._require_allowed(principal, run_id, request, contract)
        with self._database.write() as connection:
            if runs.is_taken(connection, run_id):
                return self._api(connection, self._get_known(connection, principal, run_id, digest)), False
            now = self._now()
            # A revocation ends the runs that are there (R6): none may come after it.
            require_living_token(connection, principal, now)
            # Since it was read the workflow may have been deleted, or given another contract.
            pin = get_pin(connection, *asked, now)
            require_unblocked(pin)
            _require_pinned(pin, request)
            require_open_place(connection, principal, now, self._max_open_runs)
            require_minimum(pin, request.contract_revision)
            run = begin_run(connection, _new_run(principal, run_id, digest, request, pin, now), now, self._new_id)
        return run.api(now, has_requirements=contract.has_requirements), True

    def get(self, principal: Principal, run_id: str) -> RunDetail:
        """Return a run with everything that the server knows of it.

        Raises:
            NotFoundError: there is none, or it belongs to another organization.
            NotAllowedError: it lies outside the token's scope.
        """
        with self._database.read() as connection:
            return describe_run(connection, get_run(connection, principal, run_id), self._now())

    def list(self, principal: Principal, query: RunQuery, paging: Paging) -> Page[WorkflowRun]:
        """Return the runs that the token reaches, newest first in the server's order (R18).

        Raises:
            RequestInvalidError: a filter or the cursor cannot be used.
            NotFoundError: the filter names a workflow or project that does not exist.
            NotAllowedError: the filter names one outside the token's scope.
        """
        binding = bind("runs", principal.organization_id, reach=principal.reach, query=query)
        after = paging.after(binding, (0,))
        now = self._now()
        with self._database.read() as connection:
            found = run_lists.list_page(
                connection,
                principal.organization_id,
                resolve(connection, principal, query),
                before=int(after[0]) if after else None,
                limit=paging.limit + 1,
                now=now,
            )
            page = paging.page(found, binding, lambda run: (run.sequence,))
            asks = list_with_requirements(connection, page.items)
        items = (run.api(now, has_requirements=asks[run.contract_id, run.contract_revision]) for run in page.items)
        return Page(tuple(items), page.next_cursor)

    def cancel(self, principal: Principal, run_id: str, request: CancelRequest, handle: str | None) -> WorkflowRun:
        """End a run that will not be pushed; ending it the same way again gets the same answer.

        A job shows the run's handle; an operator may end any run without it, and on a full disk too. A job's token is
        worth little (R1): the space that is kept back to revoke it is not for it to spend.

        Raises:
            NotAllowedError: the handle is missing or wrong, or the run lies outside the token's scope.
            RunEndedError: it has ended in another way.
        """
        if principal.role in OPERATORS:
            return self._reserve.insist(lambda: self._cancel(principal, run_id, request, handle))
        return self._cancel(principal, run_id, request, handle)

    def _cancel(self, principal: Principal, run_id: str, request: CancelRequest, handle: str | None) -> WorkflowRun:
        now = self._now()
        with self._database.write() as connection:
            run = get_run(connection, principal, run_id)
            if handle is not None or principal.role not in OPERATORS:
                run.require_handle(handle)
            ended = run.canceled(request.trigger, request.reason, now)
            if ended is not run:
                if request.unmet and request.trigger is CancelTrigger.FAILURE:
                    ended = ended.refused()
                    self._write_unmet(connection, principal, run, request, now)
                end_run(connection, ended, now, self._new_id)
                if run.token_id != principal.token_id:
                    facts = {"trigger": request.trigger.value, "reason": request.reason}
                    audit.add(connection, audit_of(principal, now, AuditAction.RUN_CANCELED, run.id, facts))
            return self._api(connection, ended)

    def _write_unmet(
        self, connection: Connection, principal: Principal, run: Run, request: CancelRequest, now: datetime
    ) -> None:
        """Write down why a job ended its own run, as a store that was refused before it was sent.

        It is the job's word, and says no more than the end itself: that nothing good is to be said of this run.
        """
        findings = tuple(ProblemFinding(item.code, item.message) for item in request.unmet or ())
        refusals.add_store_refusal(
            connection,
            run.organization_id,
            run.id,
            Refusal(now, ContractNotMetError.code, "", findings),
            refusal_id=self._new_id(),
            token_id=principal.token_id,
            address=principal.address[:64],
        )

    def list_refused_inits(self, principal: Principal, workflow_id: str, paging: Paging) -> Page[RefusedInit]:
        """Return the inits of a workflow that were refused for their runner, newest first.

        Raises:
            NotFoundError: there is no such workflow, or it belongs to another organization.
            NotAllowedError: it lies outside the token's scope.
        """
        binding = bind("refused-inits", principal.organization_id, workflow=workflow_id)
        after = paging.after(binding, ("", ""))
        with self._database.read() as connection:
            _get_workflow(connection, principal, workflow_id)
            found = refusals.list_init_refusals(
                connection, principal.organization_id, workflow_id, after=after, limit=paging.limit + 1
            )
        page = paging.page(found, binding, lambda entry: entry[0])
        return Page(tuple(item for _, item in page.items), page.next_cursor)

    def _find_known(self, connection: Connection, principal: Principal, run_id: str, digest: Digest) -> Run | None:
        run = runs.find(connection, principal.organization_id, run_id)
        if run is None:
            return None
        principal.require_reach(project_id=run.project_id, workflow_id=run.workflow_id)
        if run.request_digest != digest:
            raise ConflictError(
                f"workflow run {run_id} was begun by another request; it stays as it is",
                hint="begin with a new run id, which `chainloop attestation init` makes by itself",
            )
        return run

    def _get_known(self, connection: Connection, principal: Principal, run_id: str, digest: Digest) -> Run:
        known = self._find_known(connection, principal, run_id, digest)
        if known is None:
            # It belongs to another organization.
            raise run_not_found(run_id)
        return known

    def _require_allowed(self, principal: Principal, run_id: str, request: RunRequest, contract: Contract) -> None:
        """Refuse a runner or an event that the contract does not allow."""
        if contract.runner and contract.runner != request.runner_type:
            self._refuse(principal, run_id, request, contract.runner)
        if finding := check_event(contract, request.ci.event):
            raise ContractNotMetError(f"{finding.message}; no run was begun", hint=finding.hint, findings=[finding])

    def _refuse(self, principal: Principal, run_id: str, request: RunRequest, required: RunnerType) -> NoReturn:
        refusal = refusals.InitRefusal(
            id=self._new_id(),
            organization_id=principal.organization_id,
            workflow_id=request.workflow_id,
            run_id=run_id,
            at=self._now(),
            required_runner=required.value,
            runner_type=request.runner_type,
            ci=request.ci,
            token_id=principal.token_id,
            address=principal.address[:64],
        )
        with self._database.write() as connection:
            workflow = _get_workflow(connection, principal, request.workflow_id)
            refusals.add_init_refusal(connection, refusal, keep=MAX_REFUSED_INITS)
            counters.add(connection, principal.organization_id, REFUSED_INITS)
            tell(
                connection,
                principal,
                EventKind.RUN_REFUSED,
                refusal.at,
                self._new_id,
                subject=run_id,
                project_id=workflow.project_id,
                workflow_id=workflow.id,
                facts={
                    "workflow": workflow.name,
                    "project": workflow.project,
                    "requiredRunner": refusal.required_runner,
                    "runnerType": refusal.runner_type,
                    "commit": request.ci.head_sha,
                },
            )
        raise RunnerMismatchError(refusal.required_runner, refusal.runner_type)

    def _api(self, connection: Connection, run: Run) -> WorkflowRun:
        asks = list_with_requirements(connection, [run])
        return run.api(self._now(), has_requirements=asks[run.contract_id, run.contract_revision])


def request_digest(request: RunRequest) -> Digest:
    """Return what tells one request to begin a run from another, whatever the order of its fields."""
    return sha256_digest(json.dumps(to_dict(request), sort_keys=True).encode())


def _new_run(principal: Principal, run_id: str, digest: Digest, request: RunRequest, pin: Pin, now: datetime) -> Run:
    workflow = pin.workflow
    return Run(
        id=run_id,
        organization_id=principal.organization_id,
        project_id=workflow.project_id,
        workflow_id=workflow.id,
        contract_id=workflow.contract_id,
        contract_revision=request.contract_revision,
        contract_digest=request.contract_digest,
        runner_type=request.runner_type,
        runner_url=request.runner_url,
        runner_environment=request.runner_environment,
        state_location=request.state_location,
        handle_sha256=request.handle_sha256,
        request_digest=digest,
        project_version=request.project_version,
        client_version=request.client_version,
        ci=request.ci,
        late=request.late or False,
        token_id=principal.token_id,
        created_address=principal.address[:64],
        created_at=now,
        last_accepted_at=now,
        expires_at=now + timedelta(seconds=pin.run_life_seconds),
        names=RunNames(
            organization=workflow.organization,
            project=workflow.project,
            workflow=workflow.name,
            team=workflow.team,
            contract=workflow.contract,
            contract_revision_latest=workflow.contract_revision,
            token=principal.token_name,
        ),
    )


def _get_workflow(connection: Connection, principal: Principal, workflow_id: str) -> StoredWorkflow:
    workflow = workflows.find(connection, principal.organization_id, workflow_id)
    if workflow is None:
        raise NotFoundError(
            f"there is no workflow {workflow_id}", hint="`chainloop workflow list` names those of this token"
        )
    principal.require_reach(project_id=workflow.project_id, workflow_id=workflow.id)
    return workflow


def _require_pinned(pin: Pin, request: RunRequest) -> StoredRevision:
    """Return the contract revision that a run asks for, checked against what it says of it."""
    revision = require_revision(pin, request.contract_revision)
    findings = []
    if revision.digest != request.contract_digest:
        message = f"revision {revision.revision} has the digest {revision.digest}, found {request.contract_digest}"
        findings.append(Finding("contract-digest", message, path="/contractDigest"))
    if request.runner_type not in _RUNNER_TYPES:
        message = f"expected one of {', '.join(_RUNNER_TYPES)}, found {request.runner_type!r}"
        findings.append(Finding("invalid-field", message, path="/runnerType"))
    if request.late and request.state_location is StateLocation.SHARED:
        # R20: it is completed from one file; jobs that share a state could go on with it in later attempts (R16).
        message = f"a late run has its state in a file: expected {StateLocation.LOCAL}, found {StateLocation.SHARED}"
        findings.append(Finding("invalid-field", message, path="/stateLocation"))
    if findings:
        raise RequestInvalidError("; ".join(map(str, findings)), findings=findings)
    _require_current(pin, request)
    return revision


def _require_current(pin: Pin, request: RunRequest) -> None:
    """R20: what a job was held to while nobody could ask says nothing; a late run is judged by today's revision."""
    current = pin.default_revision
    if request.late and request.contract_revision != current:
        raise ConflictError(
            f"a late run is judged by the revision of contract {pin.workflow.contract} that is in force, {current}; "
            f"found {request.contract_revision}",
            hint="repeat the same command: it asks for that revision again",
        )
