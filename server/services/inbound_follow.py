"""Write down what webhooks said, in any order and any number of times, as a conclusion of their coming (R46)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from chainloop_ci.api.source_address import SourceKind
from server.model.events import Event, EventKind, run_event
from server.model.forge_facts import LONG_AGO, CiStatus, ForgeRun
from server.model.inbound import StoredInbound
from server.model.inbound_facts import InboundFacts, SeenHead, SeenJob, facts_from_text
from server.model.sources import StoredSource
from server.services.dangling_runs import DanglingRuns
from server.services.defects import DefectError, found_with
from server.services.forge_events import head_seen
from server.services.rounds import Rounds, in_turns
from server.services.short_turns import for_one_turn
from server.store import events, forge_facts, inbound, runs, sources
from server.store.database import Database

BATCH = 50
"""Webhooks that are handled in one transaction, at most."""


_log = structlog.get_logger("server.dispatcher")


class InboundFollow:
    """The use case of the dispatcher that webhooks wait for."""

    def __init__(self, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._now = now
        self._new_id = new_id
        self._dangling = DanglingRuns(now, new_id)
        self._rounds = Rounds()

    def handle_some(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> int:
        """Handle as many of the webhooks that wait as one turn takes, and return how many there were.

        Of each organization the oldest first, and one of each before a second one.
        """
        with database.read() as connection:
            owners = self._rounds.choose(partial(inbound.list_owners, connection))
        if not owners:
            # Most often none waits: that must not hold up writers.
            return 0
        database.give_way()
        handled = 0
        try:
            with database.write() as connection:
                share = max(1, BATCH // len(owners))
                waiting = in_turns(inbound.list_waiting(connection, owner, limit=share) for owner in owners)
                for delivery in for_one_turn(waiting, monotonic, database.is_waited_for):
                    with found_with(delivery):
                        inbound.save(connection, self._handle(connection, delivery))
                    self._rounds.end(delivery.organization_id)
                    handled += 1
        except DefectError as failed:
            return self._give_up(database, failed)
        return handled

    def _give_up(self, database: Database, failed: DefectError[StoredInbound]) -> int:
        """Leave a webhook aside that meets a defect of ours, so that the others do not wait for it."""
        delivery = failed.item
        _log.error(
            "webhook-not-handled",
            webhook=delivery.id,
            receiver=delivery.receiver.value,
            webhook_event=delivery.event,
            organization_id=delivery.organization_id,
            exc_info=failed.__cause__,
        )
        with database.write() as connection:
            inbound.save(connection, delivery.failed("a defect of the server; its log says more", self._now()))
        return 1

    def _handle(self, connection: Connection, delivery: StoredInbound) -> StoredInbound:
        try:
            facts = facts_from_text(delivery.facts)
        except ValueError as error:
            # Of another version of the server: an operator has it read again.
            return delivery.failed(f"what was stored cannot be read: {error}", self._now())
        source = delivery.source_id and sources.find(connection, delivery.organization_id, delivery.source_id)
        if source:
            self.keep(connection, source, facts.of(source.organization_id, source.id, delivery.received_at))
        elif delivery.source_id:
            return delivery.failed("its source is gone", self._now())
        for note in facts.notes:
            told = {**(_repository(source) if source else {}), **note.facts}
            self._tell(connection, delivery.organization_id, EventKind(note.kind), note.subject, told)
        return delivery.handled(self._now())

    def keep(self, connection: Connection, source: StoredSource, facts: InboundFacts) -> None:
        """Write down what a forge says of a source, with the events of what is new, and end the runs that it ends."""
        for seen in facts.heads:
            self._keep_head(connection, source, seen)
        # Jobs first: how a run's own job ended says more than how the whole did.
        for jobs in _by_run(facts.jobs):
            self._keep_jobs(connection, source, jobs)
        for run in facts.runs:
            if forge_facts.save_run(connection, run):
                told = {"conclusion": run.conclusion, "event": run.event, "ciFile": run.ci_file}
                self._tell_run(connection, source, run, **told)
                self._tell_claims(connection, source, run)
            self._dangling.after_run(connection, source, run)

    def _keep_head(self, connection: Connection, source: StoredSource, seen: SeenHead) -> None:
        head = seen.head
        is_new = forge_facts.save_head(connection, head)
        if not forge_facts.close_older_heads(connection, head) and not is_new:
            return
        event = head_seen(connection, source, head, self._new_id(), self._now(), seen.before)
        more = {"isOpen": head.is_open, "isFork": head.is_fork}
        events.add(connection, replace(event, facts={**event.facts, **more}))

    def _keep_jobs(self, connection: Connection, source: StoredSource, seen: Sequence[SeenJob]) -> None:
        """Write down jobs of one CI run; whoever listens hears once that they are news."""
        run = _run_of(source, seen[0])
        if forge_facts.save_seen_jobs(connection, run, [(each.job, each.told_at) for each in seen]):
            only = seen[0].job if len(seen) == 1 else None
            named = {"job": only and only.name, "jobStatus": only and only.status.value}
            self._tell_run(connection, source, run, **named)
        self._dangling.after_jobs(connection, source, seen)
        self._ask_for_end(connection, source, seen)

    def _ask_for_end(self, connection: Connection, source: StoredSource, seen: Sequence[SeenJob]) -> None:
        """Have the forge asked whether a pipeline has ended that it will not tell the end of."""
        ci_run_id, attempt = seen[0].ci_run_id, seen[0].attempt
        for run in self._dangling.left_by_jobs(connection, source, seen):
            sha = forge_facts.find_head_sha(connection, source.id, ci_run_id) or run.ci.head_sha
            if sha is not None:
                facts = {**_repository(source), "sha": sha, "ciRunId": ci_run_id, "attempt": attempt}
                asked = run_event(self._new_id(), run, self._now(), EventKind.CI_RUN_SEEN, facts)
                events.add(connection, asked)

    def _tell_run(self, connection: Connection, source: StoredSource, run: ForgeRun, **more: object) -> None:
        if not run.head_sha:
            # A build that names no commit changes what is said of none.
            return
        facts = {
            **_repository(source),
            "sha": run.head_sha,
            "ciRunId": run.ci_run_id,
            "attempt": run.attempt,
            "status": None if "job" in more else run.status.value,
            **more,
        }
        self._tell(connection, source.organization_id, EventKind.CI_RUN_SEEN, run.ci_run_id, facts)

    def _tell_claims(self, connection: Connection, source: StoredSource, build: ForgeRun) -> None:
        """Have other commits judged that runs claim of a build: nobody asks Jenkins about each run (R30)."""
        if source.address.kind is not SourceKind.JENKINS or not build.head_sha:
            return
        number = build.ci_run_id.rpartition("#")[2]
        for workflow_id, _, _ in sources.names_from(connection, source):
            for sha in runs.list_claimed_commits(connection, source.organization_id, workflow_id, number):
                if sha != build.head_sha:
                    self._tell_run(connection, source, replace(build, head_sha=sha))

    def _tell(
        self,
        connection: Connection,
        organization_id: str,
        kind: EventKind,
        subject: str,
        facts: Mapping[str, object],
    ) -> None:
        known = {name: value for name, value in facts.items() if value not in (None, "")}
        events.add(connection, Event(self._new_id(), organization_id, kind, self._now(), subject, facts=known))


def _by_run(jobs: Iterable[SeenJob]) -> Iterable[Sequence[SeenJob]]:
    found: dict[tuple[str, int, str | None], list[SeenJob]] = {}
    for job in jobs:
        found.setdefault((job.ci_run_id, job.attempt, job.head_sha), []).append(job)
    return found.values()


def _run_of(source: StoredSource, seen: SeenJob) -> ForgeRun:
    """Return the CI run of a job as far as the job tells of it; it is not written down."""
    return ForgeRun(
        source_id=source.id,
        organization_id=source.organization_id,
        ci_run_id=seen.ci_run_id,
        attempt=seen.attempt,
        head_sha=seen.head_sha or "",
        event="",
        status=CiStatus.RUNNING,
        seen_at=LONG_AGO,
        told_at=seen.told_at,
    )


def _repository(source: StoredSource) -> dict[str, object]:
    # An integration asks its own forge only: without the kind none would know it for its own.
    address = source.address
    named = {
        "kind": address.kind.value,
        "host": address.host,
        "id": source.repository_id or "",
        "name": address.repository,
    }
    return {"sourceId": source.id, "repository": named}
