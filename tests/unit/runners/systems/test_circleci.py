"""CircleCI: branches, tags, pull requests. The variables stand in `environments.circleci`."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.circleci import CIRCLECI_BUILD
from chainloop_ci.runners.types import CiIdentity
from tests.unit.runners.environments import HEAD, circleci


def test_the_identity_of_a_branchs_build():
    assert CIRCLECI_BUILD.ci(circleci().facts) == CiIdentity(
        provider="circleci",
        server_url="https://circleci.com",
        repository="git@github.com:acme/api.git",
        run_id="9a956048-86ba-436a-aac0-9cd461ae266a",
        job="build",
        ref="main",
        head_sha=HEAD,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"CIRCLE_BRANCH": None, "CIRCLE_TAG": "v1.0.0"}, {"ref": "v1.0.0", "head_sha": HEAD}, id="tag"),
        pytest.param(
            {"CIRCLE_BRANCH": "feature", "CIRCLE_PULL_REQUEST": "https://github.com/acme/api/pull/17"},
            {"ref": "feature", "pull_request": "17", "head_sha": HEAD},
            id="pull-request",
        ),
        pytest.param(
            {"CIRCLE_BRANCH": "pull/17", "CIRCLE_PR_NUMBER": "17", "CIRCLE_PR_USERNAME": "bob"},
            {"ref": "pull/17", "pull_request": "17"},
            id="pull-request-of-a-fork",
        ),
        pytest.param({"CIRCLE_PULL_REQUEST": "https://github.com/acme/api/pulls"}, {"pull_request": None}, id="odd"),
        pytest.param({"CIRCLE_WORKFLOW_ID": "new"}, {"run_id": "new", "run_attempt": None}, id="re-run"),
        pytest.param({"CIRCLE_WORKFLOW_ID": None}, {"run_id": "91"}, id="no-workflow"),
        pytest.param({"CIRCLE_NODE_INDEX": "2", "CIRCLE_NODE_TOTAL": "4"}, {"job_index": "2"}, id="parallel"),
        pytest.param({"CIRCLE_REPOSITORY_URL": None}, {"repository": "acme/api"}, id="no-address"),
        pytest.param(
            {"CIRCLE_REPOSITORY_URL": "", "CIRCLE_PROJECT_REPONAME": ""}, {"repository": None}, id="other-forge"
        ),
        pytest.param(
            {"CIRCLE_BUILD_URL": "https://ci.test:8443/gh/acme/api/91"},
            {"server_url": "https://ci.test:8443"},
            id="own-server",
        ),
    ],
)
def test_what_a_job_says_of_itself(changes, expected):
    found = CIRCLECI_BUILD.ci(circleci().change(**changes))

    assert {name: getattr(found, name) for name in expected} == expected


def test_the_run_url_is_that_of_the_build():
    assert CIRCLECI_BUILD.run_url(circleci().facts) == "https://circleci.com/gh/acme/api/91"


def test_a_build_of_a_tag_has_no_branch_and_all_that_is_required():
    found, _ = resolve_variables(CIRCLECI_BUILD, circleci().change(CIRCLE_BRANCH=None, CIRCLE_TAG="v1"), ())

    assert "CIRCLE_BRANCH" not in found


@pytest.mark.parametrize("value", ["True", "1", "yes", ""])
def test_only_circleci_itself_says_true(value):
    assert not CIRCLECI_BUILD.detect(circleci().change(CIRCLECI=value))


def test_a_step_that_unset_ci_still_runs_on_circleci():
    assert CIRCLECI_BUILD.detect(circleci().change(CI=None))
