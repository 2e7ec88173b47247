"""Read everything that the verdict of a workflow on a commit follows from (R30–R39)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.runs import Refusal, RunState, StateLocation
from chainloop_ci.contract.compliance import count_required
from chainloop_ci.contract.types import Contract
from chainloop_ci.errors import ChainloopError, ContractNotMetError
from server.model.corroboration import Claim
from server.model.forge_facts import CiConclusion, CiStatus, ForgeRun
from server.model.head_changes import expected_heads, judge_heads
from server.model.runs import Run
from server.model.sources import StoredSource, StoredWorkflowSource
from server.model.verdict_facts import (
    APPLICABLE,
    CiJob,
    CiRun,
    CommitContext,
    CountedRun,
    HeadFacts,
    Refused,
    VerdictSettings,
)
from server.services.corroborating import Told, prove
from server.services.run_access import get_pinned_contract
from server.services.verdict_additions import find_upcoming, read_overrides
from server.store import commit_runs, refusals, run_states
from server.store.commit_runs import Signer

_OF_CONTRACT = frozenset(
    {"missing-material", "missing-group", "wrong-material-type", "missing-annotation", "runner-mismatch"}
)
"""Findings that say that the contract is not met; any other is a fault of the attestation."""
_MISSING = frozenset({"missing-material", "missing-group"})
_MAX_INITS = 50
"""The newest refused inits of a workflow that are looked at."""


def settings_of(source: StoredSource) -> VerdictSettings:
    """Return what was decided of all commits of a source."""
    return VerdictSettings(source.names_allowed, source.untrusted_heads_pass)


def read_context(
    connection: Connection,
    bound: StoredWorkflowSource,
    name: str,
    sha: str,
    told: Told,
    settings: VerdictSettings,
    now: datetime,
) -> CommitContext | None:
    """Return the facts of one workflow, or None when it has nothing to do with the commit."""
    found = commit_runs.list_of_commit(connection, bound.source.organization_id, bound.workflow_id, sha)
    counted = (*_count_runs(connection, bound, found, told, now), *_count_refused_inits(connection, bound, sha, told))
    expected = expected_heads(bound, told.heads)
    if not counted and not expected:
        return None
    ci_runs = tuple(_ci_runs(bound, told.ci_runs))
    seen_at = min((head.seen_at for head in expected), default=None)
    return CommitContext(
        workflow=name,
        runs=counted,
        applicability=judge_heads(bound, told.heads) if told.heads else APPLICABLE,
        head=HeadFacts(seen_at, bound.expected.grace_seconds) if seen_at else None,
        ci_runs=ci_runs,
        overrides=read_overrides(connection, bound, sha, found, now),
        settings=settings,
    )


def _count_runs(
    connection: Connection, bound: StoredWorkflowSource, found: Sequence[Run], told: Told, now: datetime
) -> Iterable[CountedRun]:
    ids = [run.id for run in found]
    signers = commit_runs.list_signers(connection, bound.source.organization_id, ids) if ids else {}
    present = _count_present(connection, bound.source.organization_id, found)
    for run in found:
        proven = prove(connection, bound, told, Claim.of(run))
        refused = _newest_refusal(connection, run)
        counted = _with_contract(connection, run, _with_signer(CountedRun.of(run, proven), signers), refused)
        yield replace(counted, present_count=present.get(run.id), upcoming=find_upcoming(connection, run, now))


def _count_present(connection: Connection, organization_id: str, found: Sequence[Run]) -> Mapping[str, int]:
    """Return how many required materials open runs have whose state the server keeps."""
    is_open, is_shared = RunState.INITIALIZED, StateLocation.SHARED
    shared = [run.id for run in found if run.state is is_open and run.state_location is is_shared]
    return run_states.count_present(connection, organization_id, shared) if shared else {}


def _with_signer(counted: CountedRun, signers: Mapping[str, Signer]) -> CountedRun:
    signer = signers.get(counted.id)
    return replace(counted, is_verified=signer.verified and not signer.is_revoked) if signer else counted


def _with_contract(connection: Connection, run: Run, counted: CountedRun, refused: Refused | None) -> CountedRun:
    contract = _read_contract(connection, run)
    return replace(
        counted,
        refused=refused,
        required_count=count_required(contract) if contract else 0,
        has_requirements=contract.has_requirements if contract else True,
    )


def _read_contract(connection: Connection, run: Run) -> Contract | None:
    """Return the contract that a run is held to; one that cannot be read any more must not stop the dispatcher."""
    try:
        return get_pinned_contract(connection, run)
    except ChainloopError:
        return None


def _newest_refusal(connection: Connection, run: Run) -> Refused | None:
    if not run.refusals:
        return None
    listed = refusals.list_store_refusals(connection, run.organization_id, run.id)
    return _refused(listed[-1]) if listed else None


def _refused(refusal: Refusal) -> Refused:
    findings = refusal.findings
    return Refused(
        code=refusal.code,
        first_finding=findings[0].message if findings else "",
        count=len(findings),
        missing=tuple(_material_name(item.message) for item in findings if item.code in _MISSING),
        contract_not_met=refusal.code == ContractNotMetError.code
        or (bool(findings) and all(item.code in _OF_CONTRACT for item in findings)),
    )


def _material_name(message: str) -> str:
    """Return the name in the message of a finding: `the material sbom (SBOM_CYCLONEDX_JSON) is required …`."""
    _, found, rest = message.partition("the material ")
    return rest.partition(" ")[0] if found else message.partition('group "')[2].partition('"')[0] or message


def _count_refused_inits(
    connection: Connection, bound: StoredWorkflowSource, sha: str, told: Told
) -> Iterable[CountedRun]:
    """Return the refused inits on the commit: they have no run, and stand as ones that ended as errors (R12)."""
    organization_id = bound.source.organization_id
    listed = refusals.list_init_refusals(connection, organization_id, bound.workflow_id, after=None, limit=_MAX_INITS)
    for _, init in listed:
        ci = init.ci
        if ci is not None and ci.head_sha == sha:
            proven = prove(connection, bound, told, Claim(ci, init.at))
            said = f"runner must be {init.required_runner}"
            yield CountedRun(
                id=init.run_id,
                # Before every run: whatever was begun for the same job since counts.
                sequence=0,
                state=RunState.ERROR,
                expires_at=init.at,
                corroboration=proven,
                ci_run_id=ci.run_id,
                ci_attempt=ci.run_attempt,
                event=ci.event,
                job=ci.job,
                job_index=ci.job_index,
                refused=Refused("runner-mismatch", said, contract_not_met=True),
            )


def _ci_runs(bound: StoredWorkflowSource, told: Sequence[ForgeRun]) -> Iterable[CiRun]:
    """Return the CI runs of the registered file, of each the newest attempt."""
    newest: dict[str, ForgeRun] = {}
    for run in told:
        if run.ci_file == bound.expected.ci_file and run.conclusion is not CiConclusion.SKIPPED:
            before = newest.get(run.ci_run_id)
            newest[run.ci_run_id] = run if before is None or run.attempt > before.attempt else before
    for run in newest.values():
        jobs = (job for job in run.jobs if job.conclusion is not CiConclusion.SKIPPED)
        yield CiRun(
            id=run.ci_run_id,
            seen_at=run.seen_at,
            ended_at=_ended_at(run),
            jobs=tuple(CiJob(job.name, job.status is CiStatus.ENDED) for job in jobs),
        )


def _ended_at(run: ForgeRun) -> datetime | None:
    return (run.ended_at or run.told_at) if run.status is CiStatus.ENDED else None
