"""What the page of a verdict shows to whom (R12, R33, R47)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from server.model.page_facts import (
    Member,
    PublicVerdict,
    RollUpPage,
    ShownVerdict,
    Version,
    WorkflowPage,
)
from server.model.principal import Principal
from server.model.roll_up import ROLL_UP_CONTEXT
from server.model.sources import StoredSource, status_context
from server.model.verdict_kinds import VerdictKind, severity
from server.model.workflows import StoredWorkflow
from server.services.corroborating import read_told
from server.services.page_places import describe_place
from server.services.run_details import describe_run
from server.services.verdict_needs import find_needs
from server.services.verdict_runs import list_counted
from server.store import commit_verdicts, runs, sources, verdict_lists, workflows
from server.store.commit_verdicts import CommitVerdict
from server.store.database import Database

MAX_VERSIONS = 20
"""The newest of what was said under one name on a commit."""


class VerdictPages:
    """Use cases of the pages that statuses link to."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def find(self, principal: Principal, verdict_id: str) -> WorkflowPage | RollUpPage | None:
        """Return the page of a verdict; None: there is none, or it is of others, or outside the token's scope."""
        with self._database.read() as connection:
            verdict = verdict_lists.find(connection, principal.organization_id, verdict_id)
            source = sources.find(connection, verdict.organization_id, verdict.source_id) if verdict else None
            if verdict is None or source is None:
                return None
            if verdict.workflow_id is None:
                return self._roll_up(connection, principal, source, verdict)
            return self._of_workflow(connection, principal, source, verdict)

    def find_public(self, verdict_id: str) -> PublicVerdict | None:
        """Return what anybody may see of a verdict, or None: it is private, or there is none.

        That of all workflows together is public when those of each of them are.
        """
        with self._database.read() as connection:
            verdict = verdict_lists.find_anywhere(connection, verdict_id)
            if verdict is None or not _is_public(connection, verdict):
                return None
        return PublicVerdict(verdict.context, verdict.kind, verdict.changed_at)

    def _of_workflow(
        self, connection: Connection, principal: Principal, source: StoredSource, verdict: CommitVerdict
    ) -> WorkflowPage | None:
        workflow = _find_reached(connection, principal, verdict)
        if workflow is None:
            return None
        now, told = self._now(), read_told(connection, source, verdict.sha)
        run = runs.find(connection, verdict.organization_id, verdict.run_id) if verdict.run_id else None
        detail = describe_run(connection, run, now) if run and run.workflow_id == workflow.id else None
        needs, asks_of = find_needs(connection, verdict, workflow, detail, now)
        return WorkflowPage(
            verdict=shown(verdict),
            place=describe_place(source, verdict.sha, told),
            project=workflow.project,
            workflow=workflow.name,
            needs=needs,
            asks_of=asks_of,
            counted=list_counted(connection, verdict, workflow, told, now),
            detail=detail,
            versions=_versions(connection, verdict),
            roll_up=self._find_roll_up(connection, principal, source, verdict.sha),
        )

    def _roll_up(
        self, connection: Connection, principal: Principal, source: StoredSource, verdict: CommitVerdict
    ) -> RollUpPage | None:
        if not _reaches_all(connection, principal, source):
            return None
        names = {status_context(project, name): f"{project}/{name}" for _, project, name in _bound(connection, source)}
        said = commit_verdicts.list_of_commit(connection, source.id, verdict.sha)
        # What was said under a name that no workflow has any more stays on the forge, and counts no more.
        members = [Member(shown(item), names[item.context]) for item in said if item.context in names]
        return RollUpPage(
            verdict=shown(verdict),
            place=describe_place(source, verdict.sha, read_told(connection, source, verdict.sha)),
            members=tuple(sorted(members, key=lambda member: (severity(member.verdict.kind), member.name))),
            versions=_versions(connection, verdict),
        )

    def _find_roll_up(
        self, connection: Connection, principal: Principal, source: StoredSource, sha: str
    ) -> ShownVerdict | None:
        found = commit_verdicts.find(connection, source.id, sha, ROLL_UP_CONTEXT)
        return shown(found) if found and _reaches_all(connection, principal, source) else None


def shown(verdict: CommitVerdict) -> ShownVerdict:
    """Return what pages show of a verdict wherever they name it."""
    return ShownVerdict(
        id=verdict.id,
        context=verdict.context,
        kind=verdict.kind,
        description=verdict.description,
        changed_at=verdict.changed_at,
        version=verdict.version,
    )


def _find_reached(connection: Connection, principal: Principal, verdict: CommitVerdict) -> StoredWorkflow | None:
    found = workflows.find(connection, principal.organization_id, verdict.workflow_id or "")
    is_reached = found is not None and principal.reaches(project_id=found.project_id, workflow_id=found.id)
    return found if is_reached else None


def _reaches_all(connection: Connection, principal: Principal, source: StoredSource) -> bool:
    """Tell whether a token reaches every workflow of a source: what is said of all names them all."""
    if principal.reach.is_whole:
        return True
    found = [workflows.find(connection, principal.organization_id, item) for item, _, _ in _bound(connection, source)]
    return bool(found) and all(
        workflow is not None and principal.reaches(project_id=workflow.project_id, workflow_id=workflow.id)
        for workflow in found
    )


def _bound(connection: Connection, source: StoredSource) -> Sequence[tuple[str, str, str]]:
    """Return id, project and name of the workflows that come from a source."""
    return sources.names_from(connection, source)


def _is_public(connection: Connection, verdict: CommitVerdict) -> bool:
    if verdict.workflow_id is not None:
        return verdict_lists.are_public(connection, verdict.organization_id, [verdict.workflow_id])
    source = sources.find(connection, verdict.organization_id, verdict.source_id)
    bound = [workflow_id for workflow_id, _, _ in _bound(connection, source)] if source else []
    return verdict_lists.are_public(connection, verdict.organization_id, bound)


def _versions(connection: Connection, verdict: CommitVerdict) -> tuple[Version, ...]:
    found = verdict_lists.list_versions(connection, verdict.organization_id, verdict.id, limit=MAX_VERSIONS)
    facts = ((event.at, event.facts) for event in found)
    return tuple(
        Version(
            number=int(str(said["version"])),
            at=at,
            kind=VerdictKind(str(said["kind"])),
            description=str(said["description"]),
        )
        for at, said in facts
    )
