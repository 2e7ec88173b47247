"""The table «event × token → attest, dry run, refuse»: every cell, with events as CI systems tell them (T04)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.contract.types import PrivilegedEvent, RunnerType
from chainloop_ci.runners.registry import discover
from chainloop_ci.runners.situations import SITUATIONS, Course, judge
from tests.unit.runners.environments import azure, circleci, github, gitlab, jenkins

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "tests" / "data" / "events"
PAGE = (ROOT / "docs" / "jobs-without-secrets.md").read_text(encoding="utf-8")

BOTS = {"GITHUB_ACTOR": "dependabot[bot]"}
ATTEST, DRY_RUN, REFUSE = Course.ATTEST, Course.DRY_RUN, Course.REFUSE


def event(name: str) -> dict[str, Any]:
    """Return an event document as GitHub writes it."""
    document: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def with_head(name: str, repository: object) -> dict[str, Any]:
    """Return the event of a pull request whose head lies in another repository."""
    document = event(name)
    document["pull_request"]["head"]["repo"] = repository
    return document


FORK = event("fork")["forkee"]


@dataclass(frozen=True)
class Job:
    """A job, and what the table says of it with and without a token."""

    surroundings: Any
    with_token: Course
    without_token: Course
    env: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Any:
        repository = self.document.get("repository", {}).get("full_name")
        own = {"GITHUB_REPOSITORY": repository} if repository else {}
        return replace(self.surroundings.change(**own, **self.env), event=self.document)


def on_github(
    name: str,
    with_token: Course,
    without_token: Course,
    document: Mapping[str, Any] | None = None,
    **env: str,
) -> Job:
    return Job(github(), with_token, without_token, {"GITHUB_EVENT_NAME": name, **env}, document or event(name))


def on_gitlab(with_token: Course, without_token: Course, **env: str) -> Job:
    return Job(gitlab(), with_token, without_token, {"CI_PROJECT_ID": "11", "CI_PROJECT_PATH": "acme/app", **env})


OWN_REQUEST = {"CI_MERGE_REQUEST_PROJECT_ID": "11", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "11"}
JOBS = {
    "pull request": on_github("pull_request", ATTEST, REFUSE),
    "pull request from a fork": on_github("pull_request", DRY_RUN, DRY_RUN, with_head("pull_request", FORK)),
    "pull request from a fork that is gone": on_github(
        "pull_request", DRY_RUN, DRY_RUN, with_head("pull_request", None)
    ),
    "pull request whose document cannot be read": on_github("pull_request", ATTEST, REFUSE, {"number": 2}),
    "review in a fork's pull request": on_github(
        "pull_request_review", DRY_RUN, DRY_RUN, with_head("pull_request_review", FORK)
    ),
    "review": on_github("pull_request_review", ATTEST, REFUSE),
    "comment in a fork's pull request": on_github(
        "pull_request_review_comment", DRY_RUN, DRY_RUN, with_head("pull_request_review_comment", FORK)
    ),
    "comment": on_github("pull_request_review_comment", ATTEST, REFUSE),
    "pull_request_target": on_github("pull_request_target", REFUSE, REFUSE, event("pull_request")),
    "pull_request_target of a fork": on_github("pull_request_target", REFUSE, REFUSE, with_head("pull_request", FORK)),
    "pull_request_target of Dependabot": on_github(
        "pull_request_target", REFUSE, REFUSE, event("pull_request"), **BOTS
    ),
    "workflow_run": on_github("workflow_run", REFUSE, REFUSE),
    "Dependabot's pull request": on_github("pull_request", ATTEST, DRY_RUN, **BOTS),
    "Dependabot's push": on_github("push", ATTEST, DRY_RUN, **BOTS),
    "Dependabot's run, repeated by somebody": on_github(
        "push", ATTEST, DRY_RUN, **BOTS, GITHUB_TRIGGERING_ACTOR="octocat"
    ),
    "somebody's run, repeated by Dependabot": on_github(
        "push", ATTEST, DRY_RUN, GITHUB_ACTOR="octocat", GITHUB_TRIGGERING_ACTOR="dependabot[bot]"
    ),
    "push": on_github("push", ATTEST, REFUSE),
    "push in a fork": on_github("push", ATTEST, DRY_RUN, {**event("push"), "repository": FORK}),
    "merge_group": on_github("merge_group", ATTEST, REFUSE),
    "workflow_dispatch": on_github("workflow_dispatch", ATTEST, REFUSE),
    "release": on_github("release", ATTEST, REFUSE),
    "create": on_github("create", ATTEST, REFUSE),
    "deployment": on_github("deployment", ATTEST, REFUSE),
    "repository_dispatch": on_github("repository_dispatch", ATTEST, REFUSE),
    "GitLab: protected branch": on_gitlab(ATTEST, REFUSE, CI_COMMIT_REF_PROTECTED="true"),
    "GitLab: unprotected branch": on_gitlab(ATTEST, DRY_RUN, CI_COMMIT_REF_PROTECTED="false"),
    "GitLab: merge request of the project": on_gitlab(
        ATTEST, DRY_RUN, **OWN_REQUEST, CI_COMMIT_REF_PROTECTED="false", CI_PIPELINE_SOURCE="merge_request_event"
    ),
    "GitLab: merge request between protected branches": on_gitlab(
        ATTEST, REFUSE, **OWN_REQUEST, CI_COMMIT_REF_PROTECTED="true", CI_PIPELINE_SOURCE="merge_request_event"
    ),
    "GitLab: a fork's merge request in the parent project": on_gitlab(
        DRY_RUN, DRY_RUN, CI_MERGE_REQUEST_PROJECT_ID="11", CI_MERGE_REQUEST_SOURCE_PROJECT_ID="12"
    ),
    "GitLab: the same, by path": on_gitlab(DRY_RUN, DRY_RUN, CI_MERGE_REQUEST_SOURCE_PROJECT_PATH="octocat/app"),
    "GitLab: merge request of a project without a path": on_gitlab(
        ATTEST, REFUSE, CI_PROJECT_PATH="", CI_MERGE_REQUEST_SOURCE_PROJECT_PATH="octocat/app"
    ),
    "GitLab: a fork's merge request in the fork": on_gitlab(
        ATTEST, DRY_RUN, CI_MERGE_REQUEST_PROJECT_ID="10", CI_MERGE_REQUEST_SOURCE_PROJECT_ID="11"
    ),
    "Azure: pull request from a fork": Job(azure(), DRY_RUN, DRY_RUN, {"SYSTEM_PULLREQUEST_ISFORK": "True"}),
    "Azure: pull request from a fork, in small letters": Job(
        azure(), DRY_RUN, DRY_RUN, {"SYSTEM_PULLREQUEST_ISFORK": "true"}
    ),
    "Azure: pull request": Job(azure(), ATTEST, REFUSE, {"SYSTEM_PULLREQUEST_ISFORK": "False"}),
    "CircleCI: pull request from a fork": Job(circleci(), DRY_RUN, DRY_RUN, {"CIRCLE_PR_NUMBER": "7"}),
    "CircleCI: pull request from a fork, by its repository": Job(
        circleci(), DRY_RUN, DRY_RUN, {"CIRCLE_PR_REPONAME": "app"}
    ),
    "Jenkins: change from a fork": Job(jenkins(), ATTEST, DRY_RUN, {"CHANGE_FORK": "octocat"}),
    "Jenkins: change": Job(jenkins(), ATTEST, REFUSE, {"CHANGE_ID": "7"}),
}


@pytest.mark.parametrize("has_token", [True, False], ids=["with a token", "token empty"])
@pytest.mark.parametrize("name", JOBS)
def test_t04_every_cell_of_the_table(name: str, has_token: bool) -> None:
    job = JOBS[name]

    found = judge(job.facts).course(has_token=has_token)

    assert found is (job.with_token if has_token else job.without_token)


def test_every_row_of_the_table_has_a_job_here() -> None:
    met = {id(judge(job.facts)) for job in JOBS.values()}

    assert [row.name for row in SITUATIONS if id(row) not in met] == []


def test_every_event_that_a_contract_may_allow_has_one_row() -> None:
    assert [row.event for row in SITUATIONS if row.event] == list(PrivilegedEvent)


def test_a_pipeline_of_dagger_that_a_fork_s_job_begins_is_a_fork_s_too() -> None:
    facts = JOBS["pull request from a fork"].facts
    inside = replace(facts, env={**facts.env, "CHAINLOOP_DAGGER_CLIENT": "0.12"})

    assert discover(inside).type is RunnerType.DAGGER_PIPELINE
    assert judge(inside).course(has_token=False) is DRY_RUN


def test_what_another_system_calls_a_fork_says_nothing_here() -> None:
    facts = JOBS["push"].facts
    theirs = {
        "CI_COMMIT_REF_PROTECTED": "false",
        "SYSTEM_PULLREQUEST_ISFORK": "True",
        "CIRCLE_PR_NUMBER": "7",
        "CHANGE_FORK": "octocat",
    }

    found = judge(replace(facts, env={**facts.env, **theirs}))

    assert found.name == "any other job"


def test_the_repository_s_name_is_compared_without_case() -> None:
    facts = JOBS["pull request"].facts

    found = judge(replace(facts, env={**facts.env, "GITHUB_REPOSITORY": "codertocat/hello-world"}))

    assert found.name == "any other job"


def test_the_page_has_the_table() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith("| Runner")
    ]

    assert rows == [
        [
            f"`{row.runner}`" if row.runner else "any",
            row.name,
            row.recognised_by,
            row.with_token.value,
            row.without_token.value,
        ]
        for row in SITUATIONS
    ]
