"""Answer a deployment protection rule. Source: GitHub Docs, REST page «Workflow runs», «Review custom deployment
protection rules for a workflow run», and "Creating custom deployment protection rules".

The payload's own callback is never called (R43): the address is made of the registration's host, a listed repository
and the run's number, and the run is read first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.integrations.answers import RefusedError, require_repository
from server.integrations.github.access import ask, is_app
from server.integrations.github.outcomes import words
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.gate_requests import GateContent, GateState

if TYPE_CHECKING:
    from github import Github

NEED = "Actions: read and Deployments: write"


def answer_rule(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    content = GateContent.from_facts(message.content)
    if not is_app(target):
        return Outcome(OutcomeKind.REFUSED, "app-needed", "only a GitHub App answers deployment protection rules")
    try:
        number = require_repository(target, content.repository.host, content.repository.id)
    except RefusedError as error:
        return error.outcome
    return ask(target, tools, NEED, message.attempt, lambda client: _answer(client, number, content))


def _answer(client: Github, number: int, content: GateContent) -> Outcome:
    from github import GithubException

    repository = client.get_repo(number)
    run = repository.get_workflow_run(int(content.ci_run_id))
    if run.head_sha != content.sha:
        detail = f"the run is of commit {run.head_sha}, the question was about {content.sha}; it was not answered"
        return Outcome(OutcomeKind.REFUSED, "commit-differs", detail)
    path = f"/repos/{repository.full_name}/actions/runs/{run.id}/deployment_protection_rule"
    try:
        client.requester.requestJsonAndCheck("POST", path, input=_document(content))
    except GithubException as error:
        if error.status == 422 and "pending deployment" in words(error).lower():
            return Outcome(OutcomeKind.SKIPPED, "not-waiting", words(error))
        raise
    return Outcome(OutcomeKind.DELIVERED, "204")


def _document(content: GateContent) -> dict[str, str]:
    """Return the body; without a state it only says how it stands."""
    said = {"environment_name": content.environment, "comment": content.comment}
    return said if content.state is GateState.WAITING else {**said, "state": content.state.value}
