"""Queries of what forges told. Each write keeps the newer of two news, so that their order changes nothing (R46)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, insert, literal_column, select, update

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.corroboration import CodeHead
from server.model.forge_facts import (
    CiConclusion,
    CiFileTexts,
    CiStatus,
    ForgeJob,
    ForgeRun,
    Head,
    is_newer_head,
    is_newer_job,
    is_newer_run,
)
from server.store.forge_tables import IS_OPEN_HEAD, ci_jobs, ci_runs, heads
from server.store.source_tables import sources
from server.store.times import from_text, optional_text, optional_time, to_text

_BATCH = 500
"""Jobs that one query names."""
_OPEN: ColumnElement[bool] = literal_column(IS_OPEN_HEAD.text)
"""In the words of the partial index, which the database finds only so."""
_INSERT_RUN = insert(ci_runs)
_HEAD_KEY = ("source_id", "sha", "event", "pull_request")
_HEAD_PLAIN = (
    *_HEAD_KEY,
    "organization_id",
    "branch",
    "base_branch",
    "is_branch_new",
    "is_fork",
    "is_bot",
    "is_protected",
    "is_source_protected",
    "is_open",
)
_RUN_KEY = ("source_id", "ci_run_id", "attempt")
_RUN_PLAIN = (*_RUN_KEY, "organization_id", "ci_file", "head_sha", "is_fork", "event")


def list_heads(connection: Connection, source_id: str, sha: str) -> list[Head]:
    """Return what is known of a commit of a source, one entry for each branch event and pull request."""
    return [_head(row) for row in connection.execute(_list_heads(), {"source": source_id, "commit": sha})]


def list_sources_of(connection: Connection, organization_id: str, sha: str) -> list[str]:
    """Return the ids of the organization's sources whose forge told of a commit."""
    own = (heads.c.organization_id == organization_id, heads.c.sha == sha)
    query = select(heads.c.source_id).where(*own).distinct().order_by(heads.c.source_id)
    return list(connection.execute(query).scalars())


def list_code_heads(connection: Connection, organization_id: str, sha: str) -> list[CodeHead]:
    """Return where the organization's forges have, or had, a commit as a head."""
    query = (
        select(heads, sources.c.kind, sources.c.host, sources.c.repository)
        .join(sources, sources.c.id == heads.c.source_id)
        .where(heads.c.organization_id == organization_id, heads.c.sha == sha)
        .order_by(heads.c.source_id, heads.c.event, heads.c.pull_request)
    )
    return [
        CodeHead(
            SourceAddress(SourceKind(row.kind), row.host, row.repository), row.is_fork, _closed_at(connection, row)
        )
        for row in connection.execute(query).all()
    ]


def _closed_at(connection: Connection, row: Row[Any]) -> datetime | None:
    """Return since when a head is none: from the next one of its branch or pull request on, else from its last news."""
    if row.is_open:
        return None
    columns = heads.c
    later = (
        columns.source_id == row.source_id,
        columns.event == row.event,
        columns.pull_request == row.pull_request,
        *(() if row.pull_request else (columns.branch == row.branch,)),
        columns.told_at > row.told_at,
    )
    return from_text(connection.execute(select(func.min(columns.told_at)).where(*later)).scalar() or row.told_at)


def save_head(connection: Connection, head: Head) -> bool:
    """Write news of a head; older news change nothing. Tell whether they changed something."""
    known = _find_head(connection, head)
    if known is None:
        connection.execute(insert(heads).values(**_head_values(head)))
        return True
    said = head if is_newer_head(head, known) else known
    kept = replace(
        said,
        seen_at=min(head.seen_at, known.seen_at),
        # What was learned by asking is not taken away by news that do not say it.
        changed_paths=_united(head.changed_paths, known.changed_paths),
        ci_files=known.ci_files if head.ci_files is None else head.ci_files,
        is_source_protected=known.is_source_protected if said.is_source_protected is None else said.is_source_protected,
    )
    if kept == known:
        return False
    changed = replace(kept, told_at=known.told_at) != known
    connection.execute(update(heads).where(*_is_head(head)).values(**_head_values(kept)))
    return changed


def close_older_heads(connection: Connection, head: Head) -> bool:
    """Close the heads that this one took the place of, or this one when it is the older; tell whether any was open.

    Of one branch, and of one pull request, the newest head by the forge's own time is the open one.
    """
    columns = heads.c
    same = [columns.source_id == head.source_id, columns.event == head.event]
    same.append(
        columns.pull_request == head.pull_request if head.pull_request else columns.branch == head.branch,
    )
    order = (columns.told_at.desc(), columns.sha)
    newest = connection.execute(select(columns.sha).where(*same).order_by(*order).limit(1)).scalar()
    stale = (*same, columns.sha != newest, _OPEN)
    return connection.execute(update(heads).where(*stale).values(is_open=False)).rowcount > 0


def has_news(connection: Connection, source_id: str) -> bool:
    """Tell whether a forge told anything of a source."""
    return any(
        connection.execute(select(table.c.source_id).where(table.c.source_id == source_id).limit(1)).first()
        for table in (heads, ci_runs, ci_jobs)
    )


def learn_head(connection: Connection, head: Head) -> bool:
    """Write what the forge answered of a head that is known; tell whether that changed something."""
    known = _find_head(connection, head)
    if known is None or known == head:
        return False
    connection.execute(update(heads).where(*_is_head(head)).values(**_head_values(head)))
    return True


def find_run(connection: Connection, source_id: str, ci_run_id: str, attempt: int) -> ForgeRun | None:
    """Return an attempt of a CI run with its jobs, or None when the forge told nothing of it."""
    key = dict(zip(_RUN_KEY, (source_id, ci_run_id, attempt), strict=True))
    rows = connection.execute(_find_run(), key).all()
    return _with_jobs(connection, source_id, rows)[0] if rows else None


def find_head_sha(connection: Connection, source_id: str, ci_run_id: str) -> str | None:
    """Return the head that a CI run is of; of a pull request its own, not the test merge commit's (R31)."""
    own = (ci_runs.c.source_id == source_id, ci_runs.c.ci_run_id == ci_run_id)
    newest = select(ci_runs.c.head_sha).where(*own).order_by(ci_runs.c.attempt.desc()).limit(1)
    return connection.execute(newest).scalar()


def list_runs(connection: Connection, source_id: str, head_sha: str) -> list[ForgeRun]:
    """Return the CI runs on a commit with their jobs, every attempt."""
    found = connection.execute(_list_runs(), {"source": source_id, "commit": head_sha}).all()
    return _with_jobs(connection, source_id, found)


def save_run(connection: Connection, run: ForgeRun) -> bool:
    """Write news of a CI run and of those of its jobs that come with it; tell whether they changed something."""
    own = (
        ci_runs.c.source_id == run.source_id,
        ci_runs.c.ci_run_id == run.ci_run_id,
        ci_runs.c.attempt == run.attempt,
    )
    row = connection.execute(_find_run(), {name: getattr(run, name) for name in _RUN_KEY}).first()
    changed = False
    if row is None:
        connection.execute(_INSERT_RUN, _run_values(run))
        changed = True
    else:
        known = _run(row, ())
        newer, older = (run, known) if is_newer_run(run, known) else (known, run)
        kept = _joined(newer, older, known.seen_at)
        changed = replace(kept, told_at=known.told_at, jobs=(), can_go_on=False) != known
        if newer is run or changed:
            connection.execute(update(ci_runs).where(*own).values(**_run_values(kept)))
    return save_jobs(connection, run, run.jobs, run.told_at) or changed


def _joined(newer: ForgeRun, older: ForgeRun, seen_at: datetime) -> ForgeRun:
    """Return what two kinds of news say together, whichever came first: a webhook of GitLab does not name the file.

    The clock of the forge may be ahead of ours, so that what was asked after a webhook is not the newer of the two.
    """
    return replace(
        newer,
        seen_at=seen_at,
        ci_file=newer.ci_file or older.ci_file,
        started_at=newer.started_at or older.started_at,
        is_fork=newer.is_fork or older.is_fork,
    )


def save_jobs(connection: Connection, run: ForgeRun, jobs: Iterable[ForgeJob], told_at: datetime) -> bool:
    """Write news of jobs of a CI run; tell whether they changed something."""
    return save_seen_jobs(connection, run, [(job, told_at) for job in jobs])


def save_seen_jobs(connection: Connection, run: ForgeRun, seen: Sequence[tuple[ForgeJob, datetime]]) -> bool:
    """Write news of jobs, each with the forge's own time; a pipeline names thousands at once, while others wait."""
    columns = ci_jobs.c
    own = (columns.source_id == run.source_id, columns.ci_run_id == run.ci_run_id, columns.attempt == run.attempt)
    known: dict[str, tuple[ForgeJob, datetime]] = {}
    named = [job.job_id for job, _ in seen]
    for first in range(0, len(named), _BATCH):
        some = named[first : first + _BATCH]
        rows = connection.execute(select(ci_jobs).where(*own, columns.job_id.in_(some)))
        known |= {row.job_id: (_job(row), from_text(row.told_at)) for row in rows}
    new: dict[str, dict[str, Any]] = {}
    newer: dict[str, dict[str, Any]] = {}
    changed = False
    for job, told_at in seen:
        before = known.get(job.job_id)
        kept = job if before is None else _newer_job(job, told_at, *before)
        if kept is None:
            continue
        changed = changed or before is None or kept != before[0]
        into = new if before is None or job.job_id in new else newer
        into[job.job_id] = _job_values(run, kept, told_at)
        known[job.job_id] = (kept, told_at)
    if new:
        connection.execute(insert(ci_jobs), list(new.values()))
    if newer:
        same = [columns[name] == bindparam(f"own_{name}") for name in (*_RUN_KEY, "job_id")]
        keys = [{f"own_{name}": values[name] for name in (*_RUN_KEY, "job_id")} | values for values in newer.values()]
        connection.execute(update(ci_jobs).where(*same), keys)
    return changed


def _newer_job(job: ForgeJob, told_at: datetime, known: ForgeJob, known_at: datetime) -> ForgeJob | None:
    """Return what is known of a job after news of it; None: nothing that was not."""
    if not is_newer_job(job, told_at, known, known_at):
        return None
    return replace(job, started_at=job.started_at or known.started_at, runner_name=job.runner_name or known.runner_name)


def _find_head(connection: Connection, head: Head) -> Head | None:
    row = connection.execute(select(heads).where(*_is_head(head))).first()
    return _head(row) if row else None


def _is_head(head: Head) -> Iterable[Any]:
    return (heads.c[name] == getattr(head, name) for name in _HEAD_KEY)


def _head_values(head: Head) -> dict[str, Any]:
    files = head.ci_files
    return {
        **{name: getattr(head, name) for name in _HEAD_PLAIN},
        "changed_paths": None if head.changed_paths is None else json.dumps(head.changed_paths),
        "ci_files": None if files is None else json.dumps({path: asdict(file) for path, file in files.items()}),
        "seen_at": to_text(head.seen_at),
        "told_at": to_text(head.told_at),
    }


def _head(row: Row[Any]) -> Head:
    files: Mapping[str, Any] | None = None if row.ci_files is None else json.loads(row.ci_files)
    return Head(
        **{name: getattr(row, name) for name in _HEAD_PLAIN},
        changed_paths=None if row.changed_paths is None else tuple(json.loads(row.changed_paths)),
        ci_files=None if files is None else {path: CiFileTexts(**file) for path, file in files.items()},
        seen_at=from_text(row.seen_at),
        told_at=from_text(row.told_at),
    )


def _run_values(run: ForgeRun) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in _RUN_PLAIN},
        "status": run.status.value,
        "conclusion": run.conclusion.value if run.conclusion else None,
        "started_at": optional_text(run.started_at),
        "ended_at": optional_text(run.ended_at),
        "seen_at": to_text(run.seen_at),
        "told_at": to_text(run.told_at),
    }


def _job_values(run: ForgeRun, job: ForgeJob, told_at: datetime) -> dict[str, Any]:
    return {
        **{name: getattr(run, name) for name in (*_RUN_KEY, "organization_id")},
        "job_id": job.job_id,
        "name": job.name,
        "runner_name": job.runner_name,
        "status": job.status.value,
        "conclusion": job.conclusion.value if job.conclusion else None,
        "started_at": optional_text(job.started_at),
        "ended_at": optional_text(job.ended_at),
        "told_at": to_text(told_at),
    }


def _with_jobs(connection: Connection, source_id: str, rows: Sequence[Row[Any]]) -> list[ForgeRun]:
    if not rows:
        return []
    place = {"source": source_id, "runs": sorted({row.ci_run_id for row in rows})}
    by_run: dict[tuple[str, int], list[ForgeJob]] = {}
    for row in connection.execute(_list_jobs(), place):
        by_run.setdefault((row.ci_run_id, row.attempt), []).append(_job(row))
    return [_run(row, tuple(by_run.get((row.ci_run_id, row.attempt), ()))) for row in rows]


def _run(row: Row[Any], jobs: tuple[ForgeJob, ...]) -> ForgeRun:
    return ForgeRun(
        **{name: getattr(row, name) for name in _RUN_PLAIN},
        status=CiStatus(row.status),
        conclusion=CiConclusion(row.conclusion) if row.conclusion else None,
        started_at=optional_time(row.started_at),
        ended_at=optional_time(row.ended_at),
        seen_at=from_text(row.seen_at),
        told_at=from_text(row.told_at),
        jobs=jobs,
    )


def _job(row: Row[Any]) -> ForgeJob:
    return ForgeJob(
        job_id=row.job_id,
        name=row.name,
        status=CiStatus(row.status),
        conclusion=CiConclusion(row.conclusion) if row.conclusion else None,
        started_at=optional_time(row.started_at),
        ended_at=optional_time(row.ended_at),
        runner_name=row.runner_name,
    )


@cache
def _list_heads() -> Select[Any]:
    """Return the query; made once like those below, since the dispatcher asks it for every event of a commit."""
    own = (heads.c.source_id == bindparam("source"), heads.c.sha == bindparam("commit"))
    return select(heads).where(*own).order_by(heads.c.event, heads.c.pull_request)


@cache
def _list_runs() -> Select[Any]:
    own = (ci_runs.c.source_id == bindparam("source"), ci_runs.c.head_sha == bindparam("commit"))
    return select(ci_runs).where(*own).order_by(ci_runs.c.ci_run_id, ci_runs.c.attempt)


@cache
def _list_jobs() -> Select[Any]:
    named = ci_jobs.c.ci_run_id.in_(bindparam("runs", expanding=True))
    return select(ci_jobs).where(ci_jobs.c.source_id == bindparam("source"), named).order_by(ci_jobs.c.job_id)


@cache
def _find_run() -> Select[Any]:
    return select(ci_runs).where(*(ci_runs.c[name] == bindparam(name) for name in _RUN_KEY))


def _united(told: tuple[str, ...] | None, known: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if told is None or known is None:
        return known if told is None else told
    return tuple(sorted({*told, *known}))
