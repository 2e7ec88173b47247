"""Workflow runs: one-way states as pure transitions, the run handle, expiry (R14, R15, R17, R18)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chainloop_ci.api.runs import RunState, StateLocation, WorkflowRun
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.digests import Digest, sha256_digest
from chainloop_ci.errors import ConflictError, NotAllowedError, RunEndedError
from chainloop_ci.runners.types import CiIdentity

UNVERIFIED = "unverified"
"""Reason of a run whose attestation no registered key signed (R4)."""
REVOKED = "the token that began it was revoked"
"""Reason of a run that ended with its token (R6)."""
MAX_REFUSALS = 100
"""Refused stores of one run that are kept with their findings; further ones are only counted."""
MAX_REFUSED_INITS = 1000
"""Refused inits of one workflow that are kept, the newest; older ones are only counted (T30)."""


def shown_state(stored: RunState, expires_at: datetime, now: datetime) -> RunState:
    """Return the state that counts: an overdue run is expired, whether or not somebody wrote that down (R15)."""
    overdue = stored is RunState.INITIALIZED and now >= expires_at
    return RunState.EXPIRED if overdue else stored


@dataclass(frozen=True, slots=True)
class RunNames:
    """What the ids of a run stand for; joined when it is read, never part of the run."""

    organization: str = ""
    project: str = ""
    workflow: str = ""
    team: str = ""
    contract: str = ""
    contract_revision_latest: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `workflow_runs`."""

    id: str
    organization_id: str
    project_id: str
    workflow_id: str
    contract_id: str
    contract_revision: int
    contract_digest: Digest
    runner_type: str
    handle_sha256: str
    request_digest: Digest
    token_id: str
    created_at: datetime
    last_accepted_at: datetime
    expires_at: datetime
    ci: CiIdentity
    sequence: int = 0
    """The server's own order (R18); 0 until it is stored."""
    state: RunState = RunState.INITIALIZED
    """As stored; what counts is `state_at`."""
    reason: str = ""
    state_location: StateLocation = StateLocation.LOCAL
    runner_url: str = ""
    runner_environment: str = "unknown"
    project_version: str = ""
    client_version: str = ""
    finished_at: datetime | None = None
    attestation_digest: Digest | None = None
    attested_commit: str | None = None
    """The statement's, when it is another than the one that the CI system named."""
    late: bool = False
    """R20: begun after its job, with what was signed while the server did not answer."""
    created_address: str = ""
    """Where the request came from that began it."""
    predecessor_id: str | None = None
    """The run of an earlier attempt that this one goes on with (R16)."""
    first_run_id: str | None = None
    """The first of those; None when there is none before it."""
    pinned_at: datetime | None = None
    """When that one pinned the contract revision (R19)."""
    distrusted_at: datetime | None = None
    """R39: since when an operator does not trust it; its state stays, and it counts as success nowhere."""
    refusals: int = 0
    stored_bytes: int = 0
    names: RunNames = field(default_factory=RunNames)

    @property
    def commit(self) -> str | None:
        """Return the commit that it is about: the statement's, else the one that the CI system named."""
        return self.attested_commit or self.ci.head_sha

    @property
    def held_since(self) -> datetime:
        """Return since when the contract revision is pinned: a successor keeps the pin of the first run (R16, R19)."""
        return self.pinned_at or self.created_at

    def state_at(self, now: datetime) -> RunState:
        """Return the state that counts (`shown_state`)."""
        return shown_state(self.state, self.expires_at, now)

    def is_open_at(self, now: datetime) -> bool:
        """Tell whether it takes something yet."""
        return self.state_at(now) is RunState.INITIALIZED

    def ended_at(self, now: datetime) -> datetime | None:
        """Return when the run ended, or None while it is open."""
        return self.expires_at if self.state_at(now) is RunState.EXPIRED else self.finished_at

    def require_handle(self, handle: str | None) -> None:
        """Refuse who does not hold the run's handle (R14); compared in constant time.

        Raises:
            NotAllowedError: the handle is missing or another one.
        """
        found = hashlib.sha256((handle or "").encode("utf-8", "surrogateescape")).hexdigest()
        if not hmac.compare_digest(found, self.handle_sha256):
            raise NotAllowedError(
                f"the run handle of workflow run {self.id} is {'wrong' if handle else 'missing'}; nothing was changed",
                hint="only the job that began the run holds its handle: go on with the state file of that job, or "
                f"begin a run of your own with `{self._init_command()}`",
            )

    def require_open(self, now: datetime) -> None:
        """Refuse what is meant for an open run when it has ended (R15).

        Raises:
            RunEndedError: says how it ended and which command goes on.
        """
        state = self.state_at(now)
        if state is RunState.INITIALIZED:
            return
        ended = self.ended_at(now)
        when = f" at {ended:%Y-%m-%dT%H:%M:%SZ}" if ended else ""
        why = f" ({self.reason})" if self.reason and state is not RunState.EXPIRED else ""
        raise RunEndedError(
            f"workflow run {self.id} ended as {state.value}{when}{why}; it takes nothing more",
            hint=self._way_on(),
        )

    def require_shared(self) -> None:
        """Refuse to keep the state of a run that keeps it in a file of its job.

        Raises:
            ConflictError: it was begun without a shared state.
        """
        if self.state_location is not StateLocation.SHARED:
            raise ConflictError(
                f"workflow run {self.id} was begun with a state file of its job; it has no shared state",
                hint=f"begin one whose state is shared: `{self._init_command()} --remote-state`",
            )

    def require_rerun(self, ci: CiIdentity, now: datetime) -> None:
        """Refuse to go on with an ended run unless the same CI run asks in a later attempt (R16).

        Raises:
            RunEndedError: says how it ended and which command goes on.
        """
        if not ci.is_later_attempt_of(self.ci):
            self.require_open(now)

    def require_joiner(self, ended: Run, ci: CiIdentity, now: datetime) -> None:
        """Refuse to go on with this successor of `ended` unless its own attempt asks, or a later one (R16).

        Raises:
            RunEndedError: of the run that was asked for.
        """
        if not ci.is_attempt_since(self.ci):
            ended.require_open(now)

    def accepted(self, now: datetime) -> Run:
        """Return the open run prolonged: its life begins anew with every accepted request (R15)."""
        return replace(self, last_accepted_at=now, expires_at=now + self._life)

    def succeeded_by(
        self, run_id: str, ci: CiIdentity, *, token_id: str, token_name: str, address: str, now: datetime
    ) -> Run:
        """Return the run that goes on with this ended one in the attempt of `ci` (R16).

        Pin and handle are those of this run, and so is what the CI system said of it, the attempt excepted.
        """
        return replace(
            self,
            id=run_id,
            sequence=0,
            state=RunState.INITIALIZED,
            reason="",
            ci=replace(self.ci, run_attempt=ci.run_attempt),
            # No request of a client begins it: none can be repeated.
            request_digest=sha256_digest(f"successor {run_id} of {self.id}".encode()),
            token_id=token_id,
            created_address=address,
            created_at=now,
            last_accepted_at=now,
            expires_at=now + self._life,
            finished_at=None,
            attestation_digest=None,
            attested_commit=None,
            refusals=0,
            predecessor_id=self.id,
            first_run_id=self.first_run_id or self.id,
            pinned_at=self.held_since,
            distrusted_at=None,
            names=replace(self.names, token=token_name),
        )

    def with_upload(self, size_bytes: int, now: datetime) -> Run:
        """Return the open run with an artifact more."""
        return replace(self.accepted(now), stored_bytes=self.stored_bytes + size_bytes)

    def refused(self) -> Run:
        """Return the run with one refusal more; nothing else of it changes (R15)."""
        return replace(self, refusals=self.refusals + 1)

    def canceled(self, trigger: CancelTrigger, reason: str, now: datetime) -> Run:
        """Return the run ended without an attestation (reference section 6.2); the same way again changes nothing.

        Raises:
            RunEndedError: it has ended in another way.
        """
        reason = reason or (trigger.value if trigger is CancelTrigger.SUPERSEDED else "")
        state = RunState.ERROR if trigger is CancelTrigger.FAILURE else RunState.CANCELED
        if self.state is state and self.reason == reason and self.attestation_digest is None:
            return self
        self.require_open(now)
        return replace(self, state=state, reason=reason, finished_at=now)

    def expired(self, now: datetime) -> Run:
        """Return the run ended by its expiry, at the moment at which it had expired (R15).

        Raises:
            RunEndedError: it has ended in another way.
        """
        if self.state_at(now) is not RunState.EXPIRED:
            self.require_open(now)
            raise ValueError(f"run {self.id} has not expired")
        return replace(self, state=RunState.EXPIRED, reason=self._why_expired, finished_at=self.expires_at)

    def attested(self, digest: Digest, now: datetime, *, verified: bool, commit: str | None = None) -> Run:
        """Return the run ended with its attestation of `commit`; one that no registered key signed is no success (R4).

        Raises:
            RunEndedError: it has ended already.
        """
        self.require_open(now)
        return replace(
            self.accepted(now),
            state=RunState.SUCCESS if verified else RunState.ERROR,
            reason="" if verified else UNVERIFIED,
            attestation_digest=digest,
            attested_commit=None if commit == self.ci.head_sha else commit,
            finished_at=now,
        )

    def api(self, now: datetime, *, has_requirements: bool) -> WorkflowRun:
        """Return the wire form as of `now`."""
        return WorkflowRun(
            id=self.id,
            sequence=self.sequence,
            state=self.state_at(now),
            reason=self.reason or (self._why_expired if self.state_at(now) is RunState.EXPIRED else ""),
            workflow_id=self.workflow_id,
            workflow=self.names.workflow,
            project=self.names.project,
            organization=self.names.organization,
            team=self.names.team,
            contract=self.names.contract,
            contract_revision=self.contract_revision,
            contract_revision_latest=self.names.contract_revision_latest,
            runner_type=self.runner_type,
            runner_url=self.runner_url,
            created_at=self.created_at,
            expires_at=self.expires_at,
            finished_at=self.ended_at(now),
            attestation_digest=self.attestation_digest,
            ci=self.ci,
            commit=self.commit,
            runner_environment=self.runner_environment,
            state_location=self.state_location,
            token_id=self.token_id,
            token_name=self.names.token,
            project_version=self.project_version,
            has_requirements=has_requirements,
            refusals=self.refusals,
            successor_of=self.predecessor_id,
            late=self.late,
            distrusted=self.distrusted_at is not None,
        )

    @property
    def _why_expired(self) -> str:
        return f"no request was accepted for {_render_life(self._life)}"

    @property
    def _life(self) -> timedelta:
        """Return how long the run lives after an accepted request: pinned when it began."""
        return self.expires_at - self.last_accepted_at

    def _way_on(self) -> str:
        """Say which command goes on when the run has ended (R15)."""
        again = f"begin a new run with `{self._init_command()}"
        if self.state_location is StateLocation.LOCAL:
            return f"{again} --replace`, add the materials again and push"
        if self.ci.run_attempt is None:
            return f"{again} --remote-state`, add the materials again and push"
        return (
            f"re-run the failed jobs of CI run {self.ci.run_id}: with its next attempt `chainloop attestation add` and "
            f"`push` open the successor of this run and keep its materials; or {again} --remote-state`"
        )

    def _init_command(self) -> str:
        return f"chainloop attestation init --workflow {self.names.workflow} --project {self.names.project}"


def _render_life(life: timedelta) -> str:
    minutes, seconds = divmod(int(life.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
