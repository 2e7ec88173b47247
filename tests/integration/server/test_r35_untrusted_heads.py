"""R35: what an administrator decides of heads whose jobs have no secrets; commits are judged again with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from server.model.forge_facts import CiFileTexts
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import COMMIT
from tests.integration.server.judged import Repository

GITLAB_FILE = ".gitlab-ci.yml"
BUILD = "build: {script: make}"
OF_A_FORK = {"event": "pull_request", "pull_request": "7", "base_branch": "main", "is_fork": True}


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def project(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register(ci_file=GITLAB_FILE, source="gitlab:acme/app")
    return found


@pytest.fixture
def decide(clock: Clock) -> Callable[..., Any]:
    """Return what changes a setting of a source, and lets a moment pass."""

    def decide(repository: Repository, role: str = "admin", **change: bool) -> Any:
        client = repository.api(repository.tenant.token(role))
        answer = client.patch(f"/sources/{repository.source_id}", json=change)
        clock.advance(seconds=1)
        return answer

    return decide


def test_r35_a_fork_s_head_passes_while_an_admin_says_so(repository: Repository, decide: Callable[..., Any]) -> None:
    repository.see_head(**OF_A_FORK)
    before = repository.kind()

    decide(repository, untrustedHeadsPass=True)
    opened = repository.said()
    decide(repository, untrustedHeadsPass=False)

    assert opened is not None
    assert (before, opened.kind.value) == ("untrusted-head", "untrusted-head-passes")
    assert repository.kind() == "untrusted-head"


def test_r35_what_passes_by_the_setting_opens_no_gate(repository: Repository, decide: Callable[..., Any]) -> None:
    repository.see_head(**OF_A_FORK)
    decide(repository, untrustedHeadsPass=True)

    question = {"commit": COMMIT, "workflows": ["app/build"]}
    answer = repository.api(repository.tenant.token("read")).post("/gate", json=question)

    assert (answer.json["approved"], answer.json["reasons"][0]["code"]) == (False, "untrusted-head-passes")


def test_r35_a_merge_request_from_an_unprotected_branch_waits_for_a_maintainer_where_the_token_is_protected(
    project: Repository, decide: Callable[..., Any]
) -> None:
    files = {GITLAB_FILE: CiFileTexts(BUILD, BUILD)}
    request = {"event": "pull_request", "pull_request": "7", "branch": "feature", "base_branch": "main"}
    project.see_head(**request, ci_files=files, is_protected=True, is_source_protected=False)
    before = project.kind()

    answer = decide(project, tokenIsProtected=True)

    assert (answer.status_code, answer.json["tokenIsProtected"]) == (200, True)
    assert (before, project.kind()) == ("expected", "untrusted-head")


def test_a_forge_without_protected_variables_has_no_such_token(
    repository: Repository, decide: Callable[..., Any]
) -> None:
    answer = decide(repository, tokenIsProtected=True)

    assert (answer.status_code, answer.json["findings"][0]["path"]) == (422, "/tokenIsProtected")
    assert decide(repository, tokenIsProtected=False).status_code == 200


@pytest.mark.parametrize("change", [{"untrustedHeadsPass": True}, {"tokenIsProtected": True}])
def test_r35_who_only_operates_decides_of_names_alone(
    project: Repository, decide: Callable[..., Any], change: dict[str, bool]
) -> None:
    refused = decide(project, "operate", namesInPublic=True, **change)
    [kept] = project.api(project.tenant.token("read")).get("/sources").json["items"]

    assert refused.status_code == 403
    assert (kept["namesInPublic"], kept["untrustedHeadsPass"], kept["tokenIsProtected"]) == (False, False, False)
    assert decide(project, "operate", namesInPublic=True).status_code == 200


def test_what_a_change_leaves_out_stays(repository: Repository, decide: Callable[..., Any]) -> None:
    decide(repository, untrustedHeadsPass=True)

    changed = decide(repository, namesInPublic=True)

    assert (changed.json["untrustedHeadsPass"], changed.json["namesInPublic"]) == (True, True)


@pytest.mark.parametrize("role", ["admin", "operate"])
def test_another_organization_s_source_is_not_found(repository: Repository, api: Any, rival: Tenant, role: str) -> None:
    answer = api(rival.token(role, "project")).patch(f"/sources/{repository.source_id}", json={"namesInPublic": True})

    assert answer.status_code == 404
