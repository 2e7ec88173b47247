"""Sources of workflows: registered, claimed, told by the forge, and owned by one organization."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.errors import ConflictError, NotFoundError
from server.model.events import EventKind
from server.model.integrations import BoundRepository, StoredRegistration
from server.model.roll_up import ROLL_UP_CONTEXT
from server.store import events, registrations
from server.store.speakers import find_speaker
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant

CI = ".github/workflows/ci.yml"
SOURCE = {"source": "github:corp/app", "ciFile": CI}


def path(tenant: Tenant, workflow: str = "app/build") -> str:
    """Return the route of a workflow's source."""
    return f"/workflows/{tenant.workflows[workflow]}/source"


def put(api: Any, tenant: Tenant, workflow: str = "app/build", **changes: Any) -> Any:
    """Register a source with an operator's token."""
    return api(tenant.token("operate")).put(path(tenant, workflow), json={**SOURCE, **changes})


def test_a_source_is_registered_once_and_shown(api: Any, acme: Tenant) -> None:
    wanted = {"branch": "main", "event": "push", "paths": ["src/**"], "cadenceSeconds": 86400, "graceSeconds": 60}

    first, again = put(api, acme, **wanted), put(api, acme, **wanted)
    shown = api(acme.token("read")).get(path(acme))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json == shown.json
    assert shown.json.items() >= {**SOURCE, **wanted, "state": "accepted", "host": "https://github.com"}.items()


def test_another_request_takes_the_place_of_the_first(api: Any, acme: Tenant) -> None:
    put(api, acme, branch="main", paths=["src/**"])

    changed = put(api, acme, source="gitlab:corp/app", ciFile="").json

    assert (changed["source"], changed["ciFile"], changed["paths"]) == ("gitlab:corp/app", ".gitlab-ci.yml", [])
    assert "branch" not in changed
    listed = api(acme.token("read")).get("/sources").json["items"]
    assert [item["source"] for item in listed] == ["gitlab:corp/app"]


def test_a_change_of_the_filter_does_not_make_the_source_a_new_one(api: Any, acme: Tenant, clock: Clock) -> None:
    first = put(api, acme).json
    clock.advance(hours=1)

    filtered, moved = put(api, acme, branch="main").json, put(api, acme, source="github:corp/moved").json

    assert filtered["createdAt"] == first["createdAt"]
    assert moved["createdAt"] > first["createdAt"]


def test_workflows_of_one_repository_share_its_source_however_it_is_spelt(api: Any, acme: Tenant) -> None:
    one = put(api, acme).json
    two = put(api, acme, "app/deploy", source="github:https://GITHUB.com/CORP/App.git").json

    assert one["sourceId"] == two["sourceId"]
    [listed] = api(acme.token("read")).get("/sources").json["items"]
    assert (listed["id"], listed["workflows"]) == (one["sourceId"], 2)


def test_a_wrong_source_is_refused_with_everything_that_is_wrong(api: Any, acme: Tenant) -> None:
    answer = put(api, acme, ciFile="ci.yml", paths=["/src"])

    assert answer.status_code == 422
    assert [found["path"] for found in answer.json["findings"]] == ["/ciFile", "/paths/0"]


def test_the_source_of_a_workflow_is_taken_away(api: Any, acme: Tenant) -> None:
    put(api, acme)
    operator = api(acme.token("operate"))

    removed, again = operator.delete(path(acme)), operator.delete(path(acme))

    assert (removed.status_code, again.status_code) == (204, 204)
    assert operator.get(path(acme)).status_code == 404
    assert operator.get("/sources").json["items"] == []


def test_a_deleted_workflow_leaves_no_source(api: Any, acme: Tenant) -> None:
    put(api, acme, "app/deploy")
    operator = api(acme.token("operate"))

    assert operator.delete(f"/workflows/{acme.workflows['app/deploy']}").status_code == 204
    assert operator.get("/sources").json["items"] == []


def test_a_workflow_is_made_with_its_source_or_not_at_all(api: Any, acme: Tenant) -> None:
    operator = api(acme.token("operate"))
    body = {"name": "new", "project": "app"}

    refused = operator.post("/workflows", json={**body, "source": {**SOURCE, "ciFile": ""}})
    made = operator.post("/workflows", json={**body, "source": SOURCE})

    assert (refused.status_code, made.status_code) == (422, 201)
    assert operator.get(f"/workflows/{made.json['id']}/source").json["source"] == "github:corp/app"


def test_who_changed_a_source_is_audited(api: Any, acme: Tenant) -> None:
    put(api, acme)
    put(api, acme)
    put(api, acme, branch="main")
    api(acme.token("operate")).delete(path(acme))

    admin = api(acme.token("admin"))
    said = admin.get("/audit-records?action=workflow.source-changed").json["items"]
    assert [item["detail"]["branch"] for item in said] == ["main", None]
    assert len(admin.get("/audit-records?action=workflow.source-removed").json["items"]) == 1


def test_what_happens_to_a_source_is_an_event(services: Services, api: Any, acme: Tenant) -> None:
    put(api, acme)
    put(api, acme)
    put(api, acme, branch="main")
    api(acme.token("operate")).delete(path(acme))

    with services.database.read() as connection:
        told = [
            event for event in events.list_page(connection, acme.id, before=None, limit=10)
            if event.kind is EventKind.SOURCE_CHANGED
        ]  # fmt: skip
    assert [event.facts.get("removed") for event in told] == [True, None, None]
    assert {event.workflow_id for event in told} == {acme.workflows["app/build"]}
    assert {event.facts["source"] for event in told} == {"github:corp/app"}


def test_r1_a_token_of_a_project_sees_the_sources_of_its_workflows_alone(api: Any, acme: Tenant, rival: Tenant) -> None:
    put(api, acme)
    put(api, acme, "other/build", source="github:corp/other")
    put(api, rival, source="github:corp/app")

    listed = api(acme.token("read", "project")).get("/sources").json["items"]

    assert [(item["source"], item["workflows"]) for item in listed] == [("github:corp/app", 1)]


def test_r1_a_job_s_token_changes_no_source(api: Any, acme: Tenant) -> None:
    answer = api(acme.token("attest", "workflow")).put(path(acme), json=SOURCE)

    assert answer.status_code == 403


def test_r30_the_first_attestation_s_claim_is_offered_and_not_registered(api: Any, acme: Tenant, job: Any) -> None:
    job.begin()
    job.add_everything()
    assert job.push().status_code == 201

    claimed = api(acme.token("read")).get(path(acme)).json

    assert (claimed["source"], claimed["state"], claimed["runId"]) == ("github:acme/app", "claimed", job.run_id)
    assert "sourceId" not in claimed
    assert api(acme.token("read")).get("/sources").json["items"] == []


def test_r30_a_run_that_was_not_attested_claims_nothing(api: Any, acme: Tenant, job: Any) -> None:
    job.begin()

    assert api(acme.token("read")).get(path(acme)).status_code == 404


def test_r46_a_jenkins_job_is_the_source_of_one_workflow(api: Any, acme: Tenant) -> None:
    jenkins = {"source": "jenkins:https://ci.corp/job/app", "ciFile": ""}
    put(api, acme, **jenkins)

    refused = put(api, acme, "app/deploy", **jenkins)
    again = put(api, acme, branch="main", **jenkins)

    assert (refused.status_code, again.status_code) == (409, 200)


@pytest.fixture
def told(services: Services, api: Any) -> Any:
    """Return what makes the forge tell the id of a tenant's repository."""

    def tell(tenant: Tenant, repository_id: str = "4711", workflow: str = "app/build", **changes: Any) -> Any:
        made = put(api, tenant, workflow, **changes)
        assert made.status_code in (200, 201), made.text
        return services.sources.confirm(
            tenant.id, made.json["sourceId"], repository_id=repository_id, default_branch="main"
        )

    return tell


def test_what_the_forge_tells_of_a_source_is_shown(api: Any, acme: Tenant, told: Any) -> None:
    told(acme)

    [listed] = api(acme.token("read")).get("/sources").json["items"]
    assert (listed["repositoryId"], listed["defaultBranch"]) == ("4711", "main")
    assert api(acme.token("read")).get(path(acme)).json["repositoryId"] == "4711"


def test_r44_two_organizations_cannot_both_post_under_one_name(
    api: Any, acme: Tenant, rival: Tenant, told: Any
) -> None:
    told(acme)

    with pytest.raises(ConflictError) as refused:
        told(rival, source="github:http://github.com/corp/APP")

    assert acme.name not in f"{refused.value.message} {refused.value.hint}"
    [listed] = api(rival.token("read")).get("/sources").json["items"]
    assert "repositoryId" not in listed


def test_r44_a_registration_that_lists_the_repository_says_whose_it_is(
    services: Services, api: Any, acme: Tenant, rival: Tenant
) -> None:
    for tenant in (acme, rival):
        with services.database.write() as connection:
            registrations.add(connection, registration(tenant))

    first, taken = put(api, acme), put(api, rival, source="github:CORP/app")
    other = put(api, rival, "app/deploy")

    assert (first.status_code, first.json["repositoryId"]) == (201, "4711")
    # Two that list it cannot be registered; if there were, the first would speak under every name.
    assert (taken.status_code, other.status_code) == (409, 409)


def test_r44_what_is_learnt_of_a_repository_holds_for_all_its_workflows(
    services: Services, api: Any, acme: Tenant, rival: Tenant
) -> None:
    put(api, acme, "app/build")
    for tenant in (acme, rival):
        with services.database.write() as connection:
            registrations.add(connection, registration(tenant))

    put(api, acme, "app/deploy")

    assert put(api, rival, "app/build").status_code == 409


def test_r44_a_registration_speaks_for_what_it_lists_alone(services: Services, api: Any, acme: Tenant) -> None:
    with services.database.write() as connection:
        registrations.add(connection, registration(acme))
        registrations.add(connection, registration(acme, id="gone", name="gone", removed_at=EPOCH, number="1"))

    asked = [put(api, acme, source=source, ciFile=file).json for source, file in (
        ("github:https://ghe.corp/corp/app", CI), ("github:corp/other", CI), ("gitlab:corp/app", ""),
    )]  # fmt: skip

    assert all("repositoryId" not in found for found in asked)


def registration(tenant: Tenant, *, number: str = "4711", **more: Any) -> StoredRegistration:
    """Return a registration that lists one repository."""
    listed = (BoundRepository("https://github.com", number, "Corp/App"),)
    known = {"id": f"registration-of-{tenant.name}", "name": "forge", "created_at": EPOCH, **more}
    return StoredRegistration(
        organization_id=tenant.id, kind="github", created_by="t", repositories=listed, **known
    )  # fmt: skip


def test_r44_a_second_workflow_of_a_known_repository_is_refused_at_its_registration(
    api: Any, acme: Tenant, rival: Tenant, told: Any
) -> None:
    told(acme, workflow="app/build")
    told(rival, workflow="app/deploy")

    refused = put(api, rival, "app/build")

    assert refused.status_code == 409
    assert acme.name not in refused.text
    assert api(rival.token("read")).get(path(rival)).status_code == 404


def test_r44_other_names_on_the_same_repository_are_free(acme: Tenant, rival: Tenant, told: Any) -> None:
    told(acme, workflow="app/build")

    assert told(rival, workflow="app/deploy").repository_id == "4711"


def test_r44_whose_registration_lists_the_repository_speaks_under_every_name_the_roll_up_too(
    services: Services, acme: Tenant, rival: Tenant, told: Any
) -> None:
    owned = told(acme, workflow="app/build")
    place, build, deploy = (owned.forge, "4711"), "chainloop/app/build", "chainloop/app/deploy"
    with services.database.write() as connection:
        before = [find_speaker(connection, *place, name) for name in (build, deploy, ROLL_UP_CONTEXT)]
        registrations.add(connection, registration(rival))
        after = [find_speaker(connection, *place, name) for name in (build, deploy, ROLL_UP_CONTEXT)]
        gone = replace(registration(rival), removed_at=EPOCH)
        registrations.save(connection, gone)
        again = find_speaker(connection, *place, build)

    assert before == [acme.id, None, None]
    assert after == [rival.id] * 3
    assert again == acme.id


def test_r44_a_name_whose_owner_has_no_registration_any_more_goes_to_who_has_one(
    services: Services, api: Any, acme: Tenant, rival: Tenant, told: Any
) -> None:
    told(acme, workflow="app/build")
    with services.database.write() as connection:
        registrations.add(connection, registration(rival))

    assert put(api, rival, "app/build").status_code == 201
    assert told(rival, workflow="app/build").repository_id == "4711"
    assert put(api, acme, "app/deploy").status_code == 409


def test_r44_a_name_that_was_given_back_may_be_taken(api: Any, acme: Tenant, rival: Tenant, told: Any) -> None:
    told(acme)
    api(acme.token("operate")).delete(path(acme))

    assert told(rival).repository_id == "4711"


def test_r44_the_same_name_of_another_repository_is_free(acme: Tenant, rival: Tenant, told: Any) -> None:
    told(acme, "4711")

    assert told(rival, "4712").repository_id == "4712"


def test_r44_a_repository_that_took_the_place_of_another_leaves_nothing_behind(
    acme: Tenant, rival: Tenant, told: Any
) -> None:
    told(acme, "4711")
    told(acme, "4712")

    assert told(rival, "4711").repository_id == "4711"


def test_r44_another_organization_s_source_is_not_found(
    services: Services, acme: Tenant, rival: Tenant, told: Any
) -> None:
    source = told(acme)

    with pytest.raises(NotFoundError):
        services.sources.confirm(rival.id, source.id, repository_id="1", default_branch=None)
