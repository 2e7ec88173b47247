"""What a token did, in the words of the wire."""

from __future__ import annotations

from datetime import datetime

from chainloop_ci.api.audit import Activity
from chainloop_ci.api.runs import RefusedInit, RunState
from chainloop_ci.attestation.times import render_time
from server.model.audit import StoredAudit
from server.store.token_activity import BegunRun, Done, RefusedStore

MAX_UPLOADS = 20
"""Digests of uploads that one entry lists."""


def describe(done: Done, now: datetime) -> Activity:
    """Return the wire form of something that a token did, as of `now`."""
    match done:
        case BegunRun():
            return _begun(done, now)
        case RefusedStore():
            return _refused_store(done)
        case RefusedInit():
            return _refused_init(done)
        case StoredAudit():
            return _changed(done)


def _begun(done: BegunRun, now: datetime) -> Activity:
    run = done.run
    state, ended_at = run.state_at(now), run.ended_at(now)
    detail: dict[str, object] = {"state": state.value, "runner": run.runner_type}
    optional = {
        "finishedAt": render_time(ended_at) if ended_at else None,
        "expiresAt": render_time(run.expires_at) if state is RunState.INITIALIZED else None,
        "commit": run.commit,
        "repository": run.ci.repository,
        "runnerUrl": run.runner_url,
        "attestation": run.attestation_digest,
        "reason": run.reason,
        "refusedStores": run.refusals,
        "uploads": list(done.uploads[:MAX_UPLOADS]),
        "uploadsInAll": len(done.uploads),
        "uploadedBytes": run.stored_bytes,
    }
    detail |= {name: value for name, value in optional.items() if value}
    names, address = run.names, run.created_address
    return Activity(run.created_at, "run.begun", run.id, names.project, names.workflow, address, detail)


def _refused_store(done: RefusedStore) -> Activity:
    refusal = done.refusal
    detail: dict[str, object] = {
        "code": refusal.code,
        "bundle": refusal.bundle_digest,
        "findings": len(refusal.findings),
        **({"first": refusal.findings[0].message} if refusal.findings else {}),
    }
    return Activity(refusal.at, "store.refused", done.run_id, done.project, done.workflow, done.address, detail)


def _refused_init(done: RefusedInit) -> Activity:
    detail: dict[str, object] = {
        "requiredRunner": done.required_runner,
        "runner": done.runner_type,
        **({"repository": done.ci.repository} if done.ci and done.ci.repository else {}),
    }
    return Activity(done.at, "init.refused", done.run_id, done.project, done.workflow, done.address, detail)


def _changed(done: StoredAudit) -> Activity:
    record = done.record
    detail = record.detail_on_the_wire()
    return Activity(record.at, record.action.value, record.subject, address=record.address, detail=detail)
