"""What has drifted from what operators asked for, and what to do about each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chainloop_ci.api.drift import DriftItem
from chainloop_ci.api.words import DriftKind as DriftKind
from server.model.overrides import StoredOverride
from server.model.spans import roughly

REMEMBERED = timedelta(days=90)
"""Commits that were missed longer ago are listed no more."""


@dataclass(frozen=True, slots=True)
class DriftingWorkflow:
    """A workflow with the facts of one kind of drift; None where they are not that kind's."""

    id: str
    name: str
    project: str
    team: str
    created_at: datetime
    since: datetime
    run_id: str | None = None
    state: str | None = None
    """Of the run."""
    reason: str = ""
    cadence_seconds: int | None = None
    attested_at: datetime | None = None
    revision: int | None = None
    """That the last attestation was held to."""
    enforced_revision: int | None = None


@dataclass(frozen=True, slots=True)
class UnattestedCommit:
    """A commit without the attestation that it should have."""

    verdict_id: str
    workflow_id: str
    workflow: str
    project: str
    team: str
    source: str
    commit: str
    description: str
    since: datetime


def of_workflow(kind: DriftKind, found: DriftingWorkflow, now: datetime) -> DriftItem:
    """Return the wire form of a workflow that drifts."""
    message, advice = _WORDS[kind](found, now)
    return DriftItem(
        kind=kind,
        since=found.since,
        message=message,
        advice=advice,
        project=found.project,
        workflow=found.name,
        workflow_id=found.id,
        team=found.team,
        run_id=found.run_id,
    )


def of_commit(found: UnattestedCommit) -> DriftItem:
    """Return the wire form of a commit that was not attested."""
    named = f"--name {found.workflow} --project {found.project}"
    return DriftItem(
        kind=DriftKind.UNATTESTED,
        since=found.since,
        message=f"{found.description}: commit {found.commit} of {found.source}",
        advice="run its CI workflow on this commit; or let the commit pass: "
        f"`chainloop workflow override {named} --commit {found.commit} --until WHEN --reason TEXT`",
        project=found.project,
        workflow=found.workflow,
        workflow_id=found.workflow_id,
        team=found.team,
        commit=found.commit,
        verdict_id=found.verdict_id,
    )


def of_override(found: StoredOverride) -> DriftItem:
    """Return the wire form of what an operator decided and is in force."""
    by = f" by {found.set_by_name}" if found.set_by_name else ""
    return DriftItem(
        kind=DriftKind.OVERRIDE,
        since=found.set_at,
        message=f"{found.kind.value} of {found.what}{by}: {found.reason}",
        advice=f"end it when it is needed no more: `chainloop workflow override end {found.id} --reason TEXT`",
        project=found.project,
        workflow=found.workflow,
        workflow_id=found.workflow_id,
        commit=found.commit,
        run_id=found.run_id,
        override_id=found.id,
        until=found.until,
    )


def _stopped(found: DriftingWorkflow, now: datetime) -> tuple[str, str]:
    expected = f"one at least every {roughly(timedelta(seconds=found.cadence_seconds or 0))} was expected"
    last = f"no attestation for {roughly(now - found.attested_at)}" if found.attested_at else "no attestation yet"
    advice = f"see whether its CI workflow still runs: `chainloop workflow run list {_filters(found)}`; "
    return f"{last}, {expected}", advice + "or expect less: `chainloop workflow update --cadence`"


def _failing(found: DriftingWorkflow, now: datetime) -> tuple[str, str]:
    why = f" ({found.reason})" if found.reason else ""
    since = f", failing for {roughly(now - found.since)}"
    return f"the last run ended as {found.state}{why}{since}", f"`chainloop workflow run describe --id {found.run_id}`"


def _never_seen(found: DriftingWorkflow, now: datetime) -> tuple[str, str]:
    return (
        f"no run since it was made {roughly(now - found.created_at)} ago",
        "add the step to its pipeline, or delete it: "
        f"`chainloop workflow delete --name {found.name} --project {found.project}`",
    )


def _old_revision(found: DriftingWorkflow, now: datetime) -> tuple[str, str]:
    return (
        f"the last attestation was held to revision {found.revision} of the contract, "
        f"revision {found.enforced_revision} is in force",
        "run its pipeline again: a new run is held to the revision in force",
    )


_WORDS = {
    DriftKind.STOPPED: _stopped,
    DriftKind.FAILING: _failing,
    DriftKind.NEVER_SEEN: _never_seen,
    DriftKind.OLD_REVISION: _old_revision,
}


def _filters(found: DriftingWorkflow) -> str:
    return f"--workflow {found.name} --project {found.project}"
