from __future__ import annotations

import pytest

from chainloop_ci.api.source_address import parse_source
from server.model.forge_links import ci_run_url, commit_url, pull_request_url, repository_url

SHA = "0123456789abcdef0123456789abcdef01234567"
GITHUB = parse_source("github:acme/app")
ENTERPRISE = parse_source("github:https://ghe.example:8443/acme/app")
GITLAB = parse_source("gitlab:https://git.example/gitlab//group/sub/app")
JENKINS = parse_source("jenkins:https://ci.example/job/folder/job/my%20app")


@pytest.mark.parametrize(
    ("address", "repository", "commit", "pull_request", "ci_run"),
    [
        (GITHUB, "acme/app", f"commit/{SHA}", "pull/7", "actions/runs/77/attempts/2"),
        (ENTERPRISE, "acme/app", f"commit/{SHA}", "pull/7", "actions/runs/77/attempts/2"),
        (GITLAB, "group/sub/app", f"-/commit/{SHA}", "-/merge_requests/7", "-/pipelines/77"),
    ],
)
def test_each_forge_has_its_own_pages(address, repository, commit, pull_request, ci_run):
    base = f"{address.host}/{repository}"

    assert repository_url(address) == base
    assert commit_url(address, SHA) == f"{base}/{commit}"
    assert pull_request_url(address, "7") == f"{base}/{pull_request}"
    assert ci_run_url(address, "77", 2) == f"{base}/{ci_run}"


def test_a_jenkins_has_builds_and_no_commits():
    assert ci_run_url(JENKINS, "5") == "https://ci.example/job/folder/job/my%20app/5/"
    assert commit_url(JENKINS, SHA) is None
    assert pull_request_url(JENKINS, "7") is None


def test_the_first_attempt_is_the_run_itself():
    assert ci_run_url(GITHUB, "77", 1) == ci_run_url(GITHUB, "77") == "https://github.com/acme/app/actions/runs/77"


@pytest.mark.parametrize("text", ["", "0", "7/../../x", "javascript:alert(1)", "７", "1" * 20, "https://evil.example"])
def test_r43_what_is_no_number_is_no_link(text):
    assert ci_run_url(GITHUB, text) is None
    assert pull_request_url(GITHUB, text) is None
    assert commit_url(GITHUB, text) is None
