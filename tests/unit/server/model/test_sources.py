"""R30: what a run claims of its source is offered, never believed."""

from __future__ import annotations

import pytest

from chainloop_ci.api.sources import SourceState
from chainloop_ci.runners.types import CiIdentity
from server.model.sources import claimed_source, status_context

GITHUB = CiIdentity("github", server_url="https://github.com", repository="acme/app")


def test_r30_a_claim_names_source_file_and_run():
    claimed = claimed_source("w", "r", GITHUB, ".github/workflows/ci.yml")

    assert claimed is not None
    assert (claimed.source, claimed.ci_file, claimed.run_id) == ("github:acme/app", ".github/workflows/ci.yml", "r")
    assert claimed.state is SourceState.CLAIMED
    assert claimed.source_id is None


def test_a_jenkins_is_claimed_by_its_job_and_not_by_the_repository_that_it_builds():
    ci = CiIdentity("jenkins", server_url="https://ci.corp", repository="https://git.corp/acme/app", job="team/app")

    claimed = claimed_source("w", "r", ci, "")

    assert claimed is not None
    assert (claimed.source, claimed.ci_file) == ("jenkins:https://ci.corp/job/team/job/app", "Jenkinsfile")


@pytest.mark.parametrize(
    "ci",
    [
        CiIdentity("none"),
        CiIdentity("tekton", server_url="https://x", repository="acme/app"),
        CiIdentity("github", repository="acme/app"),
        CiIdentity("github", server_url="https://github.com"),
        CiIdentity("jenkins", server_url="https://ci.corp", repository="acme/app"),
        CiIdentity("github", server_url="https://github.com", repository="acme/app/../other"),
        CiIdentity("github", server_url="https://evil@github.com", repository="acme/app"),
        CiIdentity("gitlab", server_url="javascript:alert(1)", repository="acme/app"),
    ],
)
def test_r30_what_nobody_could_register_is_not_offered(ci):
    assert claimed_source("w", "r", ci, "") is None


def test_a_status_context_names_no_run():
    assert status_context("shop", "build") == "chainloop/shop/build"
