"""What a token did: audit records of changes, and the activity of one token with its runs and refusals."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from server.model.audit_filters import AuditFilter
from server.store import audit, token_activity
from server.store.token_activity import After
from server.wiring import Services
from tests.integration.server.conftest import EPOCH, Clock, Tenant
from tests.integration.server.jobs import CONTRACT, Job, Key, digest, put_contract, register_key
from tests.integration.server.plans import Plans, whole_tables_and_sorts

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def admin(api: Any, acme: Tenant) -> Any:
    return api(acme.token("admin"))


def token_id(admin: Any, name: str) -> str:
    return next(item["id"] for item in admin.get("/api-tokens?limit=200").json["items"] if item["name"] == name)


def activity(admin: Any, name: str, query: str = "") -> Any:
    answer = admin.get(f"/api-tokens/{token_id(admin, name)}/activity{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def actions(listed: Any) -> list[str]:
    return [item["action"] for item in listed["items"]]


# --- activity of a token ---------------------------------------------------------------------------------------------


def test_the_activity_of_a_job_token_shows_runs_uploads_and_refusals(admin: Any, job: Job, clock: Clock) -> None:
    job.begin()
    job.add_everything()
    clock.advance(seconds=1)
    job.push(Key().bundle(job.payload()))
    clock.advance(seconds=1)
    other = Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4()))
    other.begin(runnerType="JENKINS_JOB")
    clock.advance(seconds=1)
    job.push()

    found = activity(admin, "attest-workflow")

    refused_init, refused_store, run = found["items"]
    assert (refused_init["action"], refused_init["subject"]) == ("init.refused", other.run_id)
    assert refused_init["detail"] == {
        "requiredRunner": "GITHUB_ACTION", "runner": "JENKINS_JOB", "repository": "acme/app",
    }  # fmt: skip
    assert (refused_store["action"], refused_store["subject"]) == ("store.refused", job.run_id)
    assert refused_store["detail"]["findings"] == 1
    assert (refused_init["address"], refused_store["address"]) == ("127.0.0.1", "127.0.0.1")
    assert (run["action"], run["subject"], run["project"], run["workflow"]) == (
        "run.begun", job.run_id, "app", "build",
    )  # fmt: skip
    assert run["address"] == "127.0.0.1"
    assert run["detail"]["state"] == "success"
    assert run["detail"]["finishedAt"] == "2026-11-20T12:00:03Z"
    assert run["detail"]["refusedStores"] == 1
    assert set(run["detail"]["uploads"]) == {job.materials[name].digest for name in ("binary", "sbom", "unit")}


def test_the_activity_of_an_operator_shows_contracts_workflows_and_uploads_without_run(
    admin: Any, api: Any, acme: Tenant
) -> None:
    operator = api(acme.token("operate"))
    put_contract(api, acme)
    operator.patch(f"/workflows/{acme.workflows['app/build']}", json={"team": "core"})
    operator.post("/artifacts?filename=a.bin", data=b"content", headers=OCTETS)

    found = activity(admin, "operate-organization", "?limit=3")["items"]

    assert [item["action"] for item in found] == ["artifact.uploaded", "workflow.changed", "contract.revised"]
    assert (found[0]["subject"], found[0]["detail"]["filename"]) == (digest(b"content"), "a.bin")
    assert found[1]["detail"]["team"] == {"from": "", "to": "core"}
    assert (found[2]["detail"]["name"], found[2]["detail"]["revision"]) == ("app-build", 2)
    assert {item["address"] for item in found} == {"127.0.0.1"}


def test_what_a_token_does_to_the_run_of_another_stands_in_its_own_activity(
    admin: Any, api: Any, acme: Tenant, job: Job
) -> None:
    job.begin()
    thief = Job(api(acme.token("attest")), acme, job.key, run_id=job.run_id, handle=job.handle)
    thief.upload(b"slipped in", "x.bin")
    api(acme.token("operate")).post(f"{job.path}/cancel", json={"trigger": "failure", "reason": "stop"})

    assert activity(admin, "attest-organization")["items"][0]["detail"]["run"] == job.run_id
    assert actions(activity(admin, "attest-organization")) == ["artifact.uploaded"]
    assert actions(activity(admin, "operate-organization", "?limit=1")) == ["run.canceled"]


def test_a_job_that_ends_its_own_run_is_no_news(admin: Any, acme: Tenant, job: Job) -> None:
    job.begin()

    assert job.end().status_code == 200

    assert "run.canceled" not in actions(activity(admin, "attest-workflow"))


def test_an_attestation_that_another_token_stores_is_found_with_that_token(
    admin: Any, api: Any, acme: Tenant, job: Job
) -> None:
    job.begin()
    job.add_everything()
    job.api = api(acme.token("attest", "project"))
    answer = job.push()

    found = activity(admin, "attest-project")["items"]

    assert answer.status_code == 201, answer.text
    assert [(item["action"], item["detail"]) for item in found] == [
        ("attestation.stored", {"digest": answer.json["digest"]})
    ]


def test_pages_of_an_activity_hold_everything_once_in_order(admin: Any, job: Job, clock: Clock) -> None:
    for number in range(7):
        clock.advance(seconds=number % 2)  # two of them at the same moment
        run = Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4()))
        run.begin()
        run.add_everything()
        run.push(Key().bundle(run.payload()))
        Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4())).begin(runnerType="JENKINS_JOB")
    whole = activity(admin, "attest-workflow", "?limit=200")["items"]

    paged, cursor = [], ""
    while True:
        page = activity(admin, "attest-workflow", f"?limit=4{cursor}")
        paged += page["items"]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"

    assert len(whole) == 21
    assert paged == whole
    assert [item["at"] for item in whole] == sorted((item["at"] for item in whole), reverse=True)


def test_an_activity_is_kept_to_its_times(admin: Any, job: Job, clock: Clock) -> None:
    begun = []
    for _ in range(3):
        clock.advance(hours=1)
        run = Job(job.api, job.tenant, job.key, run_id=str(uuid.uuid4()))
        run.begin()
        begun.append(run.run_id)

    found = activity(admin, "attest-workflow", "?since=2026-11-20T14:00:00Z&until=2026-11-20T14:30:00Z")

    assert [item["subject"] for item in found["items"]] == [begun[1]]


@pytest.mark.parametrize("cursor", ["bm9uc2Vuc2U", "W10"])
def test_a_made_up_cursor_of_an_activity_is_refused(admin: Any, cursor: str) -> None:
    path = f"/api-tokens/{token_id(admin, 'attest-workflow')}/activity?cursor={cursor}"

    assert admin.get(path).status_code == 422


def test_a_forged_place_in_the_audit_table_breaks_nothing(services: Services, acme: Tenant) -> None:
    for forged in ("x", "9" * 60, "²"):
        with services.database.read() as connection:
            found = token_activity.list_page(
                connection,
                acme.id,
                AuditFilter(token_id="t"),
                after=After(5, "2026", "audit", forged),
                limit=5,
            )

        assert found == []


def test_t38_the_activity_of_another_organizations_token_is_not_found(admin: Any, api: Any, rival: Tenant) -> None:
    ident = token_id(admin, "attest-workflow")

    assert api(rival.token("admin")).get(f"/api-tokens/{ident}/activity").status_code == 404


@pytest.mark.engine("sqlite")
def test_every_part_of_an_activity_walks_an_index(services: Services, acme: Tenant) -> None:
    wanted = AuditFilter(token_id="t", since=EPOCH, until=EPOCH)
    after = After(9, "2026-11-20T12:00:00.000000Z", "init", "x")
    with services.database.read() as connection, Plans(connection) as plans:
        token_activity.list_page(connection, acme.id, wanted, after=after, limit=51)

        steps = plans.steps()

    assert whole_tables_and_sorts(steps) == []
    assert sum("token_id=?" in step for step in steps) == 4


# --- audit records ---------------------------------------------------------------------------------------------------


def test_audit_records_are_filtered_by_token_action_and_time(admin: Any, api: Any, acme: Tenant, clock: Clock) -> None:
    clock.advance(hours=1)
    put_contract(api, acme)
    clock.advance(hours=1)
    put_contract(api, acme, CONTRACT + b"# more\n")

    def found(query: str) -> list[str]:
        return [item["detail"]["digest"] for item in admin.get(f"/audit-records?{query}").json["items"]]

    both = [digest(CONTRACT + b"# more\n"), digest(CONTRACT)]
    assert found("action=contract.revised") == both
    assert found("action=contract.revised&token=operate-organization") == both
    assert found("action=contract.revised&token=admin-organization") == []
    assert found("since=2026-11-20T13:30:00Z&until=2026-11-20T14:30:00Z") == both[:1]
    assert found(f"token={token_id(admin, 'operate-organization')}&since=2026-11-20T12:30:00Z") == both


def test_audit_records_of_a_token_that_there_never_was_are_not_found_as_in_a_list_of_runs(admin: Any) -> None:
    answers = [admin.get(f"/{path}?token=nobody") for path in ("audit-records", "workflow-runs")]

    assert [(answer.status_code, answer.json["detail"]) for answer in answers] == [
        (404, "there is no token nobody")
    ] * 2


@pytest.mark.parametrize("ident", ["server", "00000000-0000-4000-8000-000000000000"])
def test_audit_records_of_the_operator_or_of_a_token_that_is_gone_are_asked_for_by_id(admin: Any, ident: str) -> None:
    answer = admin.get(f"/audit-records?token={ident}")

    assert (answer.status_code, answer.json["items"]) == (200, [])


def test_audit_records_of_a_token_of_the_server_are_found_by_its_name(
    admin: Any, api: Any, acme: Tenant, instance_token: str
) -> None:
    headers = {"Chainloop-Organization": acme.name}
    made = api(instance_token).post("/projects", json={"name": "of-the-operator"}, headers=headers)

    found = admin.get("/audit-records?token=operator").json["items"]

    assert made.status_code == 201, made.text
    assert [item["tokenName"] for item in found] == ["operator"]


def test_an_unknown_action_is_refused_with_those_that_there_are(admin: Any) -> None:
    answer = admin.get("/audit-records?action=contract.revise")

    assert answer.status_code == 422
    assert "contract.revised" in answer.json["detail"]


def test_audit_records_come_in_pages(admin: Any) -> None:
    whole = admin.get("/audit-records?limit=200").json["items"]

    paged, path = [], "/audit-records?limit=2"
    page = admin.get(path).json
    paged += page["items"]
    while "nextCursor" in page:
        page = admin.get(f"{path}&cursor={page['nextCursor']}").json
        paged += page["items"]

    assert len(whole) > 4
    assert paged == whole


def test_t38_another_organization_sees_no_audit_record(admin: Any, api: Any, acme: Tenant, rival: Tenant) -> None:
    put_contract(api, acme)

    found = api(rival.token("admin")).get("/audit-records?limit=200").json["items"]

    assert [item for item in found if item["action"] == "contract.revised"] == []


def test_a_refused_change_leaves_no_audit_record(admin: Any, api: Any, acme: Tenant) -> None:
    before = admin.get("/audit-records?limit=200").json["items"]
    api(acme.token("operate")).post("/workflows", json={"name": "build", "project": "app"})
    api(acme.token("read")).post("/projects", json={"name": "mine"})

    assert admin.get("/audit-records?limit=200").json["items"] == before


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("after", [None, ("2026", 5)])
@pytest.mark.parametrize("until", [None, EPOCH])
@pytest.mark.parametrize("since", [None, EPOCH])
@pytest.mark.parametrize(
    ("token", "action", "index"),
    [
        (None, None, ("ix_audit_organization",)),
        ("t", None, ("ix_audit_token",)),
        (None, "token.created", ("ix_audit_action",)),
        ("t", "token.created", ("ix_audit_token", "ix_audit_action")),
    ],
)
def test_every_filter_of_audit_records_walks_its_index(
    services: Services, token: Any, action: Any, index: tuple[str, ...], since: Any, until: Any, after: Any
) -> None:
    wanted = AuditFilter(token, action, since, until)
    with services.database.read() as connection, Plans(connection) as plans:
        audit.list_page(connection, "o", wanted, after=after, limit=51)

        steps = plans.steps()

    assert whole_tables_and_sorts(steps) == []
    assert any(name in steps[0] for name in index)


def test_details_have_the_names_of_the_wire(admin: Any, api: Any, acme: Tenant, key: Any) -> None:
    register_key(api, acme, key)

    items = admin.get("/audit-records").json["items"] + activity(admin, "admin-organization")["items"]

    registered = [item["detail"] for item in items if item["action"] == "key.registered"]
    assert [detail["organizationWide"] for detail in registered] == [False, False]
    assert all("_" not in name for item in items for name in item["detail"])
