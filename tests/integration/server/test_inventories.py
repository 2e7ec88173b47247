"""Repositories of the forges that no workflow comes from: listed by the dispatcher, shown, and counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from examples.forge.github import FakeGitHub
from server.dispatch_wiring import build_dispatcher
from server.integrations.types import Target, Tools
from server.model.integrations import BoundRepository, RegistrationState, StoredRegistration
from server.model.inventories import ForgeRepository, RepositoryPage
from server.services.credentials import Credentials
from server.services.inventories import InventorySweep
from server.services.third_parties import AT_ONCE, ThirdParties
from server.store import inventories, registrations
from server.wiring import Services, make_tools
from tests.integration.server.conftest import EPOCH, Clock, Tenant, bearer
from tests.integration.server.forge_world import NAME, ForgeWorld
from tests.integration.server.telling import Sink, integration


@pytest.fixture
def world(services: Services, client: FlaskClient, acme: Tenant, forge: FakeGitHub) -> ForgeWorld:
    made = ForgeWorld(services, client, acme, forge)
    made.attach()
    return made


def sweep(world: ForgeWorld) -> None:
    """Do everything that the dispatcher does again and again."""
    services = world.services
    work = build_dispatcher(services.config, services.world, services.database, services.transport, holder="one")
    assert work.run(only_due=False)


def uncovered(world: ForgeWorld) -> list[str]:
    answer = world.operator.get("/drift/repositories")
    assert answer.status_code == 200, answer.text
    return [item["source"].rpartition(f"{world.forge.url}/")[2] for item in answer.json["items"]]


def inventory(world: ForgeWorld) -> Any:
    [item] = world.operator.get("/drift/inventories").json["items"]
    return item


def test_a_repository_is_uncovered_until_a_workflow_comes_from_it(world: ForgeWorld) -> None:
    world.forge.repository("octo-org/lib", is_private=True)
    sweep(world)
    assert uncovered(world) == ["octo-org/app", "octo-org/lib"]

    world.bind("app/build")

    assert uncovered(world) == ["octo-org/lib"]
    assert inventory(world)["repositories"] == 2


def test_a_repository_keeps_its_workflow_when_it_is_renamed_and_a_new_one_of_its_name_has_none(
    world: ForgeWorld, clock: Clock
) -> None:
    world.bind("app/build")
    world.repository.full_name = "octo-org/renamed"
    world.forge.repository(NAME, is_private=True)

    sweep(world)

    assert uncovered(world) == [NAME]


def test_archived_ones_and_forks_are_marked_and_say_since_when_they_are_known(world: ForgeWorld, clock: Clock) -> None:
    world.forge.repository("octo-org/old", is_private=True).is_archived = True
    world.forge.repository("octo-org/copy", fork_of=world.repository)
    sweep(world)
    first = clock()
    clock.advance(days=1)
    sweep(world)

    items = {
        item["source"].rpartition("/")[2]: item for item in world.operator.get("/drift/repositories").json["items"]
    }

    assert {name: (item["isArchived"], item["isFork"]) for name, item in items.items()} == {
        "app": (False, False),
        "copy": (False, True),
        "old": (True, False),
    }
    assert items["old"]["firstSeenAt"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
    assert items["old"]["seenAt"] == f"{clock():%Y-%m-%dT%H:%M:%SZ}" == inventory(world)["listedAt"]


def test_the_forge_is_asked_once_a_day_and_what_is_gone_goes(world: ForgeWorld, clock: Clock) -> None:
    lib = world.forge.repository("octo-org/lib", is_private=True)
    sweep(world)
    del world.forge.repositories[lib.id]
    asked = len([seen for seen in world.forge.log if seen.path == "/user/repos"])

    sweep(world)
    assert uncovered(world) == ["octo-org/app", "octo-org/lib"]
    assert len([seen for seen in world.forge.log if seen.path == "/user/repos"]) == asked == 1

    clock.advance(days=1)
    sweep(world)
    assert uncovered(world) == ["octo-org/app"]


def test_a_forge_that_does_not_answer_is_asked_again_within_the_hour_and_what_was_known_stays(
    world: ForgeWorld, clock: Clock
) -> None:
    sweep(world)
    clock.advance(days=1)
    world.forge.faults.server_error, world.forge.faults.only = 1.0, "/user/repos"
    sweep(world)
    failed = inventory(world)
    world.forge.faults.server_error = 0.0
    clock.advance(minutes=59)
    sweep(world)

    assert "GitHub" in failed["finding"] or "Error" in failed["finding"]
    assert inventory(world) == failed
    assert uncovered(world) == ["octo-org/app"]

    clock.advance(minutes=1)
    sweep(world)
    assert inventory(world)["finding"] == ""


def test_nothing_is_asked_of_a_forge_because_somebody_looks(world: ForgeWorld) -> None:
    sweep(world)
    before = len(world.forge.log)

    uncovered(world)
    inventory(world)

    assert len(world.forge.log) == before


def test_what_a_registration_showed_goes_with_it(world: ForgeWorld) -> None:
    sweep(world)
    [registered] = world.admin.get("/registrations").json["items"]

    assert world.admin.delete(f"/registrations/{registered['id']}").status_code == 204

    assert uncovered(world) == []
    assert world.operator.get("/drift/inventories").json["items"] == []


def test_r1_repositories_are_the_whole_organizations_and_nobody_elses(
    world: ForgeWorld, api: Any, acme: Tenant, rival: Tenant
) -> None:
    """R1: a token of a project does not see them, and neither does another organization."""
    sweep(world)

    for path in ("/drift/repositories", "/drift/inventories"):
        assert api(acme.token("read", "project")).get(path).status_code == 403
        assert api(rival.token("admin")).get(path).json["items"] == []


def test_pages_follow_each_other(world: ForgeWorld) -> None:
    for each in range(4):
        world.forge.repository(f"octo-org/r{each}", is_private=True)
    sweep(world)
    found, cursor = [], {}
    while True:
        answer = world.operator.get("/drift/repositories", query_string={"limit": 2, **cursor}).json
        found += [item["source"].rpartition("/")[2] for item in answer["items"]]
        if "nextCursor" not in answer:
            break
        cursor = {"cursor": answer["nextCursor"]}

    assert found == ["app", "r0", "r1", "r2", "r3"]


def test_gauges_count_them_for_tokens_of_the_whole_organization(
    world: ForgeWorld, client: FlaskClient, acme: Tenant, clock: Clock
) -> None:
    world.forge.repository("octo-org/old", is_private=True).is_archived = True
    sweep(world)

    text = client.get("/metrics", headers=bearer(acme.token("read"))).text
    narrow = client.get("/metrics", headers=bearer(acme.token("read", "project"))).text

    assert 'chainloop_uncovered_repositories{kind="active",org="acme"} 1.0' in text
    assert 'chainloop_uncovered_repositories{kind="archived",org="acme"} 1.0' in text
    listed = re.search(r'listed_timestamp_seconds\{org="acme",registration="forge"\} (\S+)', text)
    assert listed is not None
    assert float(listed[1]) == clock().timestamp()
    assert "chainloop_uncovered_repositories{" not in narrow


@dataclass
class Pages:
    """A forge of three pages whose answers are made by the test."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, target: Target, after: str, tools: Tools) -> RepositoryPage:
        self.asked.append(after)
        number = int(after or 1)
        return RepositoryPage(
            (ForgeRepository(str(number), f"acme/r{number}"),), str(number + 1) if number < 3 else None
        )


def listing(services: Services, pages: Callable[[Target, str, Tools], RepositoryPage]) -> InventorySweep:
    world = services.world
    return InventorySweep(
        services.database,
        world.now,
        ThirdParties(
            {"github": integration(Sink(), list_repositories=pages)},
            Credentials(services.secrets),
            make_tools(services.config, world, services.database, services.transport),
        ),
    )


def register(services: Services, tenant: Tenant, name: str = "one", **more: Any) -> StoredRegistration:
    """Put a registration of a forge into the database."""
    now, new_id = services.world.now(), services.world.new_id()
    bound = (BoundRepository("https://github.test", "1", "acme/r1"),)
    made = StoredRegistration(
        new_id, tenant.id, "github", name, now, "somebody", host="https://github.test", repositories=bound, **more
    )
    with services.database.write() as connection:
        registrations.add(connection, made)
    return made


def test_a_list_that_was_interrupted_goes_on_where_it_was(services: Services, acme: Tenant) -> None:
    register(services, acme)
    pages = Pages()
    begun = listing(services, pages).list_all()
    next(begun)
    begun.close()

    counts = list(listing(services, pages).list_all())

    assert pages.asked == ["", "2", "3"]
    assert counts == [{"pages": 1, "repositories": 1, "failed": 0}] * 2
    assert list(listing(services, pages).list_all()) == []


def test_a_slow_forge_holds_up_no_other_sweep_and_its_list_goes_on_later(
    services: Services, acme: Tenant, clock: Clock
) -> None:
    register(services, acme)
    pages = Pages()

    def slow(target: Target, after: str, tools: Tools) -> RepositoryPage:
        clock.advance(seconds=40)
        return pages(target, after, tools)

    assert len(list(listing(services, slow).list_all())) == 2
    assert len(list(listing(services, slow).list_all())) == 1

    assert pages.asked == ["", "2", "3"]


def test_what_two_registrations_show_is_listed_once(services: Services, acme: Tenant, api: Any) -> None:
    for name in ("one", "two"):
        register(services, acme, name)
    pages = Pages()

    list(listing(services, pages).list_all())

    assert sorted(pages.asked) == ["", "", "2", "2", "3", "3"]
    found = api(acme.token("read")).get("/drift/repositories").json["items"]
    assert [item["source"] for item in found] == [f"github:https://github.test/acme/r{each}" for each in (1, 2, 3)]


def test_a_registration_that_is_paused_is_not_asked(services: Services, acme: Tenant) -> None:
    register(services, acme, state=RegistrationState.PAUSED)
    pages = Pages()

    assert list(listing(services, pages).list_all()) == []
    assert pages.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"removed_at": EPOCH},
        {"host": "https://other.test"},
        {"repositories": (BoundRepository("https://github.test", "2", "other/r1"),)},
    ],
    ids=["removed", "another forge", "another account"],
)
def test_a_page_that_comes_after_its_registration_was_removed_or_changed_is_not_kept(
    services: Services, acme: Tenant, change: dict[str, Any]
) -> None:
    made = register(services, acme)

    def changing(target: Target, after: str, tools: Tools) -> RepositoryPage:
        with services.database.write() as connection:
            registrations.save(connection, replace(made, **change))
        return Pages()(target, after, tools)

    next(listing(services, changing).list_all())

    with services.database.read() as connection:
        assert inventories.find(connection, made) is None


def test_a_defect_of_one_list_ends_no_other(services: Services, acme: Tenant) -> None:
    broken = register(services, acme, "broken")
    register(services, acme, "sound")

    def defect(target: Target, after: str, tools: Tools) -> RepositoryPage:
        if target.registration_id == broken.id:
            raise KeyError("secret value")
        return RepositoryPage()

    assert list(listing(services, defect).list_all()) == [{"pages": 1, "repositories": 0, "failed": 1}]

    with services.database.read() as connection:
        found = inventories.find(connection, broken)
    assert found is not None
    assert "KeyError" in found.finding
    assert "secret value" not in found.finding


@pytest.mark.parametrize(
    "page",
    [
        RepositoryPage((ForgeRepository("7", "acme/\ud800"), ForgeRepository("8", "acme/r8"))),
        RepositoryPage((ForgeRepository("7", "acme/\0x"), ForgeRepository("8", "acme/r8"))),
        RepositoryPage((ForgeRepository("7" * 100, "acme/x"), ForgeRepository("8", "acme/r8"))),
        RepositoryPage((ForgeRepository("8", "acme/r8"),), after="\0\ud800"),
        RepositoryPage(finding="it said \0\ud800"),
    ],
    ids=["half a pair", "NUL", "long number", "next page", "finding"],
)
def test_t30_a_forge_that_answers_what_no_database_takes_stops_nobody_elses_list(
    services: Services, acme: Tenant, rival: Tenant, page: RepositoryPage
) -> None:
    """A forge is anybody's own server: one organization's must not end the sweep of all."""
    hostile, sound = register(services, acme), register(services, rival)
    answers = {hostile.id: page, sound.id: RepositoryPage((ForgeRepository("1", "acme/r1"),))}

    begun = listing(services, lambda target, after, tools: answers[target.registration_id]).list_all()
    next(begun)
    begun.close()

    with services.database.read() as connection:
        found = inventories.list_uncovered(connection, rival.id, after=None, limit=10)
        theirs = inventories.list_uncovered(connection, acme.id, after=None, limit=10)
    assert [item.repository.name for item in found] == ["acme/r1"]
    assert "acme/r8" in [item.repository.name for item in theirs] or page.finding


def test_t30_forges_whose_lists_never_end_take_no_time_of_others(
    services: Services, acme: Tenant, rival: Tenant, clock: Clock
) -> None:
    """The next sweep begins behind those that the last one asked, whichever registration has the first id."""
    endless = {register(services, acme, f"n{number}").id for number in range(AT_ONCE)}
    asked: set[str] = set()

    def drip(target: Target, after: str, tools: Tools) -> RepositoryPage:
        asked.add(target.registration_id)
        if target.registration_id not in endless:
            return RepositoryPage((ForgeRepository("1", "acme/r1"),))
        clock.advance(seconds=60)
        return RepositoryPage((), str(int(after or 1) + 1))

    sweeps, sound = listing(services, drip), _register_last(services, rival, max(endless))
    for _ in range(2):
        list(sweeps.list_all())

    assert sound.id in asked
    assert endless <= asked


def _register_last(services: Services, tenant: Tenant, after: str) -> StoredRegistration:
    """Register a forge whose id comes behind another."""
    while (made := register(services, tenant, services.world.new_id())).id <= after:
        with services.database.write() as connection:
            registrations.save(connection, replace(made, removed_at=services.world.now()))
    return made
