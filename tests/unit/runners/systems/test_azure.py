"""Azure Pipelines: whose commit, whose job. The variables stand in `environments.azure`."""

from __future__ import annotations

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.azure import AZURE_PIPELINE
from chainloop_ci.runners.types import CiIdentity
from tests.unit.runners.environments import HEAD, MERGE, azure

PULL_REQUEST = {
    "BUILD_REASON": "PullRequest",
    "BUILD_SOURCEBRANCH": "refs/pull/17/merge",
    "BUILD_SOURCEVERSION": MERGE,
    "SYSTEM_PULLREQUEST_PULLREQUESTID": "17",
    "SYSTEM_PULLREQUEST_SOURCECOMMITID": HEAD,
}


def test_the_identity_of_a_push():
    assert AZURE_PIPELINE.ci(azure().facts) == CiIdentity(
        provider="azure",
        server_url="https://dev.azure.com/acme",
        repository="https://dev.azure.com/acme/My%20Project/_git/api",
        run_id="1430",
        run_attempt=1,
        job="build/compile",
        runner_name="Azure Pipelines 4",
        event="IndividualCI",
        ref="refs/heads/main",
        head_sha=HEAD,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"BUILD_SOURCEBRANCH": "refs/tags/v1"}, {"ref": "refs/tags/v1", "head_sha": HEAD}, id="tag"),
        pytest.param(
            PULL_REQUEST,
            {"event": "PullRequest", "ref": "refs/pull/17/merge", "head_sha": HEAD, "pull_request": "17"},
            id="pull-request",
        ),
        pytest.param(
            {**PULL_REQUEST, "SYSTEM_PULLREQUEST_PULLREQUESTID": "90210", "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "17"},
            {"pull_request": "17"},
            id="pull-request-on-github",
        ),
        pytest.param(
            {**PULL_REQUEST, "SYSTEM_PULLREQUEST_SOURCECOMMITID": "$(System.PullRequest.SourceCommitId)"},
            {"head_sha": None, "pull_request": "17"},
            id="r31-never-the-merge-commit",
        ),
        pytest.param(
            {"BUILD_SOURCEBRANCH": "refs/pull/17/merge", "BUILD_SOURCEVERSION": MERGE, "BUILD_REASON": "Manual"},
            {"head_sha": None},
            id="r31-a-pull-request-s-merge-started-by-hand",
        ),
        pytest.param(
            {"BUILD_SOURCEBRANCH": "refs/pull/17/merge", "BUILD_SOURCEVERSION": MERGE, "BUILD_REASON": None},
            {"head_sha": None},
            id="r31-a-pull-request-s-merge-for-no-known-reason",
        ),
        pytest.param(
            {"SYSTEM_JOBATTEMPT": "2"}, {"run_id": "1430", "run_attempt": 2, "job": "build/compile"}, id="re-run"
        ),
        pytest.param(
            {"SYSTEM_JOBPOSITIONINPHASE": "3", "SYSTEM_TOTALJOBSINPHASE": "4"}, {"job_index": "3"}, id="matrix"
        ),
        pytest.param(
            {"SYSTEM_STAGENAME": "__default", "SYSTEM_PHASENAME": "compile"}, {"job": "compile"}, id="one-stage"
        ),
        pytest.param(
            {"SYSTEM_STAGENAME": "__default", "SYSTEM_PHASENAME": "__default"}, {"job": "Compile"}, id="one-job"
        ),
        pytest.param({"BUILD_SOURCEVERSION": "C1234"}, {"head_sha": None}, id="changeset"),
        pytest.param({"BUILD_REPOSITORY_URI": None}, {"repository": "api"}, id="no-address"),
    ],
)
def test_what_a_job_says_of_itself(changes, expected):
    found = AZURE_PIPELINE.ci(azure().change(**changes))

    assert {name: getattr(found, name) for name in expected} == expected


def test_the_run_url_leads_to_the_log_of_the_job_and_is_encoded():
    assert AZURE_PIPELINE.run_url(azure().facts) == (
        "https://dev.azure.com/acme/My%20Project/_build/results"
        "?buildId=1430&j=12f1170f-54f2-53f3-20dd-22fc7dff55f9&view=logs"
    )


def test_on_an_own_server_the_collection_is_part_of_the_address():
    facts = azure().change(
        SYSTEM_COLLECTIONURI="https://tfs.test/tfs/Main/", SYSTEM_TEAMFOUNDATIONSERVERURI="https://tfs.test/tfs/"
    )

    assert str(AZURE_PIPELINE.run_url(facts)).startswith("https://tfs.test/tfs/Main/My%20Project/_build/")


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"), True),
        (("SYSTEM_JOBID",), True),
        (("SYSTEM_TEAMPROJECT",), False),
        (("BUILD_BUILDID",), False),
    ],
)
def test_the_run_url_needs_server_project_and_build(missing, expected):
    assert bool(AZURE_PIPELINE.run_url(azure().change(**dict.fromkeys(missing)))) is expected


def test_the_repositorys_address_is_recorded_without_its_user():
    found, _ = resolve_variables(AZURE_PIPELINE, azure().facts, ())

    assert found["BUILD_REPOSITORY_URI"] == "https://dev.azure.com/acme/My%20Project/_git/api"
