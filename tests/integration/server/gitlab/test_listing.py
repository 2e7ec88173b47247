"""Which projects a token is a member of on GitLab: page after page, of the groups that were registered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples.forge.gitlab.world import DEVELOPER
from server.integrations.gitlab.listing import list_repositories
from server.model.inventories import ForgeRepository, RepositoryPage
from tests.integration.server.gitlab.conftest import Scene
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


def test_projects_of_the_registered_groups_and_their_subgroups_are_listed(bare: Scene) -> None:
    forge = bare.forge
    forge.project("group/sub/deep/lib", is_private=True)
    forge.project("Group/old").is_archived = True
    forge.project("group/copy", fork_of=bare.project)
    forge.project("group/doomed").will_be_deleted_on = "2026-12-24"
    forge.project("someone/private", is_private=True)

    found = {item.name: item for item in every(bare)}

    assert set(found) == {"group/app", "group/sub/deep/lib", "Group/old", "group/copy"}
    assert found["group/app"] == ForgeRepository(str(bare.project.id), "group/app")
    assert (found["Group/old"].is_archived, found["group/copy"].is_fork) == (True, True)


def test_a_project_that_the_token_is_no_member_of_is_not_listed(bare: Scene) -> None:
    public = bare.forge.project("group/public")
    secret = bare.forge.token("member", level=0, levels=[(bare.project, DEVELOPER)])
    bare.target = replace(bare.target, credentials={"token": secret})

    assert [item.name for item in every(bare)] == ["group/app"]
    assert bare.forge.sees(bare.forge.tokens[secret], public)


@pytest.mark.parametrize("number", [99, 100, 230])
def test_every_page_is_read_and_no_project_twice(bare: Scene, number: int) -> None:
    for each in range(number):
        bare.forge.project(f"group/p{each}")

    found = [item.name for item in every(bare)]

    assert len(found) == len(set(found)) == number + 1


def test_what_gitlab_refuses_is_a_finding_without_the_token(bare: Scene) -> None:
    target = replace(bare.target, credentials={"token": "glpat-worthless"})

    page = list_repositories(target, "", bare.tools)

    assert page == RepositoryPage(finding=page.finding)
    assert "401" in page.finding or "credential" in page.finding
    assert "glpat-worthless" not in page.finding


@pytest.mark.parametrize("body", [b"<html>a page for people</html>", b"[1, 2]", b'{"message": "hello"}'])
def test_what_is_no_list_is_a_finding(bare: Scene, body: bytes) -> None:
    with stub_server() as stub:
        stub.replies = [Reply(200, body, {"Content-Type": "application/json"})]
        page = list_repositories(replace(bare.target, host=stub.url), "", bare.tools)

    assert page.repositories == ()
    assert page.finding
