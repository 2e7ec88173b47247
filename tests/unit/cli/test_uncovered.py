"""`chainloop workflow drift --uncovered`: which repositories are shown, and how old that is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cli.answers import RUN, page

REPOSITORY = {
    "source": "github:acme/lib",
    "repositoryId": "7",
    "registration": "forge",
    "registrationId": RUN,
    "firstSeenAt": "2026-11-01T10:00:00Z",
    "seenAt": "2026-11-07T10:00:00Z",
    "isArchived": True,
    "isFork": True,
}
LISTED = {
    "registrationId": RUN, "registration": "forge", "kind": "github", "url": "https://github.com",
    "repositories": 12, "listedAt": "2026-11-07T10:00:00Z", "isComplete": True,
}  # fmt: skip


def test_a_forge_that_was_not_listed_yet_is_not_said_to_be_covered(operate: Any, stub: Any) -> None:
    waiting = {name: value for name, value in LISTED.items() if name != "listedAt"}
    stub.replies = [page(), page({**waiting, "repositories": 0})]

    result = operate("workflow", "drift", "--uncovered")

    assert "has a workflow" not in result.err
    assert "begins within five minutes" in result.err


def test_repositories_are_shown_with_their_marks_and_the_age_of_the_list(operate: Any, stub: Any) -> None:
    stub.replies = [page(REPOSITORY, cursor="more"), page(LISTED)]

    result = operate("workflow", "drift", "--uncovered")

    assert [seen.path.rpartition("/api/v1")[2] for seen in stub.seen] == ["/drift/repositories", "/drift/inventories"]
    for text in ("github:acme/lib", "archived, fork", "forge"):
        assert text in result.out
    assert "forge: 12 repositories, listed at" in result.err
    assert "--next more" in result.err


def test_as_json_the_lists_stand_beside_the_repositories(operate: Any, stub: Any) -> None:
    stub.replies = [page(REPOSITORY), page(LISTED)]

    result = operate("workflow", "drift", "--uncovered", "-o", "json")

    assert result.json["items"] == [REPOSITORY]
    assert result.json["inventories"][0]["listedAt"] == LISTED["listedAt"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"listedAt": None}, "forge was not listed to its end yet"),
        ({"isComplete": False}, "forge shows more repositories than are listed"),
        ({"finding": "GitHub does not take the credential"}, "forge could not be listed: GitHub does not take"),
    ],
)
def test_what_is_not_known_is_said(operate: Any, stub: Any, changed: dict[str, Any], said: str) -> None:
    known = {name: value for name, value in {**LISTED, **changed}.items() if value is not None}
    stub.replies = [page(), page(known)]

    result = operate("workflow", "drift", "--uncovered")

    assert result.status == 0
    assert said in result.err


def test_without_a_forge_nothing_is_called_covered(operate: Any, stub: Any) -> None:
    stub.replies = [page(), page()]

    result = operate("workflow", "drift", "--uncovered")

    assert "no forge is registered" in result.err
    assert "every repository" not in result.err


@pytest.mark.parametrize("option", [("--project", "hello"), ("--kind", "failing")])
def test_filters_of_workflows_are_refused(operate: Any, stub: Any, option: tuple[str, str]) -> None:
    result = operate("workflow", "drift", "--uncovered", *option)

    assert result.status == 2
    assert "--uncovered lists repositories" in result.err
    assert stub.seen == []
