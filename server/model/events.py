"""Domain events: what happened, written down in the transaction that makes it happen, told to others afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chainloop_ci.api.integrations import EventRecord
from chainloop_ci.api.record import to_dict
from chainloop_ci.api.runs import RunState
from server.model.runs import UNVERIFIED, Run


class EventKind(StrEnum):
    """What can happen; the values are the wire names, which filters of attachments use."""

    RUN_INITIALIZED = "run.initialized"
    RUN_REFUSED = "run.refused"
    """An init that the contract does not allow; there is no run."""
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_CANCELED = "run.canceled"
    RUN_EXPIRED = "run.expired"
    ATTESTATION_STORED = "attestation.stored"
    ATTESTATION_REFUSED = "attestation.refused"
    """A store that was refused; the run stays as it was (R15)."""
    ATTESTATION_MISSING = "attestation.missing"
    CONTRACT_REVISED = "contract.revised"
    CONTRACT_ENFORCED = "contract.enforced"
    CONTRACT_ANNOUNCED = "contract.announced"
    """What a revision with a date will ask of workflows that do not meet it yet (R38)."""
    WORKFLOW_CHANGED = "workflow.changed"
    SOURCE_CHANGED = "source.changed"
    HEAD_SEEN = "head.seen"
    HEAD_LEARNED = "head.learned"
    """What it changes: the forge was asked."""
    CI_RUN_SEEN = "ci-run.seen"
    HOOK_ASKED = "hook.asked"
    """Somebody wants our webhook of a source looked after."""
    INBOUND_RECEIVED = "inbound.received"
    """Of earlier servers: a webhook had come. Its row says by itself now that it waits (ADR 0054)."""
    CHECK_REREQUESTED = "check.rerequested"
    """Somebody pressed the button that runs a check again."""
    STATUS_SEEN = "status.seen"
    """A status or check run under one of our names, whoever wrote it (R40)."""
    STATUS_FORGED = "status.forged"
    """Somebody else wrote under one of our names, and what we said was told again (R40)."""
    STATUS_CONTESTED = "status.contested"
    """That happened too often on one commit: it is not corrected any more, people have to look."""
    STATUS_CHECK_REQUESTED = "status-check.requested"
    """GitLab asks for the answer of an external status check (R41)."""
    GATE_REQUESTED = "gate.requested"
    """A deployment of GitHub waits for our word (R36)."""
    INSTALLATION_CHANGED = "installation.changed"
    """Of our GitHub App: made, suspended, removed, or given other repositories (R42)."""
    GATE_ANSWERED = "gate.answered"
    """What it is told; only the App that was asked is."""
    VERDICT_CHANGED = "verdict.changed"
    OVERRIDE_SET = "override.set"
    OVERRIDE_ENDED = "override.ended"
    TOKEN_CREATED = "token.created"  # noqa: S105  # no password
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  # no password
    INTEGRATION_PAUSED = "integration.paused"
    INTEGRATION_RESUMED = "integration.resumed"
    INTEGRATION_TESTED = "integration.tested"
    """Only the integration that is tested is told."""
    CREDENTIAL_EXPIRING = "credential.expiring"
    DELIVERY_DEAD = "delivery.dead"


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `events`."""

    id: str
    """A UUID; receivers dedupe by it."""
    organization_id: str
    kind: EventKind
    at: datetime
    subject: str
    """Id or name of what it happened to."""
    project_id: str | None = None
    workflow_id: str | None = None
    run_id: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    """JSON values under their wire names; never a secret."""
    only_registration_id: str | None = None
    """Set: no other registration is told."""
    sequence: int = 0
    """The order in which they are told; 0 until it is stored."""

    def api(self) -> EventRecord:
        """Return the wire form."""
        return EventRecord(
            id=self.id,
            kind=self.kind.value,
            at=self.at,
            subject=self.subject,
            project_id=self.project_id,
            workflow_id=self.workflow_id,
            run_id=self.run_id,
            facts=dict(self.facts),
        )


_ENDED = {
    RunState.SUCCESS: EventKind.RUN_SUCCEEDED,
    RunState.ERROR: EventKind.RUN_FAILED,
    RunState.CANCELED: EventKind.RUN_CANCELED,
    RunState.EXPIRED: EventKind.RUN_EXPIRED,
}


def run_event(
    event_id: str,
    run: Run,
    at: datetime,
    kind: EventKind | None = None,
    facts: Mapping[str, object] | None = None,
) -> Event:
    """Return the event of a run: `kind`, or how it has ended.

    Its facts are state, reason, commit, contract revision and CI run, and whatever else is given.
    """
    known = {
        "state": run.state.value,
        "reason": run.reason,
        "workflow": run.names.workflow,
        "project": run.names.project,
        "contractRevision": run.contract_revision,
        "commit": run.commit,
        "ci": to_dict(run.ci),
        "late": run.late or None,
        "runnerUrl": run.runner_url,
        "attestationDigest": run.attestation_digest,
        "verified": None if run.attestation_digest is None else run.reason != UNVERIFIED,
    }
    return Event(
        id=event_id,
        organization_id=run.organization_id,
        kind=kind or _ENDED[run.state],
        at=at,
        subject=run.id,
        project_id=run.project_id,
        workflow_id=run.workflow_id,
        run_id=run.id,
        facts={name: value for name, value in {**known, **(facts or {})}.items() if value not in (None, "")},
    )
