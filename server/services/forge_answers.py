"""Write down what forges answer to questions, and have the commits judged that it is about (R30, R34)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.record import from_dict
from server.model.deliveries import Delivery
from server.model.events import Event, EventKind
from server.model.forge_answers import CI_RUN, HEAD, CiRunAnswer, FileState, HeadAnswer, JobAnswer
from server.model.forge_facts import (
    LONG_AGO,
    ONLY_ATTEMPT,
    CiFileTexts,
    CiStatus,
    ForgeJob,
    ForgeRun,
    Head,
)
from server.model.runs import Run
from server.model.sources import StoredSource
from server.model.stored_text import storable
from server.services.dangling_runs import DanglingRuns
from server.services.delivery_queue import Learn
from server.services.source_settings import save_source
from server.store import events, forge_facts, runs, sources

MAX_CI_RUN_ID = 128
_BOTS = frozenset({"dependabot[bot]"})
"""Authors whose jobs get no secrets (GitHub Docs, "Troubleshooting Dependabot on GitHub Actions")."""

MAX_TEXT = 1024
"""Characters of a name that are kept; a forge may be anybody's own server."""


class ForgeAnswers:
    """What the dispatcher does with the answers; each comes in the transaction that ends its delivery."""

    def __init__(self, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._now = now
        self._new_id = new_id
        self._dangling = DanglingRuns(now, new_id)

    def handlers(self) -> Mapping[str, Learn]:
        """Return what writes down the answer of each question, by the part that asked it."""
        return {CI_RUN: self.learn_ci_run, HEAD: self.learn_head}

    def learn_ci_run(self, connection: Connection, delivery: Delivery, answer: Mapping[str, object]) -> None:
        """Write down a CI run that a run of ours claims; the source of that run's workflow must be the one asked."""
        told = from_dict(CiRunAnswer, answer)
        run = runs.find(connection, delivery.organization_id, str(delivery.content["runId"]))
        source = _source_of_run(connection, run)
        if run is None or source is None:
            return
        if told.unknown:
            known = _no_ci_run(source, delivery, self._now())
        elif told.head_sha is None or told.repository_id != source.repository_id:
            return
        else:
            known = _ci_run(source, told, self._now())
        news = {known.head_sha} if forge_facts.save_run(connection, known) else set()
        if run.ci.head_sha != known.head_sha:
            # The commit of the claim too, which it holds up until then (R30): a webhook may have told all but that.
            news.add(run.ci.head_sha or "")
        for sha in sorted(news - {""}):
            self._tell(connection, source, EventKind.CI_RUN_SEEN, sha)
        if delivery.content.get("mayEnd") and not told.unknown:
            self._dangling.after_run(connection, source, known)

    def learn_head(self, connection: Connection, delivery: Delivery, answer: Mapping[str, object]) -> None:
        """Write down what a head changes, for every entry of that commit which the question was about."""
        told = from_dict(HeadAnswer, answer)
        source = sources.find(connection, delivery.organization_id, str(delivery.content["sourceId"]))
        if source is None or told.unknown:
            return
        sha, number = str(delivery.content["sha"]), str(delivery.content.get("pullRequest") or "")
        changed = _learn_source(connection, source, told, self._now())
        for head in forge_facts.list_heads(connection, source.id, sha):
            if head.pull_request == number:
                changed = forge_facts.learn_head(connection, _learned(head, told)) or changed
        if changed:
            self._tell(connection, source, EventKind.HEAD_LEARNED, sha)

    def _tell(self, connection: Connection, source: StoredSource, kind: EventKind, sha: str) -> None:
        facts = {"sourceId": source.id, "sha": sha}
        event = Event(self._new_id(), source.organization_id, kind, self._now(), sha, facts=facts)
        events.add(connection, event)


def _learn_source(connection: Connection, source: StoredSource, told: HeadAnswer, now: datetime) -> bool:
    """Write down what decides on all heads: who may read the repository (R47), and its default branch (R34)."""
    after = replace(
        source,
        is_public=source.is_public if told.is_public is None else told.is_public,
        default_branch=told.default_branch or source.default_branch,
    )
    if after == source:
        return False
    save_source(connection, source, after, now)
    return True


def _source_of_run(connection: Connection, run: Run | None) -> StoredSource | None:
    bound = sources.find_of_workflow(connection, run.organization_id, run.workflow_id) if run else None
    return bound.source if bound else None


def _no_ci_run(source: StoredSource, delivery: Delivery, now: datetime) -> ForgeRun:
    """Return what is written down of a CI run that the forge does not know: of no commit, and older than all news."""
    attempt = delivery.content.get("attempt")
    return ForgeRun(
        source_id=source.id,
        organization_id=source.organization_id,
        ci_run_id=str(delivery.content["ciRunId"])[:MAX_CI_RUN_ID],
        attempt=attempt if isinstance(attempt, int) else ONLY_ATTEMPT,
        head_sha="",
        event="",
        status=CiStatus.QUEUED,
        seen_at=now,
        told_at=LONG_AGO,
    )


def _ci_run(source: StoredSource, told: CiRunAnswer, now: datetime) -> ForgeRun:
    return ForgeRun(
        source_id=source.id,
        organization_id=source.organization_id,
        ci_run_id=told.ci_run_id,
        attempt=told.attempt or 1,
        head_sha=told.head_sha or "",
        event=storable(told.event or "", 64),
        status=told.status or CiStatus.QUEUED,
        seen_at=now,
        # Read just now: nothing that came before is newer.
        told_at=now,
        ci_file=None if told.path is None else storable(told.path, MAX_TEXT),
        is_fork=told.head_repository_id != told.repository_id,
        conclusion=told.conclusion,
        started_at=told.started_at,
        ended_at=told.ended_at,
        jobs=tuple(map(_job, told.jobs)),
    )


def _job(told: JobAnswer) -> ForgeJob:
    return ForgeJob(
        job_id=told.id,
        name=storable(told.name, MAX_TEXT),
        status=told.status,
        conclusion=told.conclusion,
        started_at=told.started_at,
        ended_at=told.ended_at,
    )


def _learned(head: Head, told: HeadAnswer) -> Head:
    files = {
        path: CiFileTexts(file.base, file.head, file.state is not FileState.DISABLED)
        for path, file in told.ci_files.items()
    }
    is_protected = told.is_target_protected if head.base_branch else told.is_protected
    return replace(
        head,
        changed_paths=head.changed_paths if told.changed_paths is None else told.changed_paths,
        ci_files=files,
        is_fork=head.is_fork if told.is_fork is None else told.is_fork,
        is_bot=head.is_bot or told.author in _BOTS,
        is_protected=head.is_protected if is_protected is None else is_protected,
        is_source_protected=told.is_protected if head.base_branch else None,
    )
