"""Dagger: what its caller hands on is all there is. The variables stand in `environments.dagger`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.runners.registry import resolve_variables
from chainloop_ci.runners.systems.dagger import DAGGER_PIPELINE
from chainloop_ci.runners.types import CiIdentity, HostFacts
from tests.unit.runners.environments import HEAD, MERGE, dagger

CLIENT = {"CHAINLOOP_DAGGER_CLIENT": "v1.106.0"}
GITLAB = {
    "CI_MERGE_REQUEST_EVENT_TYPE": "merged_result",
    "CI_MERGE_REQUEST_IID": "17",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD,
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_PROJECT_PATH": "acme/api",
    "CI_SERVER_URL": "https://gitlab.test",
}


def test_on_a_laptop_nothing_but_dagger_is_known():
    assert DAGGER_PIPELINE.ci(HostFacts(CLIENT)) == CiIdentity(provider="dagger")
    assert DAGGER_PIPELINE.run_url(HostFacts(CLIENT)) is None
    assert DAGGER_PIPELINE.environment(HostFacts(CLIENT)) == "unknown"


def test_r31_the_commit_of_a_pull_request_is_its_head():
    found = DAGGER_PIPELINE.ci(dagger().facts)

    assert (found.event, found.pull_request, found.head_sha) == ("pull_request", "17", HEAD)


def test_r31_without_the_event_document_the_head_is_unknown():
    facts = replace(dagger().facts, event={}, env={**dagger().facts.env, "GITHUB_SHA": MERGE})

    assert DAGGER_PIPELINE.ci(facts).head_sha is None


def test_r31_a_head_that_one_system_does_not_tell_is_not_taken_from_another():
    facts = replace(dagger().facts, event={}, env={**dagger().facts.env, "CI_COMMIT_SHA": MERGE})

    assert DAGGER_PIPELINE.ci(facts).head_sha is None


def test_r31_a_commit_without_its_event_may_be_a_test_merge_and_is_not_taken():
    assert DAGGER_PIPELINE.ci(HostFacts({**CLIENT, "GITHUB_SHA": MERGE})).head_sha is None


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param(
            GITLAB,
            CiIdentity(
                provider="dagger",
                server_url="https://gitlab.test",
                repository="acme/api",
                event="merge_request_event",
                head_sha=HEAD,
                pull_request="17",
            ),
            id="merge-request",
        ),
        pytest.param(
            {
                "GITHUB_EVENT_NAME": "push",
                "GITHUB_REF": "refs/tags/v1",
                "GITHUB_REPOSITORY": "acme/api",
                "GITHUB_RUN_ATTEMPT": "2",
                "GITHUB_RUN_ID": "9",
                "GITHUB_SHA": HEAD,
            },
            CiIdentity(
                provider="dagger",
                repository="acme/api",
                run_id="9",
                run_attempt=2,
                event="push",
                ref="refs/tags/v1",
                head_sha=HEAD,
            ),
            id="tag-and-re-run",
        ),
    ],
)
def test_what_was_handed_on_is_recorded(env, expected):
    assert DAGGER_PIPELINE.ci(HostFacts({**CLIENT, **env})) == expected


def test_r24_the_clients_version_is_the_one_variable_of_ours_that_is_recorded():
    env = {**CLIENT, "CHAINLOOP_TOKEN": "clp_0123456789", "GITHUB_TOKEN": "ghs_0123456789"}

    found, _ = resolve_variables(DAGGER_PIPELINE, HostFacts(env), ())

    assert found == CLIENT
