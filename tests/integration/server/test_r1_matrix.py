"""R1 whole: every route × role × {own, other workflow, other project, other organization}.

The routes come from the application's URL map, the roles from the endpoints; `r1_cases` says how each is asked.
"""

from __future__ import annotations

import re

import pytest

from chainloop_ci.api.access import Role
from server.app import create_app
from server.config import ServerConfig
from server.routes import webhooks
from server.routes.table import ENDPOINTS, PUBLIC_ENDPOINTS
from server.store import schema
from server.wiring import World as Outside
from server.wiring import build_services
from tests.integration.server.conftest import LOOPBACK, Clock
from tests.integration.server.r1_cases import CASES, Belongs
from tests.integration.server.r1_world import (
    ASKERS,
    OTHER_ORGANIZATION,
    OTHER_PROJECT,
    OTHER_WORKFLOW,
    OWN,
    World,
)
from tests.integration.server.receivers import TAKEN
from tests.unit.stub_server import stub_server

WITHOUT_TOKEN = {"/healthz", "/readyz", "/openapi.json", "/docs", "/static/<path:filename>"}
WITHOUT_TOKEN |= {f"/api/v1{endpoint.path}" for endpoint in PUBLIC_ENDPOINTS}
WITHOUT_TOKEN |= {rule for _, rule in webhooks.ROUTES}
"""The public contract among them: `test_public_contract` says what it shows to whom."""
OTHER_ROUTES = {"/metrics"}
"""Outside `/api/v1`, with a token; has its own test below."""
PAGES = {"/", "/login", "/logout", "/runs", "/runs/<run_id>", "/verdicts/<verdict_id>"}
"""For people, with a session: `test_page_login` and `test_verdict_pages` say what they show to whom."""

BY_NAME = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in ENDPOINTS}
CELLS = [(name, place) for name in BY_NAME for place in (CASES[name].places if name in CASES else ())]


@pytest.fixture(scope="module")
def world(tmp_path_factory, content_checker):
    clock = Clock()
    config = ServerConfig(data=tmp_path_factory.mktemp("r1"), min_free_bytes=0, egress_allow=LOOPBACK)
    services = build_services(config, Outside(now=clock, checker=content_checker))
    schema.upgrade(services.database.engine)
    with stub_server() as receiver:
        receiver.replies = [TAKEN]
        yield World(services, create_app(services).test_client(), clock, receiver)
        services.transport.close()
    services.database.engine.dispose()


def reaches(scope, belongs, place):
    """Tell whether a token of that scope reaches what lies at the place of its own organization."""
    narrowest = {
        Belongs.ANYBODY: {"organization", "project", "workflow"},
        Belongs.ORGANIZATION: {"organization"},
        Belongs.PROJECT: {"organization", "project"},
        Belongs.WORKFLOW: {"organization", "project", "workflow"},
    }[belongs]
    wide_enough = {
        OWN: {"organization", "project", "workflow"},
        OTHER_WORKFLOW: {"organization", "project"},
        OTHER_PROJECT: {"organization"},
    }[place]
    return scope in narrowest & wide_enough


def expected_status(name, asker, place):
    endpoint, case = BY_NAME[name], CASES[name]
    if Role(asker.role) not in endpoint.roles:
        return 403
    if asker.role == "instance" and name.endswith("/organizations/<name>"):
        return endpoint.status  # the operator's token reaches every organization
    if (asker.scope, place) in case.unlike:
        return case.unlike[asker.scope, place]
    if place == OTHER_ORGANIZATION:
        return case.foreign
    return endpoint.status if reaches(asker.scope, case.belongs, place) else case.outside


def is_right(found, expected):
    # Creating and storing answer 200 where it was there already.
    return 200 <= found < 300 if 200 <= expected < 300 else found == expected


def ghost(ident):
    """Return an id or name of the same form that nothing has."""
    if ident.startswith("sha256:"):
        return "sha256:" + "0" * 64
    return "00000000-0000-4000-8000-000000000000" if re.fullmatch(r"[0-9a-f-]{36}", ident) else "ghost"


def all_items(world, asker, ask):
    items, cursor = [], ""
    while cursor is not None:
        page = world.as_asker(asker, type(ask)(ask.method, f"{ask.path}?limit=200{cursor}")).json
        items += page["items"]
        cursor = f"&cursor={page['nextCursor']}" if "nextCursor" in page else None
    return items


def test_r1_every_endpoint_has_a_case():
    assert set(CASES) == set(BY_NAME)


def test_r1_every_route_of_the_url_map_is_an_endpoint_or_named_here(world):
    api = {f"/api/v1{endpoint.path}" for endpoint in ENDPOINTS}

    found = {rule.rule for rule in world.client.application.url_map.iter_rules()}

    assert found == api | WITHOUT_TOKEN | OTHER_ROUTES | PAGES


@pytest.mark.parametrize("name", BY_NAME)
def test_r1_no_endpoint_answers_without_a_token(world, name):
    endpoint = BY_NAME[name]
    values = {"uuid": ghost("0" * 36), "digest": ghost("sha256:"), "anydigest": ghost("sha256:"), "int": "1"}
    path = re.sub(r"<(?:(\w+):)?\w+>", lambda match: values.get(match[1], "ghost"), endpoint.path)

    answer = world.client.open(f"/api/v1{path}", method=endpoint.method)

    assert answer.status_code == 401


@pytest.mark.parametrize(("name", "place"), [cell for cell in CELLS if CASES[cell[0]].lists is None])
def test_r1_each_role_gets_what_its_scope_reaches(world, name, place):
    case, there = CASES[name], world.place(place)
    wrong = []

    for asker in ASKERS:
        ident, build = case.prepare(world, there)
        expected = expected_status(name, asker, place)
        answer = world.as_asker(asker, build(ident))
        if not is_right(answer.status_code, expected):
            wrong.append(f"{asker}: expected {expected}, found {answer.status_code}: {answer.text[:200]}")
        if expected in (404, 422):
            wrong += refusal_flaws(world, asker, there, ident, build, answer)

    assert wrong == []


def refusal_flaws(world, asker, place, ident, build, answer):
    """Return what is wrong with a «not found»: the owner must find it, and an absent thing must look the same."""
    absent = world.as_asker(asker, build(ghost(ident)))
    if absent.status_code != answer.status_code:
        yield f"{asker}: absent is {absent.status_code}, foreign is {answer.status_code}"
    elif answer.mimetype == "application/problem+json" and answer.data:
        seen, unseen = (
            item.json["detail"].replace(name, "") for item, name in ((answer, ident), (absent, ghost(ident)))
        )
        if seen != unseen:
            yield f"{asker}: foreign says {seen!r}, absent says {unseen!r}"
    owner = world.as_owner(place, build(ident))
    if not is_right(owner.status_code, 200):
        yield f"the owner got {owner.status_code}: {owner.text[:200]}"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.lists is not None])
def test_r1_a_list_holds_what_the_scope_reaches_and_nothing_else(world, name):
    case = CASES[name]
    made = {place: case.prepare(world, world.place(place)) for place in case.places}
    wrong = []

    for asker in ASKERS:
        _, build = made[OWN]
        if Role(asker.role) not in BY_NAME[name].roles:
            if world.as_asker(asker, build("")).status_code != 403:
                wrong.append(f"{asker} may list")
            continue
        listed = {case.lists(item) for item in all_items(world, asker, build(""))}
        for place, (ident, _) in made.items():
            expected = place != OTHER_ORGANIZATION and reaches(asker.scope, case.belongs, place)
            if (ident in listed) is not expected:
                wrong.append(f"{asker}: {place} is {'missing' if expected else 'listed'}")

    assert wrong == []


def test_r1_an_organization_lists_itself_only(world):
    for asker in ASKERS:
        answer = world.as_asker(asker, CASES["GET /organizations"].prepare(world, world.place(OWN))[1](""))
        if asker.role in ("read", "operate", "admin"):
            assert [item["name"] for item in answer.json["items"]] == ["acme"], asker


def test_r1_metrics_are_for_readers_of_their_organization(world):
    world.attested(world.place(OTHER_ORGANIZATION))
    tenant = world.tenants["acme"]

    for (role, scope), secret in tenant.tokens.items():
        answer = world.client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == (403 if role == "attest" else 200), (role, scope)
        assert "rival" not in answer.text
    assert world.client.get("/metrics").status_code == 401
