"""GitLab, our Jenkins step and our GitHub App at their own endpoints (R42, R43, R46)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from server.app import create_app
from server.model.app_installations import BoundInstallation
from server.store import app_installations
from server.wiring import World, build_services
from tests.integration.server.webhooks import SHA, Hook, handle, hex_of, make_hook

APP_SECRET = "a secret of the App"  # of a test
BUILD = {"event": "build.ended", "job": "app", "build": "17", "result": "failure", "commit": SHA}
JOB = {
    "build_id": 380,
    "build_name": "attest",
    "build_status": "canceled",
    "build_started_at": "2026-11-20 11:59:00 UTC",
    "build_finished_at": "2026-11-20 12:01:00 UTC",
    "pipeline_id": 31,
    "sha": SHA,
    "project": {"id": 15, "path_with_namespace": "acme/app"},
}


def ci(**more):
    return {"provider": "gitlab", "serverUrl": "https://gitlab.com", "repository": "acme/app", "runId": "31", **more}


@pytest.fixture
def begin(job, api, acme):
    def begin(**claim):
        assert job.begin(ci=claim).status_code == 201
        return lambda: api(acme.token("read")).get(f"/workflow-runs/{job.run_id}").json["run"]

    return begin


@pytest.fixture
def gitlab(api, client, clock, acme):
    return make_hook(api, client, clock, acme, "gitlab:acme/app")


@pytest.fixture
def jenkins(api, client, clock, acme):
    return make_hook(api, client, clock, acme, "jenkins:https://ci.acme.test/job/app")


def test_a_gitlab_job_that_was_cancelled_ends_its_run(gitlab, begin, services):
    run = begin(**ci(job="380"))

    assert gitlab.gitlab("Job Hook", JOB, Idempotency_Key="k1").status_code == 202
    handle(services)

    assert (run()["state"], run()["reason"]) == (
        "canceled",
        "the CI job was cancelled before an attestation was pushed",
    )


def test_another_job_of_the_pipeline_ends_nothing(gitlab, begin, services):
    run = begin(**ci(job="381"))

    gitlab.gitlab("Job Hook", JOB)
    handle(services)

    assert run()["state"] == "initialized"


def test_r46_gitlab_is_deduped_by_its_idempotency_key_and_not_by_the_events_uuid(gitlab):
    first = gitlab.gitlab("Job Hook", JOB, Idempotency_Key="k1", X_Gitlab_Event_UUID="u")
    again = gitlab.gitlab("Job Hook", JOB, Idempotency_Key="k1", X_Gitlab_Event_UUID="u")
    other = gitlab.gitlab("Job Hook", {**JOB, "build_id": 381}, Idempotency_Key="k2", X_Gitlab_Event_UUID="u")

    assert [answer.json["status"] for answer in (first, again, other)] == ["accepted", "repeated", "accepted"]


def test_a_gitlab_that_signs_is_taken_and_its_signature_binds_the_body(gitlab):
    assert gitlab.signed(JOB, X_Gitlab_Event="Job Hook").status_code == 202
    assert gitlab.signed(JOB, age=301, X_Gitlab_Event="Job Hook").status_code == 401


def test_an_event_of_gitlab_that_nobody_asked_for_is_no_error(gitlab):
    answer = gitlab.gitlab("Wiki Page Hook", {"object_kind": "wiki_page", **{"project": JOB["project"]}})

    assert (answer.status_code, answer.json["status"]) == (200, "ignored")


def test_a_gitlab_webhook_without_its_events_name_is_refused(gitlab):
    body = json.dumps(JOB).encode()

    answer = gitlab.send(body, {"Content-Type": "application/json", "X-Gitlab-Token": gitlab.secret})

    assert answer.status_code == 400


def test_an_external_status_check_is_told_as_an_event(gitlab, services):
    body = json.dumps(
        {
            "object_attributes": {"iid": 7, "state": "opened", "last_commit": {"id": SHA}},
            "external_approval_rule": {"id": 3, "name": "chainloop"},
            "project": JOB["project"],
        }
    ).encode()

    answer = gitlab.send(body, {"Content-Type": "application/json", "X-Gitlab-Signature": hex_of(gitlab.secret, body)})
    handle(services)

    assert answer.status_code == 202
    assert "status-check.requested" in kinds(services)


def test_our_jenkins_step_ends_the_run_of_its_build(jenkins, begin, services):
    run = begin(provider="jenkins", serverUrl="https://ci.acme.test", job="app", runId="17", headSha=SHA)

    assert jenkins.signed(BUILD).status_code == 202
    handle(services)

    assert run()["state"] == "error"


@pytest.mark.parametrize("lie", [{"build": "18"}, {"job": "app/main"}], ids=["another build", "another branch"])
def test_r46_a_build_ends_no_run_of_another_one(jenkins, begin, services, lie):
    run = begin(provider="jenkins", serverUrl="https://ci.acme.test", job="app", runId="17")

    jenkins.signed({**BUILD, **lie})
    handle(services)

    assert run()["state"] == "initialized"


def test_r46_a_jenkins_source_ends_runs_of_its_own_workflow_only(api, client, clock, acme, begin, services):
    other = make_hook(api, client, clock, acme, "jenkins:https://ci.acme.test/job/app", "app/deploy")
    run = begin(provider="jenkins", serverUrl="https://ci.acme.test", job="app", runId="17")

    other.signed(BUILD)
    handle(services)

    assert run()["state"] == "initialized"


def test_r46_a_generic_source_can_only_end_a_run(jenkins, services):
    for payload in (
        {**BUILD, "event": "push", "after": SHA},
        {**BUILD, "result": "running"},
        {**BUILD, "job": "other"},
    ):
        assert jenkins.signed(payload).json["status"] == "ignored"


def test_a_generic_webhook_is_timestamped_and_not_taken_late(jenkins):
    assert jenkins.signed(BUILD, age=301).status_code == 401


def kinds(services):
    with services.database.read() as connection:
        return list(connection.exec_driver_sql("SELECT kind FROM events ORDER BY sequence").scalars())


def bound(tenant, clock):
    return BoundInstallation("https://github.com", "7", tenant.id, tenant.name, "somebody", clock())


@pytest.fixture
def with_app(config, services, clock, content_checker, acme):
    """Return the App's webhook on a server whose operator configured it; installation 7 is acme's."""
    own = build_services(
        replace(config, github_app_webhook_secrets=(APP_SECRET,)), World(now=clock, checker=content_checker)
    )
    with own.database.write() as connection:
        assert app_installations.add(connection, bound(acme, clock))
    yield Hook(create_app(own).test_client(), clock, "", "/webhooks/github-app", APP_SECRET, "")
    own.database.engine.dispose()


def rule(installation=7):
    return {
        "action": "requested",
        "environment": "production",
        "event": "push",
        "deployment_callback_url": "https://evil.example/x/actions/runs/42/deployment_protection_rule",
        "deployment": {"id": 5, "sha": SHA, "ref": "main"},
        "installation": {"id": installation},
        "repository": {"id": 1, "full_name": "acme/app"},
    }


def test_r42_the_apps_webhooks_go_to_the_organization_that_the_installation_is_bound_to(with_app, services, acme):
    answer = with_app.github("deployment_protection_rule", rule())
    handle(services)

    with services.database.read() as connection:
        owner, facts = connection.exec_driver_sql(
            "SELECT organization_id, facts FROM events WHERE kind = 'gate.requested'"
        ).one()
    assert answer.status_code == 202
    assert owner == acme.id
    assert json.loads(facts)["ciRunId"] == "42"
    assert "evil" not in facts


def test_r42_an_installation_that_is_bound_to_nobody_is_ignored_and_not_kept(with_app, services):
    answer = with_app.github("deployment_protection_rule", rule(installation=8))

    assert answer.json["status"] == "ignored"
    assert "gate.requested" not in kinds(services)
    with services.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM inbound_deliveries").scalar() == 0


def test_r42_an_installation_belongs_to_one_organization(with_app, services, rival, clock):
    with services.database.write() as connection:
        assert not app_installations.add(connection, bound(rival, clock))


def test_r42_what_the_app_says_of_a_repository_goes_to_the_organizations_own_source(
    with_app, services, api, client, clock, acme, rival
):
    mine = make_hook(api, client, clock, acme, "github:acme/app")
    make_hook(api, client, clock, rival, "github:acme/app")
    push = {"ref": "refs/heads/main", "before": "f" * 40, "after": SHA, "installation": {"id": 7}}

    answer = with_app.github("push", {**push, "repository": {"id": 1, "full_name": "ACME/App", "pushed_at": 1}})
    handle(services)

    with services.database.read() as connection:
        found = connection.exec_driver_sql("SELECT source_id FROM heads").scalars().all()
    assert answer.status_code == 202
    assert found == [mine.source_id]


def test_without_a_configured_secret_the_apps_endpoint_takes_nothing(client, clock):
    hook = Hook(client, clock, "", "/webhooks/github-app", APP_SECRET, "")

    assert hook.github("ping", {"zen": "z"}).status_code == 401


def test_the_secret_of_a_source_opens_not_the_apps_endpoint(with_app, api, client, clock, acme):
    source = make_hook(api, client, clock, acme, "github:acme/app")

    assert with_app.github("ping", {"zen": "z"}, secret=source.secret).status_code == 401
