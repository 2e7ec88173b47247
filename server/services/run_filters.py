"""The filters of a list of runs: from what was typed to what the store asks for, within the token's reach."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from chainloop_ci.errors import NotFoundError
from server.model.principal import Principal
from server.model.run_filters import (
    MAX_COMMITS,
    RunFilter,
    parse_commit,
    parse_moment,
    parse_state,
    require_few_commits,
)
from server.services.tokens import no_token
from server.store import projects, run_lists, tokens, workflows


@dataclass(frozen=True, slots=True)
class RunQuery:
    """The filters of a list of runs, as they were written."""

    workflow: str | None = None
    """Name or id."""
    project: str | None = None
    state: str | None = None
    commit: str | None = None
    digest: str | None = None
    runner: str | None = None
    token: str | None = None
    since: str | None = None
    until: str | None = None


def resolve(connection: Connection, principal: Principal, query: RunQuery) -> RunFilter:
    """Return the filter that a query means, kept within the token's reach.

    Raises:
        RequestInvalidError: a filter cannot be used.
        NotFoundError: it names a workflow, project or token that does not exist.
        NotAllowedError: it names one outside the token's scope.
    """
    wanted = RunFilter(
        project_id=principal.project_id,
        workflow_ids=(principal.workflow_id,) if principal.workflow_id else None,
        state=parse_state(query.state) if query.state else None,
        commits=_find_commits(connection, principal, query.commit) if query.commit else None,
        digest=query.digest or None,
        runner=query.runner or None,
        token_ids=_find_tokens(connection, principal, query.token) if query.token else None,
        since=parse_moment("since", query.since) if query.since else None,
        until=parse_moment("until", query.until) if query.until else None,
    )
    if query.workflow:
        return replace(wanted, workflow_ids=_find_workflows(connection, principal, query))
    if query.project:
        return replace(wanted, project_id=_find_project(connection, principal, query.project))
    return wanted


def _find_workflows(connection: Connection, principal: Principal, query: RunQuery) -> tuple[str, ...]:
    found = workflows.find_ids(connection, principal.organization_id, name_or_id=query.workflow, project=query.project)
    if not found:
        where = f" in project {query.project}" if query.project else ""
        raise NotFoundError(
            f"there is no workflow {query.workflow}{where}", hint="`chainloop workflow list` names them"
        )
    reached = tuple(
        workflow_id
        for project_id, workflow_id in found
        if principal.reaches(project_id=project_id, workflow_id=workflow_id)
    )
    if not reached:
        principal.require_reach(project_id=found[0][0], workflow_id=found[0][1])
    return reached


def _find_project(connection: Connection, principal: Principal, name: str) -> str:
    project = projects.find_by_name(connection, principal.organization_id, name)
    if project is None:
        raise NotFoundError(
            f"there is no project {name}", hint="`chainloop workflow list` names workflows and projects"
        )
    if principal.project_id not in (None, project.id):
        principal.require_reach(project_id=project.id)
    return project.id


def _find_tokens(connection: Connection, principal: Principal, name_or_id: str) -> tuple[str, ...]:
    found = tokens.find_named(connection, principal.organization_id, name_or_id)
    # A token bound to a project learns nothing of the tokens of others, not even that there are none.
    if not found and principal.project_id is None:
        raise no_token(name_or_id)
    return found


def _find_commits(connection: Connection, principal: Principal, text: str) -> tuple[str, ...]:
    digits = parse_commit(text)
    found = run_lists.find_commits(connection, principal.organization_id, digits, limit=MAX_COMMITS + 1)
    return require_few_commits(digits, found)
