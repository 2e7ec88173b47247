"""What gates answer, from what is stored at that moment (R33, R36)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import hex_of, sha256_digest
from server.model.verdict_kinds import VerdictKind
from server.store import commit_verdicts
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import BINARY, CI, COMMIT, HEAD, SBOM, Job, Key
from tests.integration.server.judged import Repository

OUTPUT, INPUT = sha256_digest(BINARY), sha256_digest(SBOM)
OTHER = "f" * 40


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def ask(api: Any, acme: Tenant) -> Callable[..., Any]:
    """Return what asks a gate with a token that reads, and returns whether it is open and each reason's code."""

    def asked(token: str | None = None, **body: Any) -> Any:
        answer = api(token or acme.token("read")).post("/gate", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json["approved"], [reason["code"] for reason in answer.json["reasons"]]

    return asked


@pytest.fixture
def make_job(job: Job) -> Callable[[], Job]:
    """Return what makes another job like `job`."""
    return lambda: Job(job.api, job.tenant, job.key)


def attest(repository: Repository, job: Job) -> None:
    """Let the forge tell of a commit and of the CI run that attests it."""
    repository.see_head()
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)
    repository.end_run()


def test_r36_the_output_of_a_compliant_run_passes(repository: Repository, job: Job, ask: Any) -> None:
    attest(repository, job)

    assert ask(workflows=["app/build"], digest=OUTPUT) == (True, ["success"])
    assert ask(workflows=["app/build"], commit=COMMIT) == (True, ["success"])


def test_r36_an_input_of_a_compliant_run_does_not_pass(repository: Repository, job: Job, ask: Any) -> None:
    attest(repository, job)

    assert ask(workflows=["app/build"], digest=INPUT) == (False, ["input-only"])


def test_r36_a_newer_run_into_which_the_content_only_went_shuts_nothing(
    repository: Repository, job: Job, ask: Any, make_job: Callable[[], Job]
) -> None:
    attest(repository, job)
    later = make_job()
    repository.see_head(OTHER)
    repository.see_run("78", sha=OTHER)
    later.begin(ci={**later.ci_of_attempt(1), "runId": "78", "headSha": OTHER})
    later.ci = replace(CI, run_id="78", head_sha=OTHER)
    later.add_everything()
    later.add_file("binary", MaterialType.ARTIFACT, b"\x7fELF another program", "app.bin", output=True)
    later.add_file("log", MaterialType.EVIDENCE, BINARY, "app.bin")
    assert later.push().status_code in (200, 201)
    repository.end_run("78", sha=OTHER)

    assert ask(workflows=["app/build"], digest=INPUT) == (False, ["input-only"])
    assert ask(workflows=["app/build"], digest=OUTPUT) == (True, ["success"])


def test_r36_a_commit_of_the_digest_of_an_input_makes_no_output_of_it(
    repository: Repository, job: Job, ask: Any
) -> None:
    job.head = replace(HEAD, hash=hex_of(INPUT))

    attest(repository, job)

    assert ask(workflows=["app/build"], digest=INPUT) == (False, ["input-only"])


def test_r36_an_override_of_the_commit_does_not_stand_for_a_signature_that_is_missing(
    api: Any, acme: Tenant, repository: Repository, job: Job, ask: Any
) -> None:
    api(acme.token("admin")).patch(f"/organizations/{acme.name}", json={"acceptUnsigned": True})
    repository.see_head()
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push(Key().bundle(job.payload())).json["verified"] is False
    about = {"workflowId": acme.workflows["app/build"], "commit": COMMIT, "until": "2026-11-21T00:00:00Z"}
    made = api(acme.token("operate")).post("/overrides", json={"kind": "override", "reason": "because", **about})

    assert made.status_code == 201, made.text
    assert ask(workflows=["app/build"], commit=COMMIT) == (True, ["overridden"])
    assert ask(workflows=["app/build"], digest=OUTPUT) == (False, ["unverified"])


def test_r36_a_throw_away_workflow_does_not_open_the_gate_of_another(
    repository: Repository, job: Job, ask: Any
) -> None:
    attest(repository, job)
    repository.register("app/deploy", ".github/workflows/deploy.yml")

    assert ask(workflows=["app/deploy"], digest=OUTPUT) == (False, ["not-attested"])
    assert ask(workflows=["app/build", "app/deploy"], digest=OUTPUT) == (False, ["success", "not-attested"])


def test_r36_a_digest_without_workflows_is_no_question(
    api: Any, acme: Tenant, repository: Repository, job: Job
) -> None:
    attest(repository, job)

    answer = api(acme.token("read")).post("/gate", json={"digest": OUTPUT})

    assert (answer.status_code, answer.json["findings"][0]["path"]) == (422, "/workflows")


def test_r36_a_run_that_only_claims_its_commit_does_not_pass(repository: Repository, job: Job, ask: Any) -> None:
    repository.see_head()
    job.begin()
    job.add_everything()
    job.push()

    assert ask(workflows=["app/build"], digest=OUTPUT) == (False, ["claimed"])


def test_r36_a_key_that_was_revoked_since_shuts_the_gate(
    api: Any, acme: Tenant, repository: Repository, job: Job, ask: Any
) -> None:
    attest(repository, job)
    keys = api(acme.token("admin")).get("/verification-keys").json["items"]
    for key in keys:
        assert api(acme.token("admin")).post(f"/verification-keys/{key['id']}/revoke").status_code == 200

    assert ask(workflows=["app/build"], digest=OUTPUT) == (False, ["unverified"])


def test_r36_a_later_failed_run_of_the_commit_shuts_the_gate(
    repository: Repository, job: Job, ask: Any, make_job: Callable[[], Job]
) -> None:
    attest(repository, job)
    again = make_job()
    repository.see_run(attempt=2)
    again.begin(ci=again.ci_of_attempt(2))
    again.end("failure")

    assert ask(workflows=["app/build"], digest=OUTPUT) == (False, ["not-the-latest"])
    assert ask(workflows=["app/build"], commit=COMMIT) == (False, ["crafting-error"])


def test_r36_a_workflow_without_a_source_opens_nothing(job: Job, ask: Any) -> None:
    job.begin()
    job.add_everything()
    job.push()

    assert ask(workflows=["app/build"], digest=OUTPUT) == (False, ["no-source"])


def test_r33_without_workflows_a_commit_needs_all_that_have_to_attest_it(
    repository: Repository, job: Job, ask: Any
) -> None:
    attest(repository, job)
    before = ask(commit=COMMIT)
    repository.register("app/deploy", ".github/workflows/deploy.yml")

    assert before == (True, ["success"])
    assert ask(commit=COMMIT) == (False, ["success", "expected"])


def test_r33_a_commit_that_no_forge_told_of_does_not_pass(repository: Repository, job: Job, ask: Any) -> None:
    attest(repository, job)

    assert ask(commit=OTHER) == (False, ["commit-unknown"])
    assert ask(commit=OTHER, workflows=["app/build"]) == (False, ["not-attested"])


def test_r33_a_workflow_of_other_branches_is_not_needed(repository: Repository, job: Job, ask: Any) -> None:
    attest(repository, job)
    repository.register("app/deploy", ".github/workflows/deploy.yml", branch="release-*")

    assert ask(commit=COMMIT) == (True, ["success"])


def test_r33_a_commit_of_which_only_ci_runs_are_known_does_not_pass(repository: Repository, job: Job, ask: Any) -> None:
    repository.see_run()
    job.begin()
    job.add_everything()
    assert job.push().status_code in (200, 201)
    repository.end_run()

    assert ask(commit=COMMIT, source="github:acme/app") == (False, ["commit-unknown"])


def test_r36_a_run_that_names_its_commit_in_the_statement_alone_only_claims_it(
    repository: Repository, job: Job, ask: Any
) -> None:
    repository.see_head()
    job.ci = replace(CI, head_sha=None)
    job.begin(ci={name: value for name, value in job.ci_of_attempt(1).items() if name != "headSha"})
    job.add_everything()
    assert job.push().status_code in (200, 201)

    assert ask(workflows=["app/build"], digest=OUTPUT) == (False, ["claimed"])


def test_the_answer_follows_the_time_and_not_what_was_said(
    repository: Repository, job: Job, ask: Any, clock: Clock
) -> None:
    repository.see_head()
    repository.settle()
    before = ask(workflows=["app/build"], commit=COMMIT)
    clock.advance(minutes=31)

    assert before == (False, ["expected"])
    assert ask(workflows=["app/build"], commit=COMMIT) == (False, ["missing"])
    with repository.services.database.read() as connection:
        said = commit_verdicts.find(connection, repository.source_id, COMMIT, "chainloop/app/build")
    assert said is not None
    assert said.kind is VerdictKind.EXPECTED, "no question changes what the dispatcher said"


@pytest.mark.parametrize("kind", ["block", "distrust", "override"])
def test_r39_what_an_operator_decided_counts_at_once(
    api: Any, acme: Tenant, repository: Repository, job: Job, ask: Any, kind: str
) -> None:
    attest(repository, job)
    commit = OTHER if kind == "override" else COMMIT
    about = {
        "block": {"workflowId": acme.workflows["app/build"]},
        "distrust": {"runId": job.run_id},
        "override": {
            "workflowId": acme.workflows["app/build"],
            "commit": OTHER,
            "until": "2026-11-21T00:00:00Z",
        },
    }[kind]
    repository.see_head(OTHER)

    before = ask(workflows=["app/build"], commit=commit)
    made = api(acme.token("operate")).post("/overrides", json={"kind": kind, "reason": "because", **about})

    assert made.status_code == 201, made.text
    assert before[0] is (kind != "override")
    assert ask(workflows=["app/build"], commit=commit)[0] is (kind == "override")


def test_what_another_organization_has_is_not_registered(
    api: Any, acme: Tenant, rival: Tenant, repository: Repository, job: Job, ask: Any
) -> None:
    attest(repository, job)
    own = {"name": "secret", "project": "app"}
    assert api(rival.token("operate")).post("/workflows", json=own).status_code == 201

    foreign = api(acme.token("read")).post("/gate", json={"workflows": ["app/secret"], "commit": COMMIT})
    absent = api(acme.token("read")).post("/gate", json={"workflows": ["app/absent"], "commit": COMMIT})

    assert foreign.text.replace("secret", "absent") == absent.text
    assert ask(rival.token("read"), commit=COMMIT) == (False, ["commit-unknown"])
    assert ask(rival.token("read"), workflows=["app/build"], digest=OUTPUT) == (False, ["no-source"])


def test_a_token_of_one_project_may_not_ask_for_others(
    api: Any, acme: Tenant, repository: Repository, job: Job
) -> None:
    attest(repository, job)
    repository.register("other/build", ".github/workflows/deploy.yml")
    bound = api(acme.token("read", "project"))

    asked = [
        bound.post("/gate", json=body).status_code
        for body in (
            {"workflows": ["app/build"], "commit": COMMIT},
            {"workflows": ["app/build", "other/build"], "commit": COMMIT},
            {"commit": COMMIT},
        )
    ]

    assert asked == [200, 403, 403]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/commit"),
        ({"workflows": ["app/build"], "commit": COMMIT, "digest": OUTPUT}, "/commit"),
        ({"workflows": ["app/build"], "commit": COMMIT, "source": "github:acme/app"}, "/source"),
        ({"commit": COMMIT, "source": "acme/app"}, "/source"),
        ({"workflows": ["build"], "commit": COMMIT}, "/workflows/0"),
        ({"commit": "abc"}, "/commit"),
        ({"workflows": ["app/build"], "digest": "sha256:abc"}, "/digest"),
    ],
)
def test_a_question_that_lacks_something_is_refused(api: Any, acme: Tenant, body: dict[str, Any], path: str) -> None:
    answer = api(acme.token("read")).post("/gate", json=body)

    assert (answer.status_code, answer.json["findings"][0]["path"]) == (422, path)


def test_a_commit_that_two_sources_know_needs_the_one_that_is_meant(
    api: Any, acme: Tenant, repository: Repository, services: Services, job: Job, ask: Any
) -> None:
    attest(repository, job)
    body = {"source": "github:acme/fork", "ciFile": ".github/workflows/build.yml"}
    made = api(acme.token("operate")).put(f"/workflows/{acme.workflows['other/build']}/source", json=body)
    Repository(services, api, acme, source_id=made.json["sourceId"]).see_head()

    unclear = api(acme.token("read")).post("/gate", json={"commit": COMMIT})

    assert (unclear.status_code, unclear.json["findings"][0]["path"]) == (422, "/source")
    assert ask(commit=COMMIT, source="github:acme/app") == (True, ["success"])
    assert ask(commit=COMMIT, source="github:acme/fork") == (False, ["expected"])
    assert api(acme.token("read")).post("/gate", json={"commit": COMMIT, "source": "github:acme/no"}).status_code == 404


def test_answers_are_counted(instance_token: str, repository: Repository, job: Job, ask: Any, client: Any) -> None:
    attest(repository, job)

    ask(workflows=["app/build"], commit=COMMIT)
    ask(workflows=["app/build"], commit=OTHER)

    shown = client.get("/metrics", headers={"Authorization": f"Bearer {instance_token}"}).text
    assert 'chainloop_gate_answers_total{answer="approved"} 1.0' in shown
    assert 'chainloop_gate_answers_total{answer="rejected"} 1.0' in shown
