"""What a verdict on a commit is made of: the facts that services read for `server.model.verdict.judge`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chainloop_ci.api.runs import RunState
from chainloop_ci.api.words import CancelTrigger
from chainloop_ci.api.words import OverrideKind as OverrideKind
from server.model.runs import UNVERIFIED, Run, shown_state

MAX_CI_WAIT = timedelta(hours=6)
"""A CI run whose end was not heard of for so long is waited for no more: nobody waits for ever (GitHub's own runners
end a job then)."""

Slot = tuple[str | None, str | None, str | None]
"""CI event, job and matrix leg: of each the latest run counts (R32)."""


class Corroboration(StrEnum):
    """How far the CI facts of a run are proven (R30)."""

    CLAIMED = "claimed"
    """By the client's word, until the forge knows. A late run whose CI run had ended stays so (R20)."""
    CORROBORATED = "corroborated"
    """Read by the server from the forge."""
    AUTHENTICATED = "authenticated"
    """Proven by the CI's own token."""
    CONTRADICTED = "contradicted"
    """The forge knows of no such CI run, or of another repository, file, commit or time."""

    @property
    def is_proven(self) -> bool:
        """Tell whether a run of it may cause a final status."""
        return self in (Corroboration.CORROBORATED, Corroboration.AUTHENTICATED)

    @property
    def is_contradicted(self) -> bool:
        """Tell whether the forge says otherwise."""
        return self is Corroboration.CONTRADICTED


@dataclass(frozen=True, slots=True)
class Refused:
    """The newest refused store of a run, or a refused init: that has no run, and stands as one that ended as error."""

    code: str
    """Of the error: `attestation-refused`, `runner-mismatch`, …"""
    first_finding: str = ""
    """Its message; may name materials."""
    count: int = 1
    """Of the findings."""
    missing: tuple[str, ...] = ()
    """Names of the required materials that the findings miss."""
    contract_not_met: bool = False
    """All findings are of the contract: something is missing, or of another type, or the runner is another one."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What a newer revision asks that the attestation does not have (R38)."""

    revision: int
    enforced_from: datetime
    missing: tuple[str, ...]
    """Names of materials, or short words for what else is new."""


@dataclass(frozen=True, slots=True)
class CountedRun:
    """A run of the workflow that is about the commit. The store may give those that do not count; they are left out."""

    id: str
    sequence: int
    """The server's own order (R18)."""
    state: RunState
    """As stored; an overdue one is expired (`shown_state`)."""
    expires_at: datetime
    reason: str = ""
    life_seconds: int = 0
    """How long it lives after an accepted request (R15)."""
    ended_by: str = ""
    """Who cancelled it, for people."""
    corroboration: Corroboration = Corroboration.CLAIMED
    ci_run_id: str | None = None
    ci_attempt: int | None = None
    """Orders nothing unless proven (R18)."""
    event: str | None = None
    job: str | None = None
    job_index: str | None = None
    predecessor_id: str | None = None
    """The run that it goes on with, which counts no more (R16)."""
    late: bool = False
    """R20."""
    refused: Refused | None = None
    missing: tuple[str, ...] = ()
    """Names of required materials that are known to be missing."""
    present_count: int | None = None
    """Required materials that are there, as the jobs of an open run count them (claimed: their shared state is sealed);
    None: not known, since a local state stays in its job."""
    required_count: int = 0
    """A group counts as one."""
    revision: int = 0
    has_requirements: bool = True
    """R37."""
    is_verified: bool = True
    """A registered key that is not revoked signed the stored attestation."""
    gate_violations: tuple[str, ...] = ()
    """Names of the policies that block."""
    advisories: int = 0
    """Violations of policies that only advise."""
    upcoming: Upcoming | None = None

    @classmethod
    def of(cls, run: Run, corroboration: Corroboration) -> CountedRun:
        """Return what a stored run alone says; materials, refusals, policies and keys are added by `replace`."""
        return cls(
            id=run.id,
            sequence=run.sequence,
            state=run.state,
            expires_at=run.expires_at,
            reason=run.reason,
            life_seconds=int((run.expires_at - run.last_accepted_at).total_seconds()),
            corroboration=corroboration,
            ci_run_id=run.ci.run_id,
            ci_attempt=run.ci.run_attempt,
            event=run.ci.event,
            job=run.ci.job,
            job_index=run.ci.job_index,
            predecessor_id=run.predecessor_id,
            late=run.late,
            revision=run.contract_revision,
        )

    @property
    def slot(self) -> Slot:
        """Return what it is the latest of (R32)."""
        return (self.event, self.job, self.job_index)

    @property
    def is_superseded(self) -> bool:
        """Tell whether another run of its job took its place (R17)."""
        return self.state is RunState.CANCELED and self.reason == CancelTrigger.SUPERSEDED.value

    @property
    def is_unverified(self) -> bool:
        """Tell whether it holds an attestation that nobody known signed (R4)."""
        if self.state is RunState.ERROR:
            return self.reason == UNVERIFIED
        return self.state is RunState.SUCCESS and not self.is_verified

    def state_at(self, now: datetime) -> RunState:
        """Return the state that counts."""
        return shown_state(self.state, self.expires_at, now)


class ApplicabilityKind(StrEnum):
    """Whether a workflow has to attest a commit (R34, R35)."""

    APPLICABLE = "applicable"
    NOT_APPLICABLE = "not-applicable"
    MISSING = "missing"
    """It has to, and the change itself keeps it from running."""
    UNTRUSTED_HEAD = "untrusted-head"
    NOT_YET = "not-yet"
    """Nobody asks for it yet, and nobody but its author would excuse it: it was is for an unprotected branch."""


@dataclass(frozen=True, slots=True)
class Applicability:
    """Whether a workflow has to attest a commit, and why; the reason is short, it goes into a status."""

    kind: ApplicabilityKind
    reason: str = ""


APPLICABLE = Applicability(ApplicabilityKind.APPLICABLE)


@dataclass(frozen=True, slots=True)
class HeadFacts:
    """A head that the forge told of; an attestation of it is due."""

    seen_at: datetime
    """When the server heard of it."""
    grace_seconds: int


@dataclass(frozen=True, slots=True)
class CiJob:
    """A job of a CI run, as the forge names it."""

    name: str
    """With the leg of its matrix: `build (linux, 3.12)` on GitHub, `build 1/3` on GitLab."""
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class CiRun:
    """A run of the workflow's CI file on the commit, as the forge tells it; of several attempts the newest."""

    id: str
    seen_at: datetime
    """When the server first heard of this attempt."""
    ended_at: datetime | None = None
    jobs: tuple[CiJob, ...] = ()
    """Those that are known; skipped ones left out."""

    def is_running(self, now: datetime) -> bool:
        """Tell whether it is worth waiting for."""
        return self.ended_at is None and now < self.seen_at + MAX_CI_WAIT


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's word on the workflow, on a run of it or on its verdict on the commit; not ended by an operator."""

    kind: OverrideKind
    reason: str
    by: str
    """The name of the token."""
    until: datetime | None = None
    run_id: str | None = None
    """The run that is distrusted."""

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it counts; one with an end does not from then on."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class VerdictSettings:
    """What an administrator decided; each is audited where it is set."""

    names_allowed: bool = True
    """Descriptions may name materials and workflows; a public repository needs leave for that (R47)."""
    untrusted_heads_pass: bool = False
    """Success for heads that nobody attested: it opens the gate of required checks (R35)."""


@dataclass(frozen=True, slots=True)
class CommitContext:
    """Everything that the verdict of one workflow on one commit follows from."""

    workflow: str
    """Its name, for people."""
    runs: Sequence[CountedRun] = ()
    """All that are about the commit, in any order."""
    applicability: Applicability = APPLICABLE
    head: HeadFacts | None = None
    """None: only runs told of the commit; nothing is due."""
    ci_runs: Sequence[CiRun] = ()
    """Read from the forge or from verified webhooks; empty where neither is set up."""
    overrides: Sequence[Override] = ()
    settings: VerdictSettings = field(default_factory=VerdictSettings)
