"""Answers to deployment protection rules, at a GitHub of our own."""

from __future__ import annotations

from typing import Any

import pytest

from examples.forge.github.world import WorkflowRun
from server.model.gate_requests import PROTECTION, GateContent, GateState
from server.model.verdict_content import ForgeRepository
from tests.integration.server.github.conftest import Scene

FOREIGN = "https://attacker.test/steal"


@pytest.fixture
def waiting(by_app: Scene) -> WorkflowRun:
    """Return a run whose deployment waits, and whose payload named somebody else's address."""
    by_app.forge.installations[by_app.target.settings["installationId"]].permissions["deployments"] = "write"
    run = by_app.forge.start_run(by_app.repository, ".github/workflows/deploy.yml", by_app.sha)
    by_app.forge.ask_deployment(run, "production", callback=FOREIGN)
    return run


def content(scene: Scene, run: WorkflowRun, state: GateState, **changes: Any) -> GateContent:
    given = {"repository": scene.place, "ci_run_id": str(run.id), "environment": "production", "sha": scene.sha}
    return GateContent(**{**given, "state": state, "comment": "- stops it: missing", **changes})


def answer(scene: Scene, told: GateContent) -> tuple[str, str]:
    outcome = scene.deliver(PROTECTION, told.lane, told.to_facts())
    return outcome.kind.value, outcome.code


@pytest.mark.parametrize(("state", "conclusion"), [(GateState.APPROVED, None), (GateState.REJECTED, "failure")])
def test_a_deployment_goes_on_or_ends_as_the_gate_says(
    by_app: Scene, waiting: WorkflowRun, state: GateState, conclusion: str | None
) -> None:
    came = answer(by_app, content(by_app, waiting, state))

    [told] = waiting.protections
    assert came == ("delivered", "204")
    assert (told["state"], told["comment"], waiting.last.conclusion) == (state.value, "- stops it: missing", conclusion)


def test_a_deployment_that_waits_is_told_why(by_app: Scene, waiting: WorkflowRun) -> None:
    answer(by_app, content(by_app, waiting, GateState.WAITING))

    [told] = waiting.protections
    assert "state" not in told
    assert waiting.waiting_for == {"production"}


def test_an_app_that_may_not_answer_is_told_which_permission_it_lacks(by_app: Scene) -> None:
    run = by_app.forge.start_run(by_app.repository, ".github/workflows/deploy.yml", by_app.sha)
    by_app.forge.ask_deployment(run, "production", callback=FOREIGN)
    told = content(by_app, run, GateState.APPROVED)

    outcome = by_app.deliver(PROTECTION, told.lane, told.to_facts())

    assert (outcome.kind.value, outcome.code) == ("refused", "permission-missing")
    assert "Deployments: write" in outcome.detail


def test_r43_no_request_goes_to_the_address_of_the_payload(by_app: Scene, waiting: WorkflowRun) -> None:
    answer(by_app, content(by_app, waiting, GateState.APPROVED))

    assert f"POST /actions/runs/{waiting.id}/deployment_protection_rule" in by_app.requests()
    assert not any("attacker" in seen for seen in by_app.requests())


def test_r30_a_run_of_another_commit_is_not_answered(by_app: Scene, waiting: WorkflowRun) -> None:
    came = answer(by_app, content(by_app, waiting, GateState.APPROVED, sha="f" * 40))

    assert (came, waiting.protections) == (("refused", "commit-differs"), [])


def test_r44_a_repository_that_is_not_listed_is_not_answered(by_app: Scene, waiting: WorkflowRun) -> None:
    other = ForgeRepository("github", by_app.target.host, "999", "octo-org/app")

    came = answer(by_app, content(by_app, waiting, GateState.APPROVED, repository=other))

    assert (came, waiting.protections) == (("refused", "repository-not-bound"), [])


def test_a_deployment_that_waits_no_more_is_left_alone(by_app: Scene, waiting: WorkflowRun) -> None:
    answer(by_app, content(by_app, waiting, GateState.APPROVED))

    assert answer(by_app, content(by_app, waiting, GateState.REJECTED)) == ("skipped", "not-waiting")


def test_a_token_answers_no_rule(by_token: Scene) -> None:
    run = by_token.forge.start_run(by_token.repository, ".github/workflows/deploy.yml", by_token.sha)

    assert answer(by_token, content(by_token, run, GateState.APPROVED)) == ("refused", "app-needed")
