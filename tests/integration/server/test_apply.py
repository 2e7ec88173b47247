"""Many contracts and workflows in one request: all of them or none, and every reason why not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from server.store import events
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant

TEXT = (
    "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {{name: {name}}}\nspec: {{envAllowList: [{variable}]}}\n"
)
DATE, LATER = "2026-12-04T12:00:00Z", "2026-12-11T12:00:00Z"
"""Two and three weeks after the epoch."""
SOURCE = {"source": "github:acme/app", "ciFile": ".github/workflows/ci.yml"}


def contract(name: str, variable: str = "A") -> dict[str, str]:
    """Return a contract of a request."""
    raw = TEXT.format(name=name, variable=variable).encode()
    return {"name": name, "rawBody": base64.b64encode(raw).decode(), "format": "yaml"}


def workflow(name: str, project: str = "fresh", **more: Any) -> dict[str, Any]:
    """Return a workflow of a request."""
    return {"name": name, "project": project, **more}


@pytest.fixture
def apply(api: Any, acme: Tenant) -> Any:
    """Return what applies contracts and workflows with a token of `acme`."""

    def send(*items: dict[str, Any], role: str = "operate", scope: str = "organization", **more: Any) -> Any:
        contracts = [item for item in items if "rawBody" in item]
        workflows = [item for item in items if "rawBody" not in item]
        body = {"contracts": contracts, "workflows": workflows, **more}
        return api(acme.token(role, scope)).post("/apply", json=body)

    return send


def results(answer: Any) -> list[tuple[str, str, str]]:
    """Return kind, name and result of everything that was applied."""
    assert answer.status_code == 200, answer.text
    return [(item["kind"], item["name"], item["result"]) for item in answer.json["items"]]


def names(api: Any, acme: Tenant, noun: str) -> set[str]:
    """Return the names that there are of a noun."""
    return {item["name"] for item in api(acme.token("read")).get(f"/{noun}?limit=200").json["items"]}


def test_the_same_again_changes_nothing(apply: Any) -> None:
    wanted = (contract("one"), workflow("a", contract="one", source=SOURCE), workflow("b", contract="one"))

    made, again = apply(*wanted), apply(*wanted)

    assert results(made) == [
        ("project", "fresh", "created"),
        ("contract", "one", "created"),
        ("workflow", "a", "created"),
        ("workflow", "b", "created"),
    ]
    assert results(again) == [
        ("contract", "one", "unchanged"),
        ("workflow", "a", "unchanged"),
        ("workflow", "b", "unchanged"),
    ]


@pytest.mark.parametrize(
    "change", [{"team": "core"}, {"description": "what"}, {"contract": "two"}, {"source": {**SOURCE, "branch": "main"}}]
)
def test_what_says_something_else_is_changed(apply: Any, change: dict[str, Any]) -> None:
    before = workflow("a", contract="one", source=SOURCE)
    apply(contract("one"), contract("two"), before)

    assert results(apply({**before, **change})) == [("workflow", "a", "changed")]
    assert results(apply({**before, **change})) == [("workflow", "a", "unchanged")]


def test_another_text_is_another_revision(apply: Any) -> None:
    apply(contract("one"))

    answer = apply(contract("one", "B"))

    assert results(answer) == [("contract", "one", "changed")]
    assert answer.json["items"][0]["revision"] == 2


def test_what_a_document_leaves_out_stays(api: Any, acme: Tenant, apply: Any) -> None:
    apply(contract("one"), workflow("a", contract="one", team="core", description="what", source=SOURCE))

    assert results(apply(workflow("a"))) == [("workflow", "a", "unchanged")]
    [shown] = [item for item in api(acme.token("read")).get("/workflows").json["items"] if item["name"] == "a"]
    assert (shown["team"], shown["description"], shown["contract"]) == ("core", "what", "one")


def test_a_dry_run_says_what_would_change_and_changes_nothing(api: Any, acme: Tenant, apply: Any) -> None:
    before = {noun: names(api, acme, noun) for noun in ("projects", "contracts", "workflows")}
    wanted = (contract("one"), workflow("a", contract="one", source=SOURCE))

    tried = apply(*wanted, dryRun=True)

    assert tried.json["dryRun"] is True
    assert {noun: names(api, acme, noun) for noun in before} == before
    assert api(acme.token("admin")).get("/audit-records?action=workflow.source-changed").json["items"] == []
    assert results(tried) == results(apply(*wanted))


def test_a_dry_run_tells_nobody(services: Services, acme: Tenant, apply: Any) -> None:
    with services.database.read() as connection:
        before = len(events.list_page(connection, acme.id, before=None, limit=100))

    apply(contract("one"), workflow("build", "app", team="core", source=SOURCE), dryRun=True)

    with services.database.read() as connection:
        assert len(events.list_page(connection, acme.id, before=None, limit=100)) == before


def test_a_dry_run_knows_contracts_that_another_request_will_store(api: Any, acme: Tenant, apply: Any) -> None:
    wanted = workflow("a", contract="later")

    refused, tried = apply(wanted, dryRun=True), apply(wanted, dryRun=True, announced=["later"])

    assert (refused.status_code, tried.status_code) == (404, 200)
    assert "later" not in names(api, acme, "contracts")


def test_nothing_but_a_dry_run_announces(apply: Any) -> None:
    assert apply(workflow("a", contract="later"), announced=["later"]).status_code == 400


def test_an_announced_name_is_one(apply: Any) -> None:
    assert apply(dryRun=True, announced=["a: b"]).status_code == 422


def test_one_refusal_takes_everything_back_and_hides_no_other(api: Any, acme: Tenant, apply: Any) -> None:
    before = {noun: names(api, acme, noun) for noun in ("projects", "contracts", "workflows")}
    broken = {**contract("broken"), "rawBody": base64.b64encode(b"kind: Contract\n").decode()}

    answer = apply(
        contract("one"), broken, {**contract("three"), "rawBody": "?"},
        workflow("a"), workflow("b", contract="none"), workflow("c", source={**SOURCE, "ciFile": ""}),
    )  # fmt: skip

    assert answer.status_code == 422
    places = {found["path"].split("/")[1] + found["path"].split("/")[2] for found in answer.json["findings"]}
    assert places == {"contracts1", "contracts2", "workflows1", "workflows2"}
    assert {noun: names(api, acme, noun) for noun in before} == before


@pytest.mark.parametrize("text", ["?", "YQ", "\u010c", "YQ==\u0000"])
def test_bytes_that_are_not_base64_are_a_reason_like_others(apply: Any, text: str) -> None:
    answer = apply({**contract("one"), "rawBody": text})

    assert answer.status_code == 422
    assert all(found["path"].startswith("/contracts/0/rawBody") for found in answer.json["findings"])


def test_reasons_of_one_kind_keep_their_kind(apply: Any) -> None:
    answer = apply(workflow("a", contract="none"), workflow("b", contract="neither"))

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert [found["path"] for found in answer.json["findings"]] == ["/workflows/0", "/workflows/1"]


def test_r2_a_job_s_token_applies_nothing(apply: Any) -> None:
    assert apply(workflow("a"), role="attest").status_code == 403


def test_r1_a_token_of_a_project_applies_workflows_of_that_project_alone(apply: Any) -> None:
    mixed = apply(workflow("a", "app"), workflow("b", "other"), role="operate", scope="project")
    new = apply(workflow("c", "brand-new"), role="operate", scope="project")
    own = apply(workflow("a", "app"), role="operate", scope="project")

    assert (mixed.status_code, new.status_code) == (403, 403)
    assert results(own) == [("workflow", "a", "created")]


def test_r1_a_token_of_a_project_makes_no_contract(apply: Any) -> None:
    assert apply(contract("one"), role="operate", scope="project").status_code == 403


def test_r1_a_token_of_a_project_changes_its_workflows(apply: Any) -> None:
    answer = apply(workflow("build", "app", team="core", source=SOURCE), role="operate", scope="project")

    assert results(answer) == [("workflow", "build", "changed")]


def test_r1_a_token_of_a_project_changes_no_workflow_of_another_one(api: Any, acme: Tenant, apply: Any) -> None:
    before = api(acme.token("read")).get("/workflows").json

    answer = apply(workflow("build", "other", team="mine", source=SOURCE), role="operate", scope="project")

    assert (answer.status_code, answer.json["findings"][0]["path"]) == (403, "/workflows/0")
    assert api(acme.token("read")).get("/workflows").json == before


def test_r1_another_organization_s_things_are_not_touched(api: Any, rival: Tenant, apply: Any) -> None:
    operator = api(rival.token("operate"))
    before = operator.get("/workflows").json

    assert results(apply(workflow("build", "app", team="mine"))) == [("workflow", "build", "changed")]

    assert operator.get("/workflows").json == before


def test_a_request_has_its_limit(apply: Any) -> None:
    answer = apply(*(workflow(f"w-{number}") for number in range(101)))

    assert answer.status_code == 422


def dated(name: str, variable: str = "A", date: str = DATE) -> dict[str, str]:
    """Return a contract of a request that runs have to meet from a date on."""
    return {**contract(name, variable), "enforceFrom": date}


def test_r38_a_date_is_for_what_changes_and_the_same_again_changes_nothing(apply: Any) -> None:
    apply(contract("one"), contract("two"))
    wanted = (dated("one", "B"), dated("two"), dated("three"))

    tried, made, again = apply(*wanted, dryRun=True), apply(*wanted), apply(*wanted)

    assert results(tried) == results(made) == [
        ("contract", "one", "changed"),
        ("contract", "two", "unchanged"),
        ("contract", "three", "created"),
    ]  # fmt: skip
    assert {result for _, _, result in results(again)} == {"unchanged"}
    for answer in (tried, made, again):
        assert [item.get("enforcedFrom") for item in answer.json["items"]] == [DATE, None, None]


def test_r38_a_date_that_is_moved_is_a_change_until_it_has_passed(apply: Any, clock: Clock) -> None:
    apply(contract("one"))
    apply(dated("one", "B"))

    moved = apply(dated("one", "B", LATER))
    clock.advance(days=30)
    again = apply(dated("one", "B", LATER))
    passed = apply(dated("one", "C", LATER))

    assert (results(moved), moved.json["items"][0]["enforcedFrom"]) == ([("contract", "one", "changed")], LATER)
    assert (results(again), again.json["items"][0].get("enforcedFrom")) == ([("contract", "one", "unchanged")], None)
    assert (passed.status_code, passed.json["findings"][0]["path"]) == (422, "/contracts/0/enforceFrom")


def test_r38_who_overtakes_a_date_hears_of_it(apply: Any) -> None:
    apply(contract("one"))
    apply(dated("one", "B"))

    [warning] = apply(contract("one", "C")).json["items"][0]["warnings"]

    assert "revision 2 was to be enforced from" in warning


@pytest.mark.parametrize("date", ["tomorrow", "2026-12-31"])
def test_r38_a_date_is_a_moment(apply: Any, date: str) -> None:
    apply(contract("one"))

    answer = apply(dated("one", "B", date))

    assert (answer.status_code, answer.json["findings"][0]["code"]) == (422, "enforcement-date")


def test_r38_now_ends_the_waiting(apply: Any) -> None:
    apply(contract("one"))
    apply(dated("one", "B"))

    answer = apply(dated("one", "B", "now"))

    assert (results(answer), answer.json["items"][0].get("enforcedFrom")) == ([("contract", "one", "changed")], None)
