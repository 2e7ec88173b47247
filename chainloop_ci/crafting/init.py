"""The use case `init`: begin an attestation. Source: reference section 1.3, design section 3.

Everything that can be refused is refused before anything is created. The client makes the run's id and its handle
(R14) and saves them before it sends them: an init whose answer was lost goes on with the same run when it is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.attestation.state import CraftingState, GitHead, Session
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.crafting.annotations import merge_annotations
from chainloop_ci.crafting.job_facts import complete_head, runner_facts
from chainloop_ci.crafting.ports import ControlPlane, Reporter, StateStore
from chainloop_ci.crafting.reset import end_run
from chainloop_ci.crafting.terms import (
    ContractFile,
    Terms,
    TermsFinder,
    Wanted,
    cas_of,
    pin_of,
    require_implemented,
    warn_terms,
)
from chainloop_ci.errors import (
    AlreadyInitializedError,
    ChainloopError,
    ContractNotMetError,
    RunnerMismatchError,
    StateBrokenError,
    UnreachableError,
    UsageError,
)
from chainloop_ci.records import record
from chainloop_ci.runners.registry import ambiguous, discover, enforce, resolve_awaited, resolve_variables
from chainloop_ci.runners.situations import judge
from chainloop_ci.runners.types import CiIdentity, HostFacts, Runner

if TYPE_CHECKING:
    from chainloop_ci.api.runs import RunRequest, StateLocation, WorkflowRun


_OFFLINE = "a dry run also takes a contract's file, and then asks nobody: --contract FILE"


@record
class InitRequest:
    """What the user asked for."""

    wanted: Wanted
    version: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """From `.chainloop.yml`."""
    dry_run: bool = False
    replace: bool = False
    shared: bool = False
    """The jobs of the run share its state, which the control plane keeps."""
    may_queue: bool = False
    """Go on without a control plane that does not answer (`--on-unreachable queue`)."""


@record
class Machine:
    """What the shell knows: facts, clock, chance."""

    facts: HostFacts
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    new_handle: Callable[[], str]
    read_head: Callable[[str | None], GitHead | None]
    """Returns the commit that is built; its argument is a pull request's head."""
    belongs_to_other_job: Callable[[CraftingState, CiIdentity], bool]
    client_version: str


@record
class _Previous:
    """What lies at the place of the state before this init."""

    state: CraftingState | None
    """The attestation that is replaced or gone on with; None when there is none of this job."""
    notice: str = ""
    """What to say once it was replaced."""
    facts: Mapping[str, str] = field(default_factory=dict)


class Init:
    """Begins an attestation."""

    def __init__(
        self,
        *,
        store: StateStore,
        control_plane: Callable[[], ControlPlane],
        control_plane_url: Callable[[], str],
        terms: TermsFinder,
        machine: Machine,
        report: Reporter,
    ) -> None:
        self._store = store
        self._control_plane = control_plane
        self._control_plane_url = control_plane_url
        self._terms = terms
        self._machine = machine
        self._report = report

    def __call__(self, request: InitRequest) -> CraftingState:
        """Begin an attestation and return its state.

        Raises:
            AlreadyInitializedError: this job has one already.
            RunnerMismatchError, VariablesMissingError, SecretVariableError, ContractUnsupportedError: it cannot be
                crafted here.
            ContractNotMetError: the contract does not allow the event that the job was started by.
            NotAllowedError: R2.
            UsageError: a dry run cannot be shared: no control plane knows of it.
        """
        if request.dry_run and request.shared:
            raise UsageError(
                "a dry run has no shared state: it is known to nobody else",
                hint="leave --remote-state out, or --dry-run",
            )
        runner = discover(self._machine.facts)
        previous = self._find_previous(request, runner.ci(self._machine.facts))
        terms, offline = self._find_terms_or_queue(request)
        require_implemented(terms.contract)
        self._require_event(terms, dry_run=request.dry_run)
        ci, head = self._identify(runner)
        if not request.dry_run:
            self._require_runner(terms, runner, ci)
        self._warn_ambiguous(runner)
        state = self._craft(request, terms, runner, ci, head, previous.state)
        if request.dry_run or offline:
            state = state.gone_offline() if offline else state
            self._create(state, previous, replace=request.replace or offline)
            self._report.info("Attestation initialized! now you can check its status or add materials to it")
            return state
        return self._begin(state, terms.settled(), request, previous)

    # --- what is there already ---------------------------------------------------------------------------------------

    def _find_previous(self, request: InitRequest, ci: CiIdentity) -> _Previous:
        """Return what is there: the attestation of this job that is replaced or gone on with, or somebody else's."""
        try:
            previous = self._store.find()
        except StateBrokenError as error:
            if not request.replace:
                raise
            return _Previous(None, "the state file was broken and was replaced", {"reason": error.message})
        if previous is None:
            return _Previous(None)
        if self._machine.belongs_to_other_job(previous, ci):
            run = {"run": previous.pin.run_id} if previous.pin.run_id else {}
            return _Previous(None, "the state of another job was replaced", {"workflow": previous.pin.name, **run})
        if request.dry_run and not previous.dry_run:
            raise _not_for_a_dry_run(previous)
        if request.replace or not previous.is_begun:
            return _Previous(previous)
        if previous.dry_run and not request.dry_run:
            # Nothing of a dry run can become an attestation: it is no reason to stop a real one.
            return _Previous(
                previous, "the dry run that was here was replaced", {"contract": previous.pin.contract_name}
            )
        raise AlreadyInitializedError(previous.pin.name, previous.initialized_at)

    def _create(self, state: CraftingState, previous: _Previous, *, replace: bool) -> None:
        """Save the state, and only then say what it took the place of."""
        self._store.create(state, replace=replace)
        if previous.notice:
            self._report.warning(previous.notice, **previous.facts)

    # --- terms and runner --------------------------------------------------------------------------------------------

    def _find_terms_or_queue(self, request: InitRequest) -> tuple[Terms, bool]:
        """Return the terms, and whether they are those of a file, since the control plane did not answer."""
        try:
            return self._find_terms(request), False
        except UnreachableError as error:
            if request.dry_run or not request.may_queue:
                raise
            return self._terms.without_answer(request.wanted, error), True

    def _find_terms(self, request: InitRequest) -> Terms:
        file = request.wanted.contract
        if request.dry_run and isinstance(file, ContractFile):
            return self._terms.without_control_plane(file)
        try:
            terms = self._terms.ask(request.wanted, may_create=not request.dry_run)
        except ChainloopError as error:
            if request.dry_run:
                named = f"no file here is called {file}" if isinstance(file, str) else None
                error.hint = "; ".join(filter(None, (error.hint, named, _OFFLINE)))
            raise
        warn_terms(terms, self._report)
        return terms

    def _require_runner(self, terms: Terms, runner: Runner, ci: CiIdentity) -> None:
        try:
            enforce(terms.contract.runner, self._machine.facts)
        except RunnerMismatchError:
            if terms.context and terms.pending is None:
                self._report_refused(terms, runner, ci)
            raise

    def _require_event(self, terms: Terms, *, dry_run: bool) -> None:
        from chainloop_ci.contract.compliance import check_event

        finding = check_event(terms.contract, judge(self._machine.facts).event)
        if finding and dry_run:
            self._report.warning(finding.message)
        elif finding:
            raise ContractNotMetError(finding.message, hint=finding.hint, findings=[finding])

    def _report_refused(self, terms: Terms, runner: Runner, ci: CiIdentity) -> None:
        """Let the control plane record that this job tried (a refused init); it makes no run of it."""
        handle = self._machine.new_handle()
        try:
            self._control_plane().put_run(self._machine.new_id(), self._run_request(terms, runner, ci, handle, ""))
        except ChainloopError as error:
            # It is answered with a refusal of its own; ours says the same and more.
            self._report.debug("the control plane answered", code=error.code, answer=error.message)

    def _warn_ambiguous(self, runner: Runner) -> None:
        others = ambiguous(self._machine.facts)
        if others:
            self._report.warning(
                "the environment looks like several CI systems", used=runner.type, also=",".join(others)
            )

    # --- the state ---------------------------------------------------------------------------------------------------

    def _craft(
        self,
        request: InitRequest,
        terms: Terms,
        runner: Runner,
        ci: CiIdentity,
        head: GitHead | None,
        previous: CraftingState | None,
    ) -> CraftingState:
        variables, allowed = resolve_variables(runner, self._machine.facts, terms.contract.env_allow_list)
        facts = self._machine.facts
        awaited = resolve_awaited(facts.env, [name for item in terms.upcoming for name in item.contract.env_allow_list])
        # A run that was begun about another commit stays about that one.
        goes_on = previous and not previous.is_begun and previous.session.ci == ci and not request.dry_run
        again = previous if goes_on else None
        run_id = again.pin.run_id if again else self._machine.new_id()
        handle = again.session.run_handle if again else self._machine.new_handle()
        return CraftingState(
            contract=terms.contract,
            pin=pin_of(terms, request.wanted, run_id="" if request.dry_run else run_id, version=request.version),
            initialized_at=self._machine.now(),
            runner=runner_facts(runner, facts, variables),
            session=Session(
                control_plane="" if terms.context is None else self._control_plane_url(),
                run_handle="" if request.dry_run else handle,
                ci=ci,
                latest_contract_revision=terms.context.contract.latest_revision if terms.context else None,
                shared=request.shared,
            ),
            head=head,
            env={**awaited, **allowed},
            annotations=self._annotate(terms, request),
            cas=cas_of(terms, dry_run=request.dry_run),
            auth_type="AUTH_TYPE_API_TOKEN" if terms.context else "AUTH_TYPE_UNSPECIFIED",
            auth_id=terms.context.token_id if terms.context else "",
            dry_run=request.dry_run,
            # What an operator's token is about to store is enforced at once: nothing waits any more.
            upcoming=() if terms.pending else terms.upcoming,
        )

    def _annotate(self, terms: Terms, request: InitRequest) -> dict[str, str]:
        """Return the annotations of the contract with those of the request; say which of these do not count."""
        annotations, overruled = merge_annotations(terms.contract.annotations, {}, request.annotations)
        for name in overruled:
            self._report.warning("the contract sets this annotation; the other value is not used", annotation=name)
        return annotations

    def _identify(self, runner: Runner) -> tuple[CiIdentity, GitHead | None]:
        """Return what is known of the job, and the commit that it builds; where nobody names it, it is git's word.

        Scripted pipelines of Jenkins have no variable for it.
        """
        ci = runner.ci(self._machine.facts)
        head = self._read_head(ci)
        if head and (runner.type is RunnerType.GENERIC or (runner.type is RunnerType.JENKINS_JOB and not ci.head_sha)):
            ci = replace(ci, head_sha=head.hash)
        return ci, head

    def _read_head(self, ci: CiIdentity) -> GitHead | None:
        if ci.pull_request and ci.head_sha is None:
            # R31: what is checked out may be the test merge commit; an attestation is never about that one.
            self._report.warning("the head commit of the pull request is not known; none is recorded")
            return None
        return complete_head(self._machine.read_head(ci.head_sha), ci.head_sha, self._machine.facts)

    # --- the run -----------------------------------------------------------------------------------------------------

    def _begin(self, state: CraftingState, terms: Terms, request: InitRequest, found: _Previous) -> CraftingState:
        previous = found.state
        pin = pin_of(terms, request.wanted, run_id=state.pin.run_id, version=request.version)
        state = replace(state, pin=pin, cas=cas_of(terms, dry_run=False))
        if previous and not previous.dry_run and previous.is_begun:
            end_run(previous, self._control_plane, CancelTrigger.SUPERSEDED, "", self._report)
        self._create(state, found, replace=request.replace or previous is not None)
        try:
            run = self._create_run(state, terms)
        except UnreachableError as error:
            if not request.may_queue:
                # Perhaps only the answer was lost: the state stays, and the same command goes on with the same run.
                raise
            self._report.warning(
                "the control plane does not answer: the attestation is kept for later", reason=error.message
            )
            return self._store.update(CraftingState.gone_offline)
        state = self._store.update(
            lambda current: replace(
                current,
                session=replace(
                    current.session,
                    expires_at=run.expires_at,
                    view_url=run.view_url,
                    latest_contract_revision=run.contract_revision_latest,
                ),
            )
        )
        self._report.info("Attestation initialized! now you can check its status or add materials to it")
        return state

    def _create_run(self, state: CraftingState, terms: Terms) -> WorkflowRun:
        runner = discover(self._machine.facts)
        session = state.session
        request = self._run_request(terms, runner, session.ci, session.run_handle, state.pin.project_version)
        if session.shared:
            request = replace(request, state_location=_shared())
        try:
            return self._control_plane().put_run(state.pin.run_id, request)
        except UnreachableError:
            raise
        except ChainloopError:
            self._store.clear()
            raise

    def _run_request(self, terms: Terms, runner: Runner, ci: CiIdentity, handle: str, version: str) -> RunRequest:
        from chainloop_ci.api.runs import RunRequest

        context = terms.require_context()
        return RunRequest(
            workflow_id=context.workflow.id,
            contract_revision=context.contract.revision,
            contract_digest=context.contract.digest,
            runner_type=runner.type,
            handle_sha256=sha256(handle.encode()).hexdigest(),
            ci=ci,
            runner_url=runner.run_url(self._machine.facts) or "",
            runner_environment=runner.environment(self._machine.facts),
            project_version=version,
            client_version=self._machine.client_version,
        )


def _shared() -> StateLocation:
    # The wire records are loaded when something is sent.
    from chainloop_ci.api.runs import StateLocation

    return StateLocation.SHARED


def _not_for_a_dry_run(previous: CraftingState) -> AlreadyInitializedError:
    """Return why a dry run takes nobody's place: it ends no run, and one that is forgotten stays open (R17)."""
    error = AlreadyInitializedError(previous.pin.name, previous.initialized_at)
    error.hint = (
        "a dry run never replaces it: drop it with `chainloop attestation reset`, "
        "or try the contract beside it with `--local-state-path FILE`"
    )
    return error
