"""What the server says of commits, and when it says something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chainloop_ci.api.limits import MATERIALS_PRESENT_HEADER
from server.model.forge_facts import CiConclusion, CiFileTexts, CiStatus, ForgeJob, build_key
from server.services import judging
from server.store import commit_verdicts
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import CI, COMMIT, Job, detail
from tests.integration.server.judged import BUILD, CI_FILE, Repository

CONTEXT = "chainloop/app/build"
OTHER = "f" * 40


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def make_job(job: Job) -> Callable[[], Job]:
    """Return what makes another job like `job`."""
    return lambda: Job(job.api, job.tenant, job.key)


def attest(job: Job) -> None:
    job.begin()
    job.add_everything()
    answer = job.push()
    assert answer.status_code in (200, 201), answer.text


def test_a_commit_is_waited_for_from_the_moment_its_forge_tells_of_it(repository: Repository, clock: Clock) -> None:
    repository.see_head()

    assert repository.kind() == "expected"
    clock.advance(minutes=31)
    assert repository.kind() == "missing"
    assert repository.said().description == "no attestation within 30 min"  # type: ignore[union-attr]


def test_t30_a_commit_that_cannot_be_judged_holds_up_no_other_commit_and_nobody_else(
    repository: Repository, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a defect of ours meets is tried again in an hour; the dispatcher has others to serve."""
    repository.see_head()
    repository.see_head(OTHER, event="pull_request", pull_request="7")
    repository.settle()
    judge, sound = repository.judge(), judging.read_told

    def meet_a_defect(connection: Any, source: Any, sha: str) -> Any:
        if sha == COMMIT:
            raise OverflowError("date value out of range")
        return sound(connection, source, sha)

    monkeypatch.setattr(judging, "read_told", meet_a_defect)
    clock.advance(minutes=31)
    while judge.judge_due():
        continue
    with repository.services.database.read() as connection:
        said = {sha: commit_verdicts.find(connection, repository.source_id, sha, CONTEXT) for sha in (COMMIT, OTHER)}
    assert {sha: found and found.kind.value for sha, found in said.items()} == {COMMIT: "expected", OTHER: "missing"}

    monkeypatch.undo()
    clock.advance(hours=1)

    assert repository.kind() == "missing"


def test_r32_a_ci_run_of_another_ci_file_is_not_waited_for(repository: Repository, job: Job) -> None:
    repository.see_head()
    repository.see_run()
    repository.see_run("78", ci_file=".github/workflows/nightly.yml")

    attest(job)

    assert repository.kind() == "success"


def test_a_run_goes_from_its_beginning_to_its_end(repository: Repository, job: Job) -> None:
    repository.see_head()
    assert repository.kind() == "expected"
    repository.see_run()
    job.begin()
    assert repository.kind() == "initialized"

    job.add_everything()
    job.push()
    assert repository.kind() == "success"
    repository.end_run()

    assert repository.kind() == "success"
    assert [item["kind"] for item in repository.contents()] == ["expected", "initialized", "success"]
    assert [item["version"] for item in repository.contents()] == [1, 2, 3]


def test_r32_a_leg_that_goes_on_keeps_a_matrix_pending(repository: Repository, job: Job) -> None:
    legs = [ForgeJob(str(number), f"build ({number})", CiStatus.RUNNING) for number in range(3)]
    repository.see_head()
    repository.see_run(jobs=tuple(legs))
    attest(job)

    assert repository.kind() == "partial"
    assert repository.said().description == "1 of 3 jobs attested"  # type: ignore[union-attr]


def test_r30_what_only_a_client_says_is_pending(repository: Repository, job: Job) -> None:
    repository.see_head()
    attest(job)

    assert repository.kind() == "claimed"
    repository.see_run()
    repository.end_run()
    assert repository.kind() == "success"


def test_r30_a_late_run_of_an_ended_ci_run_proves_nothing(repository: Repository, job: Job, clock: Clock) -> None:
    repository.see_head()
    repository.see_run()
    repository.end_run()
    clock.advance(minutes=20)
    attest(job)

    assert repository.kind() == "expected", "the forge contradicts it: its CI run was over"
    clock.advance(hours=2)
    assert repository.kind() == "missing"


@pytest.mark.parametrize(
    "changes",
    [
        {"ci_file": ".github/workflows/other.yml"},
        {"head_sha": OTHER},
        {"is_fork": True},
    ],
)
def test_r30_a_ci_run_that_is_another_one_proves_nothing(
    repository: Repository, job: Job, changes: dict[str, Any]
) -> None:
    repository.see_head()
    repository.see_run(**changes)
    attest(job)

    assert repository.kind() == "expected"


def test_r30_a_build_of_jenkins_that_names_no_commit_contradicts_no_claim_of_one(
    services: Services, api: Any, acme: Tenant, job: Job
) -> None:
    repository = Repository(services, api, acme)
    repository.register(source="jenkins:https://ci.example.com/job/app", ci_file="")
    repository.see_head()
    repository.see_run(build_key("app", "17"), sha="", ci_file=None)
    claim = {"provider": "jenkins", "serverUrl": "https://ci.example.com", "job": "app", "runId": "17"}

    job.begin(ci={**job.ci_of_attempt(1), **claim})
    job.end("failure")

    assert repository.kind() == "claimed"


@pytest.mark.parametrize("trigger", ["failure", None])
def test_r30_a_claim_from_the_ci_run_of_another_commit_does_not_hold_up_this_one(
    repository: Repository, job: Job, make_job: Callable[[], Job], trigger: str | None
) -> None:
    repository.see_head()
    repository.see_run()
    attest(job)
    repository.end_run()
    repository.see_run("78", sha=OTHER)

    liar = make_job()
    liar.begin(ci={**liar.ci_of_attempt(1), "runId": "78"})
    if trigger:
        liar.end(trigger)

    assert repository.kind() == "success"


@pytest.mark.parametrize(
    "claim",
    [
        {"repository": "rival/app"},
        {"serverUrl": "https://github.example"},
        {"runAttempt": 999999},
        {"runId": "78"},
        {"provider": "gitlab"},
    ],
)
def test_r30_a_lie_about_the_ci_run_never_becomes_a_last_word(
    repository: Repository, job: Job, claim: dict[str, Any]
) -> None:
    repository.see_head()
    repository.see_run()
    repository.end_run()
    job.begin(ci={**job.ci_of_attempt(1), **claim})
    job.ci = replace(CI, **{_snake(name): value for name, value in claim.items()})
    job.add_everything()
    job.push()

    said = repository.said()
    assert said is not None
    assert said.kind.value in ("expected", "claimed")


def _snake(name: str) -> str:
    return {"serverUrl": "server_url", "runAttempt": "run_attempt", "runId": "run_id"}.get(name, name)


def test_a_failed_job_fails_the_commit_and_a_later_run_repairs_it(
    repository: Repository, job: Job, make_job: Callable[[], Job]
) -> None:
    repository.see_head()
    repository.see_run()
    job.begin()
    job.end("failure")
    repository.end_run(conclusion=CiConclusion.FAILURE)
    assert repository.kind() == "crafting-error"

    again = make_job()
    repository.see_run(attempt=2)
    again.begin(ci=again.ci_of_attempt(2))
    again.ci = replace(CI, run_attempt=2)
    again.add_everything()
    again.push()
    repository.end_run(attempt=2)

    assert repository.kind() == "success"


def test_r15_a_refused_store_says_what_is_missing_while_the_run_is_open(repository: Repository, job: Job) -> None:
    repository.see_head()
    repository.see_run()
    job.begin()
    job.push()

    said = repository.said()
    assert said is not None
    assert said.kind.value == "not-met"


def test_what_a_shared_state_has_is_counted_in_the_pending_status(
    repository: Repository, job: Job, clock: Clock
) -> None:
    def keep(raw: bytes, expected: str | None, present: str) -> str:
        answer = job.keep(raw, expected, **{MATERIALS_PRESENT_HEADER: present})
        assert answer.status_code in (200, 201), answer.text
        clock.advance(seconds=1)
        return str(answer.json["digest"])

    repository.see_head()
    job.begin(stateLocation="shared")
    begun = repository.said()
    first = keep(b"one", None, "2")
    some = repository.said()
    keep(b"two", first, "5")
    whole = repository.said()
    said = [item and (item.kind.value, item.description) for item in (begun, some, whole)]

    assert said == [
        ("initialized", "attestation begun, waiting for push"),
        ("initialized", "3 of 5 materials missing"),
        ("complete", "all materials present, waiting for push"),
    ]


def test_r30_what_a_shared_state_is_said_to_have_makes_nothing_green(
    repository: Repository, job: Job, clock: Clock
) -> None:
    repository.see_head()
    repository.see_run()
    job.begin(stateLocation="shared")
    job.keep(b"one", **{MATERIALS_PRESENT_HEADER: "999999"})
    clock.advance(seconds=1)
    lied = repository.kind()
    job.add_string("version", "1.2.3")
    job.push()

    assert lied == "complete"
    assert repository.kind() == "not-met"


def test_r30_the_ci_file_that_the_forge_was_asked_for_counts_though_its_clock_is_ahead(
    repository: Repository, job: Job, clock: Clock
) -> None:
    repository.see_head()
    # As GitLab's webhook, which names no file.
    repository.see_run(ci_file=None, told_at=clock() + timedelta(seconds=20))
    repository.see_run(told_at=clock())
    attest(job)

    assert repository.kind() == "success"


def test_r47_a_public_repository_is_not_told_names(services: Services, repository: Repository, job: Job) -> None:
    repository.see_head()
    repository.see_run()
    job.begin()
    job.push()

    said = repository.said()
    assert said is not None
    assert "sbom" not in said.description
    assert "missing" in said.description


def test_r12_a_job_on_another_runner_is_told_so(repository: Repository, job: Job) -> None:
    repository.see_head()
    repository.see_run()
    job.begin(runnerType="GITLAB_PIPELINE")
    repository.end_run()

    assert repository.kind() == "not-met"


@pytest.mark.parametrize(
    ("files", "changed", "kind"),
    [
        (CiFileTexts(BUILD, None), None, "missing"),
        (CiFileTexts(BUILD, BUILD.replace("runs-on", "if: false\n    runs-on")), None, "missing"),
        (CiFileTexts(BUILD, BUILD, is_enabled=False), None, "missing"),
        (
            CiFileTexts("on:\n  pull_request:\n    paths: [src/**]\njobs: {a: {}}\n", BUILD),
            ("README.md",),
            "not-applicable",
        ),
    ],
)
def test_r34_the_change_s_own_copy_of_the_ci_file_excuses_nothing(
    repository: Repository, files: CiFileTexts, changed: tuple[str, ...] | None, kind: str
) -> None:
    repository.see_head(
        event="pull_request",
        pull_request="5",
        branch="feature",
        base_branch="main",
        ci_files={CI_FILE: files},
        changed_paths=changed,
    )

    assert repository.kind() == kind


def test_r35_a_fork_waits_for_a_maintainer(repository: Repository) -> None:
    repository.see_head(event="pull_request", pull_request="5", branch="x", base_branch="main", is_fork=True)

    assert repository.kind() == "untrusted-head"


def test_r33_the_roll_up_waits_for_every_workflow(repository: Repository, job: Job) -> None:
    repository.register("app/deploy", ".github/workflows/deploy.yml")
    repository.see_head()
    repository.see_run()
    attest(job)
    repository.end_run()

    assert repository.kind() == "success"
    assert repository.kind("chainloop/compliance") == "reporting"


def test_r32_an_older_cancelled_run_does_not_replace_a_newer(
    repository: Repository, job: Job, make_job: Callable[[], Job]
) -> None:
    repository.see_head()
    repository.see_run()
    old = make_job()
    old.begin()
    attest(job)
    old.end("cancellation")
    repository.end_run()

    assert repository.kind() == "success"


def test_nothing_is_told_twice_and_an_unknown_commit_is_left_alone(repository: Repository, job: Job) -> None:
    repository.see_head()
    for _ in range(3):
        repository.settle()
        repository.see_run(OTHER, sha=OTHER, status=CiStatus.QUEUED)

    assert len(repository.contents()) == 1
    assert repository.kind(sha=OTHER) is None


def test_another_organization_s_source_of_the_same_repository_is_not_judged(
    services: Services, api: Any, rival: Tenant, repository: Repository, job: Job
) -> None:
    route = f"/workflows/{rival.workflows['app/build']}/source"
    body = {"source": "github:acme/app", "ciFile": CI_FILE}
    made = api(rival.token("operate")).put(route, json=body)
    repository.see_head()
    attest(job)
    repository.settle()

    other = Repository(services, api, rival, source_id=made.json["sourceId"])
    assert other.kind() is None
    assert repository.said() is not None
    assert COMMIT


LACKING = {
    "code": "missing-material",
    "message": "the material sbom (SBOM_CYCLONEDX_JSON) is required and was not added",
}


def end_unmet(job: Job, *unmet: dict[str, str], trigger: str = "failure") -> None:
    body = {"trigger": trigger, "reason": "the contract is not met", "unmet": list(unmet)}
    answer = job.api.post(f"{job.path}/cancel", json=body, headers=job.headers)
    assert answer.status_code == 200, answer.text


def test_a_job_that_ends_its_run_says_what_was_missing(repository: Repository, job: Job) -> None:
    repository.allow_names()
    repository.see_head()
    repository.see_run()
    job.begin()
    end_unmet(job, LACKING)
    end_unmet(job, LACKING)

    assert repository.kind() == "not-met"
    assert repository.said().description == "missing: sbom"  # type: ignore[union-attr]
    (refusal,) = detail(job)["refusals"]
    assert (refusal["code"], refusal["bundleDigest"]) == ("contract-not-met", "")


def test_r30_what_a_job_says_is_missing_is_as_claimed_as_the_job(repository: Repository, job: Job) -> None:
    """R30: a final status, failing ones too, follows only from a run that the forge confirms."""
    repository.see_head()
    job.begin()
    end_unmet(job, LACKING)

    assert repository.kind() == "claimed"


def test_a_run_that_is_cancelled_lacks_nothing(repository: Repository, job: Job) -> None:
    repository.see_head()
    repository.see_run()
    job.begin()
    end_unmet(job, LACKING, trigger="cancellation")

    assert repository.kind() == "canceled"
    assert detail(job)["refusals"] == []
