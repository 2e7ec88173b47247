"""What checks the forges of tests: it sees each kind of departure from the published descriptions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import requests

from examples.forge.exchange import Answer, Exchange, Request
from tests.forges.checked import checked_github, github_description, gitlab_description
from tests.forges.description import Description
from tests.forges.packages import lack
from tests.forges.payloads import examples, violations

PATH, SHA = "/repos/{owner}/{repo}/statuses/{sha}", "f" * 40


@pytest.fixture
def description() -> Description:
    found = github_description()
    if found is None:
        lack("needs GitHub's description, not installed here (.ci/install-tools does)")
    assert found is not None
    return found


@pytest.fixture
def good() -> Exchange:
    """Return an exchange that is as described."""
    with checked_github() as forge:
        repository = forge.repository("octo-org/app")
        url = f"{forge.api_url}/repos/octo-org/app/statuses/{repository.branches['main']}"
        headers = {"Authorization": f"token {forge.token('robot')}"}
        requests.post(url, json={"state": "success"}, headers=headers, timeout=5)
        return forge.log[-1]


def answered(good: Exchange, **changes: Any) -> Exchange:
    return replace(good, answer=replace(good.answer, document={**good.answer.document, **changes}))


def test_a_good_exchange_has_no_fault_in_it(description: Description, good: Exchange) -> None:
    assert description.violations(good) == []


def test_an_answer_of_the_wrong_type_is_seen(description: Description, good: Exchange) -> None:
    assert '"text" is not of type "integer"' in description.violations(answered(good, id="text"))[0]


def test_an_answer_that_lacks_a_field_is_seen(description: Description, good: Exchange) -> None:
    rest = {name: value for name, value in good.answer.document.items() if name != "context"}

    found = description.violations(replace(good, answer=Answer(201, rest)))

    assert '"context" is a required property' in found[0]


def test_null_is_only_where_the_description_has_it(description: Description, good: Exchange) -> None:
    assert description.violations(answered(good, target_url=None)) == []
    assert description.violations(answered(good, context=None)) != []


def test_a_status_that_is_not_described_is_seen(description: Description, good: Exchange) -> None:
    assert "answer: 202" in description.violations(replace(good, answer=replace(good.answer, status=202)))[0]


def test_a_request_that_is_taken_but_not_as_described_is_seen(description: Description, good: Exchange) -> None:
    wrong = replace(good, request=replace(good.request, body=b'{"state": "passed"}'))

    assert "request: /state" in description.violations(wrong)[0]


def test_a_parameter_that_is_not_described_is_seen(description: Description, good: Exchange) -> None:
    request = Request("GET", good.path.replace("/statuses/", "/commits/"), {"stat": "open"})
    seen = Exchange(1, request, Answer(200, []), "robot", "/repos/{owner}/{repo}/pulls")

    assert description.violations(seen)[0].endswith("query: unknown parameter stat")


def test_what_was_refused_may_be_wrong(description: Description, good: Exchange) -> None:
    request = replace(good.request, body=b'{"state": "passed"}')

    assert description.violations(replace(good, request=request, answer=Answer(422, {"message": "no"}))) == []


@pytest.mark.parametrize("path", ["/no/such/address", "/repos/octo-org/app/no-such-part"])
def test_an_address_that_the_stand_in_lacks_fails_the_test(path: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="the stand-in has no such operation"), checked_github() as forge:
        requests.get(f"{forge.api_url}{path}", timeout=5)


def test_every_operation_of_the_stand_in_is_described(description: Description) -> None:
    from examples.forge.github import FakeGitHub
    from tests.forges.checked import UNDESCRIBED

    own = {(route.method, route.template) for route in FakeGitHub.routes}

    assert {each for each in own if not description.has(*each)} == UNDESCRIBED


@pytest.fixture
def gitlabs() -> Description:
    found = gitlab_description()
    if found is None:
        pytest.skip("GitLab's description is not beside the project")
    return found


def gitlab_status(sent: bytes, **answer: Any) -> Exchange:
    request = Request("POST", f"/projects/1/statuses/{SHA}", body=sent)
    return Exchange(1, request, Answer(201, {"id": 1, **answer}), "robot", "/projects/{id}/statuses/{sha}")


def test_gitlabs_answers_may_be_null_and_lack_fields_but_not_types(gitlabs: Description) -> None:
    sent = b'{"state": "success"}'

    assert gitlabs.violations(gitlab_status(sent, description=None)) == []
    assert "answer 200: /description" in gitlabs.violations(gitlab_status(sent, description=5))[0]


@pytest.mark.parametrize("sent", [b'{"state": "error"}', b'{"name": "x"}', b'{"state": "success", "pipeline_id": "x"}'])
def test_gitlabs_requests_are_checked_strictly(gitlabs: Description, sent: bytes) -> None:
    assert gitlabs.violations(gitlab_status(sent))[0].count("request: /") == 1


def test_the_stand_in_for_gitlab_has_every_operation_of_its_description(gitlabs: Description) -> None:
    from examples.forge.gitlab import FakeGitLab

    own = {(route.method, re.sub(r"\{\w+\}", "{}", f"/api/v4{route.template}")) for route in FakeGitLab.routes}
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in gitlabs.document["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "delete")
    }

    assert described - own == set()


def test_there_are_329_example_payloads_of_58_events() -> None:
    assert (len(examples()), len({each.event for each in examples()})) == (329, 58)


def test_the_examples_that_are_not_as_their_schema_says_are_known() -> None:
    """Nearly all are the first of their event: written by hand, and older than some required fields."""
    wrong = [each for each in examples() if violations(each.event, each.payload)]

    assert len(wrong) == 52
    assert {each.name for each in wrong if each.index} == {
        "deployment_status-1-created",
        "sponsorship-1-pending_tier_change",
    }
