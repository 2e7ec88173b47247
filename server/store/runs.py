"""Queries of workflow runs. Every one names the organization, except that a run's id is unique on the whole server."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, bindparam, func, insert, select, update

from chainloop_ci.api.runs import RunState, StateLocation
from chainloop_ci.digests import Digest
from chainloop_ci.runners.types import CiIdentity
from server.model.runs import Run, RunNames
from server.store import durations
from server.store.expiry import IS_OPEN, is_overdue
from server.store.tables import api_tokens, contracts, organizations, projects, workflow_runs, workflows
from server.store.times import from_text, optional_text, optional_time, to_text

NEWEST = 100
"""Of a workflow's runs, that are looked at when something is told of one of its builds."""

_PLAIN = (
    "id",
    "organization_id",
    "project_id",
    "workflow_id",
    "contract_id",
    "contract_revision",
    "runner_type",
    "runner_url",
    "runner_environment",
    "handle_sha256",
    "project_version",
    "client_version",
    "token_id",
    "created_address",
    "attested_commit",
    "predecessor_id",
    "first_run_id",
    "late",
    "reason",
    "refusals",
    "stored_bytes",
)
_CI = (
    "server_url",
    "repository",
    "run_id",
    "run_attempt",
    "job",
    "job_index",
    "runner_name",
    "event",
    "ref",
    "head_sha",
    "pull_request",
)
_CI_COLUMNS = tuple((name, f"ci_{name}") for name in _CI)

_INSERT = insert(workflow_runs)


def find(connection: Connection, organization_id: str, run_id: str) -> Run | None:
    """Return a run of the organization, or None."""
    row = connection.execute(_find(), {"organization": organization_id, "run": run_id}).first()
    return to_run(row) if row else None


def find_newest(connection: Connection, run: Run) -> Run:
    """Return the newest run that goes on with `run` (R16), or itself when none does."""
    asked = {"organization": run.organization_id, "first": run.first_run_id or run.id}
    row = connection.execute(_find_newest(), asked).first()
    return to_run(row) if row else run


def find_successor_id(connection: Connection, run: Run) -> str | None:
    """Return the id of the run that goes on with this one (R16), or None."""
    own = workflow_runs.c.organization_id == run.organization_id
    query = select(workflow_runs.c.id).where(workflow_runs.c.predecessor_id == run.id, own)
    return connection.execute(query).scalar()


def is_taken(connection: Connection, run_id: str) -> bool:
    """Tell whether a run of any organization has this id."""
    return connection.execute(_is_taken(), {"run": run_id}).first() is not None


def add(connection: Connection, run: Run) -> Run:
    """Insert a new run and count it on its workflow; return it with its place in the server's order (R18)."""
    key = connection.execute(_INSERT, _values(run)).inserted_primary_key
    connection.execute(_count(), {"workflow": run.workflow_id, "organization": run.organization_id, "run": run.id})
    return replace(run, sequence=key.sequence if key else 0)


def save(connection: Connection, run: Run) -> None:
    """Write what may change of a run."""
    connection.execute(_save(), {"run": run.id, "organization": run.organization_id, **_changing(run)})


def end(connection: Connection, run: Run) -> None:
    """Write a run that has just ended and count its duration: both or neither."""
    save(connection, run)
    durations.count(connection, run)


def list_overdue(connection: Connection, now: datetime, *, limit: int) -> list[Run]:
    """Return runs of all organizations whose time is over and that nobody has ended yet, the longest overdue first."""
    query = select_runs().where(IS_OPEN, is_overdue(now))
    return [to_run(row) for row in connection.execute(query.order_by(workflow_runs.c.expires_at).limit(limit))]


def count_open(connection: Connection, token_id: str, now: datetime, *, limit: int) -> int:
    """Return how many open runs a token has begun, counted up to `limit`."""
    asked = {"token": token_id, "now": to_text(now), "limit": limit}
    return int(connection.execute(_count_open(), asked).scalar_one())


def list_open_of_token(connection: Connection, organization_id: str, token_id: str, now: datetime) -> list[Run]:
    """Return the open runs that a token began."""
    query = select_runs().where(
        workflow_runs.c.organization_id == organization_id,
        workflow_runs.c.token_id == token_id,
        workflow_runs.c.state == RunState.INITIALIZED.value,
        ~is_overdue(now),
    )
    return [to_run(row) for row in connection.execute(query)]


def list_open_of_ci_run(
    connection: Connection, organization_id: str, provider: str, ci_run_id: str, now: datetime
) -> list[Run]:
    """Return the open runs of the organization whose clients named this run of a CI system, in whatever repository."""
    query = select_runs().where(
        IS_OPEN,
        workflow_runs.c.organization_id == organization_id,
        workflow_runs.c.ci_run_id == ci_run_id,
        workflow_runs.c.ci_provider == provider,
        ~is_overdue(now),
    )
    return [to_run(row) for row in connection.execute(query.order_by(workflow_runs.c.sequence))]


def list_claimed_commits(connection: Connection, organization_id: str, workflow_id: str, ci_run_id: str) -> list[str]:
    """Return the commits of those of a workflow's newest runs whose clients named this run of a CI system."""
    columns = workflow_runs.c
    newest = (
        select(columns.ci_run_id, func.coalesce(columns.ci_head_sha, columns.attested_commit).label("sha"))
        .where(columns.organization_id == organization_id, columns.workflow_id == workflow_id)
        .order_by(columns.sequence.desc())
        .limit(NEWEST)
        .subquery()
    )
    named = select(newest.c.sha).where(newest.c.ci_run_id == ci_run_id, newest.c.sha.is_not(None))
    return list(connection.execute(named.distinct().order_by(newest.c.sha)).scalars())


@cache
def _find() -> Select[Any]:
    """Return the query of one run; made once, since every request of a job asks it and making it costs most of it."""
    own = workflow_runs.c.organization_id == bindparam("organization")
    return select_runs().where(workflow_runs.c.id == bindparam("run"), own)


@cache
def _find_newest() -> Select[Any]:
    own = workflow_runs.c.organization_id == bindparam("organization")
    query = select_runs().where(workflow_runs.c.first_run_id == bindparam("first"), own)
    return query.order_by(workflow_runs.c.sequence.desc()).limit(1)


@cache
def _is_taken() -> Select[Any]:
    return select(workflow_runs.c.id).where(workflow_runs.c.id == bindparam("run"))


@cache
def _count() -> Update:
    own = (workflows.c.id == bindparam("workflow"), workflows.c.organization_id == bindparam("organization"))
    return update(workflows).where(*own).values(runs_count=workflows.c.runs_count + 1, last_run_id=bindparam("run"))


@cache
def _save() -> Update:
    own = workflow_runs.c.organization_id == bindparam("organization")
    return update(workflow_runs).where(workflow_runs.c.id == bindparam("run"), own)


@cache
def _count_open() -> Select[Any]:
    runs = workflow_runs.c
    begun = select(runs.token_id).where(
        IS_OPEN, runs.token_id == bindparam("token"), runs.expires_at > bindparam("now")
    )
    return select(func.count()).select_from(begun.limit(bindparam("limit")).subquery())


@cache
def select_runs() -> Select[Any]:
    """Return the query of runs with the names that their ids stand for; the caller adds the conditions."""
    return select(
        workflow_runs,
        organizations.c.name.label("organization_name"),
        projects.c.name.label("project_name"),
        workflows.c.name.label("workflow_name"),
        workflows.c.team.label("workflow_team"),
        contracts.c.name.label("contract_name"),
        contracts.c.latest_revision.label("contract_latest"),
        api_tokens.c.name.label("token_name"),
    ).select_from(
        workflow_runs.join(organizations, organizations.c.id == workflow_runs.c.organization_id)
        .join(projects, projects.c.id == workflow_runs.c.project_id)
        .join(workflows, workflows.c.id == workflow_runs.c.workflow_id)
        .join(contracts, contracts.c.id == workflow_runs.c.contract_id)
        .outerjoin(api_tokens, api_tokens.c.id == workflow_runs.c.token_id)
    )


def to_run(row: Row[Any]) -> Run:
    """Return the record of a row of `select_runs`."""
    # A dictionary of its own answers faster than the row, and a page asks thousands of times.
    values = dict(zip(row._fields, row, strict=True))
    return Run(
        **{name: values[name] for name in _PLAIN},
        sequence=row.sequence,
        state=RunState(row.state),
        state_location=StateLocation(row.state_location),
        contract_digest=Digest(row.contract_digest),
        request_digest=Digest(row.request_digest),
        attestation_digest=Digest(row.attestation_digest) if row.attestation_digest else None,
        ci=CiIdentity(row.ci_provider, **{name: values[column] for name, column in _CI_COLUMNS}),
        created_at=from_text(row.created_at),
        last_accepted_at=from_text(row.last_accepted_at),
        expires_at=from_text(row.expires_at),
        finished_at=optional_time(row.finished_at),
        pinned_at=optional_time(row.pinned_at),
        distrusted_at=optional_time(row.distrusted_at),
        names=_names(row),
    )


def _names(row: Row[Any]) -> RunNames:
    return RunNames(
        organization=row.organization_name,
        project=row.project_name,
        workflow=row.workflow_name,
        team=row.workflow_team,
        contract=row.contract_name,
        contract_revision_latest=row.contract_latest,
        token=row.token_name or "",
    )


def _values(run: Run) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in _PLAIN},
        **_changing(run),
        **{f"ci_{name}": getattr(run.ci, name) for name in _CI},
        "ci_provider": run.ci.provider,
        "state_location": run.state_location.value,
        "contract_digest": run.contract_digest,
        "request_digest": run.request_digest,
        "created_at": to_text(run.created_at),
        "pinned_at": optional_text(run.pinned_at),
    }


def _changing(run: Run) -> dict[str, Any]:
    return {
        "state": run.state.value,
        "reason": run.reason,
        "last_accepted_at": to_text(run.last_accepted_at),
        "expires_at": to_text(run.expires_at),
        "finished_at": optional_text(run.finished_at),
        "attestation_digest": run.attestation_digest,
        "attested_commit": run.attested_commit,
        "refusals": run.refusals,
        "stored_bytes": run.stored_bytes,
    }
