"""Which repositories a credential shows on GitHub: page after page, of the accounts that were registered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.integrations.github.listing import list_repositories
from server.model.inventories import ForgeRepository, RepositoryPage
from tests.integration.server.github.conftest import Scene
from tests.unit.stub_server import Reply, stub_server


def every(scene: Scene) -> list[ForgeRepository]:
    """Return what all pages have."""
    found, after = [], ""
    while True:
        page = list_repositories(scene.target, after, scene.tools)
        assert page.finding == ""
        found += page.repositories
        if page.after is None:
            return found
        after = page.after


def test_a_token_lists_the_accounts_that_are_registered_and_no_others(by_token: Scene) -> None:
    forge, app = by_token.forge, by_token.repository
    forge.repository("octo-org/old", is_private=True).is_archived = True
    forge.repository("octo-org/copy", fork_of=forge.repository("stranger/lib"))
    forge.repository("someone/private", is_private=True)

    found = {item.name: item for item in every(by_token)}

    assert set(found) == {"octo-org/app", "octo-org/old", "octo-org/copy"}
    assert found["octo-org/app"] == ForgeRepository(str(app.id), "octo-org/app")
    assert found["octo-org/old"].is_archived
    assert found["octo-org/copy"].is_fork


@pytest.mark.parametrize("number", [99, 100, 230])
def test_every_page_is_read_and_no_repository_twice(by_token: Scene, number: int) -> None:
    made = {by_token.forge.repository(f"octo-org/r{each}").full_name for each in range(number)}

    found = [item.name for item in every(by_token)]

    assert len(found) == len(set(found)) == number + 1
    assert made < set(found)


def test_an_app_lists_what_its_installation_was_given(by_app: Scene) -> None:
    by_app.forge.repository("octo-org/other", is_private=True)

    assert [item.name for item in every(by_app)] == ["octo-org/app"]


def test_r45_a_link_to_another_host_leads_nowhere(by_token: Scene) -> None:
    """R45: the transport goes no further where a `Link` header leads to another host, and nothing is asked there."""
    for each in range(130):
        by_token.forge.repository(f"octo-org/r{each}")

    with stub_server() as foreign:
        by_token.forge.faults.foreign_link = foreign.url
        page = list_repositories(by_token.target, "", by_token.tools)

    assert "its `Link` header leads to another host" in page.finding
    assert foreign.seen == []


def test_what_github_refuses_is_a_finding_without_the_token(by_token: Scene) -> None:
    target = replace(by_token.target, credentials={"token": "ghp_worthless"})

    page = list_repositories(target, "", by_token.tools)

    assert page == RepositoryPage(finding=page.finding)
    assert "Bad credentials" in page.finding
    assert "ghp_worthless" not in page.finding


@pytest.mark.parametrize("body", [b"<html>a page for people</html>", b"[1, 2]", b'{"message": "hello"}'])
def test_what_is_no_list_is_a_finding(by_token: Scene, body: bytes) -> None:
    with stub_server() as stub:
        stub.replies = [Reply(200, body, {"Content-Type": "application/json"})]
        page = list_repositories(replace(by_token.target, host=stub.url), "", by_token.tools)

    assert page.repositories == ()
    assert "found something else" in page.finding
