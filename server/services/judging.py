"""Say of commits what follows from everything that is known, and tell it when it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from chainloop_ci.errors import ChainloopError
from server.model.events import Event, EventKind
from server.model.rerun_hints import render_rerun
from server.model.roll_up import ROLL_UP_CONTEXT, WorkflowVerdict, roll_up
from server.model.sources import StoredSource, status_context
from server.model.verdict import Verdict, judge
from server.model.verdict_content import ForgeRepository, VerdictContent
from server.model.verdict_kinds import VerdictKind
from server.model.verdict_summary import render_summary
from server.services.commit_facts import read_context, settings_of
from server.services.corroborating import Told, read_told
from server.services.defects import DefectError, found_with
from server.services.short_turns import for_one_turn
from server.store import commit_verdicts, events, sources, workflows
from server.store.commit_verdicts import Commit, CommitVerdict
from server.store.database import Database

BATCH = 20
"""Commits that are judged in one transaction, at most."""

ASIDE = timedelta(hours=1)
"""So long a commit waits that cannot be judged."""

_log = structlog.get_logger("server.dispatcher")


_OF_A_RUN = frozenset(
    {
        EventKind.RUN_INITIALIZED,
        EventKind.RUN_SUCCEEDED,
        EventKind.RUN_FAILED,
        EventKind.RUN_CANCELED,
        EventKind.RUN_EXPIRED,
        EventKind.ATTESTATION_REFUSED,
        EventKind.RUN_REFUSED,
    }
)
_OF_WORKFLOWS = frozenset(
    {
        EventKind.OVERRIDE_SET,
        EventKind.OVERRIDE_ENDED,
        EventKind.WORKFLOW_CHANGED,
        EventKind.SOURCE_CHANGED,
        EventKind.CONTRACT_REVISED,
        EventKind.CONTRACT_ENFORCED,
    }
)
REMEMBERED = timedelta(days=90)
"""So old verdicts are judged anew when an operator changes what they follow from."""
_OF_A_COMMIT = frozenset({EventKind.HEAD_SEEN, EventKind.HEAD_LEARNED, EventKind.CI_RUN_SEEN})


@dataclass(frozen=True, slots=True)
class _Said:
    """A verdict under the name of its status."""

    context: str
    name: str
    """Of the workflow, for people."""
    workflow_id: str | None
    verdict: Verdict
    is_held: bool = False
    """It was not looked at anew: in a repository of many workflows most events concern one."""


class Judge:
    """Draws the conclusions of the dispatcher; `public_url` is the only source of links (R47)."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        *,
        public_url: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._new_id = new_id
        self._public_url = public_url
        self._monotonic = monotonic

    def follow(self, connection: Connection, event: Event) -> None:
        """Judge the commit that an event is about, in the transaction that tells the event."""
        if event.kind in _OF_A_RUN and event.workflow_id is not None:
            bound = sources.find_of_workflow(connection, event.organization_id, event.workflow_id)
            sha = _commit_of(event)
            if bound is not None and sha is not None:
                self.judge(connection, Commit(bound.source.id, event.organization_id, sha), event.workflow_id)
        elif event.kind in _OF_A_COMMIT:
            commit = Commit(str(event.facts["sourceId"]), event.organization_id, str(event.facts["sha"]))
            self.judge(connection, commit)
            for built in commit_verdicts.list_builds(connection, commit):
                # R30: of a build it is a forge, and not its Jenkins, that tells where its commit is.
                self.judge(connection, built)
        elif event.kind in _OF_WORKFLOWS:
            self._judge_soon(connection, event)

    def judge_due(self) -> int:
        """Judge commits again whose verdict time alone may have changed, as many as one turn takes; return how many."""
        with self._database.read() as connection:
            # Most often nothing is due: that must not hold up writers.
            if not commit_verdicts.list_due(connection, self._now(), limit=1):
                return 0
        self._database.give_way()
        judged = 0
        try:
            with self._database.write() as connection:
                due = commit_verdicts.list_due(connection, self._now(), limit=BATCH)
                for commit in for_one_turn(due, self._monotonic, self._database.is_waited_for):
                    with found_with(commit, ChainloopError):
                        self.judge(connection, commit)
                    judged += 1
        except DefectError as failed:
            return self._put_off(failed)
        return judged

    def _put_off(self, failed: DefectError[Commit]) -> int:
        """Leave a commit aside that meets a defect of ours: it would be the longest due at every look."""
        commit, until = failed.item, self._now() + ASIDE
        _log.error("commit-not-judged", source=commit.source_id, commit=commit.sha, exc_info=failed.__cause__)
        with self._database.write() as connection:
            commit_verdicts.put_off(connection, commit, self._now(), until)
        return 1

    def judge(self, connection: Connection, commit: Commit, workflow_id: str | None = None) -> None:
        """Say what follows for every workflow of the commit's source, and for all of them together.

        With `workflow_id` only that one is looked at anew; what was said of the others holds.
        """
        source = sources.find(connection, commit.organization_id, commit.source_id)
        if source is None:
            return
        told = read_told(connection, source, commit.sha)
        known = {item.context: item for item in commit_verdicts.list_of_commit(connection, source.id, commit.sha)}
        said = list(self._of_workflows(connection, source, commit.sha, told, known, workflow_id))
        if told.heads and said:
            members = [WorkflowVerdict(item.name, item.verdict) for item in said]
            every = roll_up(members, names_allowed=source.names_allowed)
            said.append(_Said(ROLL_UP_CONTEXT, "", None, every))
        for item in said:
            if item.is_held:
                continue
            self._say(connection, source, commit.sha, told, item, known)
        _leave_alone(connection, known.values(), {item.context for item in said})

    def tell_again(self, connection: Connection, commit: Commit, context: str | None = None) -> None:
        """Judge a commit, and say what has not changed again: of one context, or of all that are said there."""
        before = {
            item.context: item.version
            for item in commit_verdicts.list_of_commit(connection, commit.source_id, commit.sha)
        }
        source = sources.find(connection, commit.organization_id, commit.source_id)
        if source is None:
            return
        self.judge(connection, commit)
        told = read_told(connection, source, commit.sha)
        names = {status_context(project, name) for _, project, name in sources.names_from(connection, source)}
        for item in commit_verdicts.list_of_commit(connection, source.id, commit.sha):
            is_said = item.context in names or item.context == ROLL_UP_CONTEXT
            if is_said and item.version == before.get(item.context) and context in (None, item.context):
                content = replace(_content(source, told, item, (), self._public_url), is_repeat=True)
                self._tell(connection, item, content, is_missed=False)

    def _of_workflows(
        self,
        connection: Connection,
        source: StoredSource,
        sha: str,
        told: Told,
        known: Mapping[str, CommitVerdict],
        workflow_id: str | None,
    ) -> Iterator[_Said]:
        settings = settings_of(source)
        for bound, project, name in sources.list_bindings(connection, source):
            context = status_context(project, name)
            before = known.get(context)
            if before is not None and workflow_id not in (None, bound.workflow_id):
                yield _Said(context, f"{project}/{name}", bound.workflow_id, _as_said(before), is_held=True)
                continue
            facts = read_context(connection, bound, name, sha, told, settings, self._now())
            if facts is not None:
                yield _Said(context, f"{project}/{name}", bound.workflow_id, judge(facts, self._now()))

    def _say(
        self,
        connection: Connection,
        source: StoredSource,
        sha: str,
        told: Told,
        said: _Said,
        known: Mapping[str, CommitVerdict],
    ) -> None:
        before, now, verdict = known.get(said.context), self._now(), said.verdict
        changed = before is None or _as_said(before) != replace(verdict, counted_run_ids=())
        after = CommitVerdict(
            source_id=source.id,
            organization_id=source.organization_id,
            sha=sha,
            context=said.context,
            workflow_id=said.workflow_id,
            id=before.id if before else self._new_id(),
            version=(before.version if before else 0) + changed,
            kind=verdict.kind,
            description=verdict.description,
            run_id=verdict.run_id,
            judged_at=now,
            changed_at=now if before is None or changed else before.changed_at,
            holds_until=verdict.holds_until,
        )
        commit_verdicts.save(connection, after, is_new=before is None)
        if changed:
            prior = sorted(item.context for item in known.values() if _is_renamed(item, after))
            content = _content(source, told, after, prior, self._public_url)
            self._tell(connection, after, content, is_missed=_is_missed(before, after))

    def _tell(
        self, connection: Connection, verdict: CommitVerdict, content: VerdictContent, *, is_missed: bool
    ) -> None:
        told = Event(
            id=self._new_id(),
            organization_id=verdict.organization_id,
            kind=EventKind.VERDICT_CHANGED,
            at=self._now(),
            subject=verdict.id,
            project_id=_project_of(connection, verdict),
            workflow_id=verdict.workflow_id,
            run_id=verdict.run_id,
            facts=content.to_facts(),
        )
        events.add(connection, told)
        if is_missed:
            # Beside the verdict: who listens for this alone need not know the kinds of verdicts.
            missed = replace(told, id=self._new_id(), kind=EventKind.ATTESTATION_MISSING, facts=_missed(content))
            events.add(connection, missed)

    def _judge_soon(self, connection: Connection, event: Event) -> None:
        """Have commits judged again for which an operator's word has changed what follows."""
        now = self._now()
        if event.workflow_id is not None:
            workflow_ids = [event.workflow_id]
        else:
            workflow_ids = workflows.list_of_contract(connection, event.organization_id, event.subject)
        commit_verdicts.make_due(connection, event.organization_id, workflow_ids, now - REMEMBERED, now)


def _commit_of(event: Event) -> str | None:
    """Return the commit of a run: its CI job's, else its attestation's."""
    ci = event.facts.get("ci")
    claimed = ci.get("headSha") if isinstance(ci, dict) else None
    found = claimed or event.facts.get("commit")
    return str(found) if found else None


def _as_said(before: CommitVerdict) -> Verdict:
    return Verdict(before.kind, before.description, before.run_id, holds_until=before.holds_until)


def _leave_alone(connection: Connection, known: Iterable[CommitVerdict], said: Set[str]) -> None:
    """What nobody says any more is not looked at again: its workflow was renamed, or comes from elsewhere now."""
    for item in known:
        if item.context not in said and item.holds_until is not None:
            commit_verdicts.save(connection, replace(item, holds_until=None), is_new=False)


def _is_missed(before: CommitVerdict | None, after: CommitVerdict) -> bool:
    """Tell whether a workflow's attestation of the commit is missing, and was not before."""
    was = before is not None and before.kind is VerdictKind.MISSING
    return after.workflow_id is not None and after.kind is VerdictKind.MISSING and not was


def _missed(content: VerdictContent) -> dict[str, Any]:
    """Return the facts of a missing attestation: those of its verdict that are no forge's business left out."""
    facts = content.to_facts()
    names = ("context", "description", "repository", "sha", "branch", "pullRequest", "targetUrl")
    return {name: facts[name] for name in names if facts.get(name) is not None}


def _is_renamed(item: CommitVerdict, verdict: CommitVerdict) -> bool:
    return item.workflow_id is not None and item.workflow_id == verdict.workflow_id and item.context != verdict.context


def _content(
    source: StoredSource, told: Told, verdict: CommitVerdict, prior: Sequence[str], public_url: str
) -> VerdictContent:
    address = source.address
    head = next((head for head in told.heads if head.pull_request and head.is_open), None)
    branch = head or next(iter(told.heads), None)
    number = head.pull_request if head else ""
    return VerdictContent(
        context=verdict.context,
        kind=verdict.kind,
        description=verdict.description,
        repository=ForgeRepository(address.kind.value, address.host, source.repository_id or "", address.repository),
        sha=verdict.sha,
        version=verdict.version,
        branch=branch.branch if branch else None,
        pull_request=int(number) if number.isdecimal() else None,
        run_id=verdict.run_id,
        target_url=f"{public_url}/verdicts/{verdict.id}",
        summary=render_summary(verdict.context, verdict.kind, verdict.description)
        + render_rerun(address, verdict.kind, told.ci_runs),
        prior_contexts=tuple(prior),
    )


def _project_of(connection: Connection, verdict: CommitVerdict) -> str | None:
    if verdict.workflow_id is None:
        return None
    found = workflows.find(connection, verdict.organization_id, verdict.workflow_id)
    return found.project_id if found else None
