from __future__ import annotations

from dataclasses import replace

import pytest

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from chainloop_ci.contract.upcoming import NewRequirement
from server.model.announcements import MAX_WORKFLOWS, Announcement, group
from server.model.notices import Notice
from server.model.sources import StoredSource
from tests.unit.server.model.forge_cases import SOURCE
from tests.unit.server.model.verdict_cases import LATER

OTHER = replace(SOURCE, id="s2", address=SourceAddress(SourceKind.GITHUB, "https://github.com", "acme/web"))
ASKED = NewRequirement(8, LATER, "missing-material", "the material sbom is required", None, "add --name sbom")


def notice(number: int) -> Notice:
    return Notice("o", "c", "base", 8, LATER, "p", "app", f"w{number}", f"build-{number}", "core", (ASKED,))


def grouped(count: int, places: dict[str, StoredSource]) -> list[Announcement]:
    return [announced for announced, _ in group(map(notice, range(count)), places)]


def test_r38_the_workflows_of_one_repository_are_told_of_together() -> None:
    found = grouped(3, {"w0": SOURCE, "w1": OTHER, "w2": SOURCE})

    assert [[item.name for item in each.workflows] for each in found] == [["build-0", "build-2"], ["build-1"]]
    assert [each.repository.name for each in found if each.repository] == ["acme/app", "acme/web"]


def test_r38_workflows_from_nowhere_are_told_of_apart() -> None:
    nowhere, placed = grouped(2, {"w1": SOURCE})

    assert (nowhere.repository, nowhere.names_allowed) == (None, False)
    assert placed.repository is not None


def test_r38_each_workflow_is_told_of_once_however_many_there_are() -> None:
    found = list(group(map(notice, range(2 * MAX_WORKFLOWS + 1)), {}))

    assert [len(each.workflows) for each, _ in found] == [MAX_WORKFLOWS, MAX_WORKFLOWS, 1]
    assert [[item.id for item in each.workflows] for each, _ in found] == [
        [item.workflow_id for item in notices] for _, notices in found
    ]


@pytest.mark.parametrize(("is_public", "allowed"), [(None, False), (True, False), (False, True)])
def test_r47_names_are_for_repositories_that_are_known_to_be_private(is_public: bool | None, allowed: bool) -> None:
    (found,) = grouped(1, {"w0": replace(SOURCE, is_public=is_public)})

    assert found.names_allowed is allowed


def test_what_an_event_keeps_is_the_same_announcement() -> None:
    (found,) = grouped(2, {"w0": SOURCE, "w1": SOURCE})

    assert Announcement.from_facts(found.to_facts()) == found
    assert found.workflows[0].requirements[0].hint == "add --name sbom"
