"""R30 of Jenkins: the signed word of a build, made by the step's own code, and the forge that has its commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient

from chainloop_ci.client.build_webhook import BuildEnd, sign
from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import CiIdentity
from server.model.forge_facts import Head
from server.model.inbound_facts import InboundFacts, SeenHead
from server.services.inbound_follow import InboundFollow
from server.store import commit_verdicts, sources
from server.store.commit_verdicts import Commit
from server.wiring import Services
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import COMMIT, CONTRACT, Job, detail, put_contract
from tests.integration.server.judged import Repository
from tests.integration.server.telling import couriers
from tests.integration.server.webhooks import Hook, make_hook

OTHER = "f" * 40
CI = CiIdentity(
    provider="jenkins",
    server_url="https://ci.acme.test",
    repository="git@github.com:acme/app.git",
    run_id="17",
    job="app/main",
    head_sha=COMMIT,
)
WIRE = {
    "provider": "jenkins",
    "serverUrl": "https://ci.acme.test",
    "repository": "git@github.com:acme/app.git",
    "runId": "17",
    "job": "app/main",
    "headSha": COMMIT,
}


class Jenkins:
    """A job of Jenkins whose builds attest `app/build`; its code is `acme/app` on GitHub, where `app/deploy` runs."""

    def __init__(self, services: Services, hook: Hook, code: Repository, clock: Clock) -> None:
        self.services = services
        self.hook = hook
        self.code = code
        self.clock = clock

    def end(self, build: str = "17", result: str = "success", commit: str | None = COMMIT, **options: Any) -> str:
        """Say that a build ends, as the step does; return how that is answered."""
        job = options.get("job", "app/main")
        body = BuildEnd(job, build, result, self.clock() + options.get("later", timedelta()), commit).to_bytes()
        ident = self.services.world.new_id()
        headers = sign(body, options.get("secret", self.hook.secret), ident, self.clock())
        answer = self.hook.send(body, {"Content-Type": "application/json", **headers})
        return str(answer.json["status"]) if answer.status_code < 300 else str(answer.status_code)

    def push_branch(self, sha: str = COMMIT, **changes: Any) -> None:
        """Let GitHub have told of a head."""
        self.code.see_head(sha, **changes)

    def kind(self, sha: str = COMMIT) -> str | None:
        """Return what is said of a commit after the dispatcher has been at work."""
        services, world = self.services, self.services.world
        seen = InboundFollow(world.now, world.new_id)
        first = (partial(seen.handle_some, services.database),)
        couriers(services, follow=(self.code.judge().follow,), first=first).run_until_idle()
        with self.services.database.read() as connection:
            said = commit_verdicts.find(connection, self.hook.source_id, sha, "chainloop/app/build")
        return said.kind.value if said else None


@pytest.fixture
def jenkins(services: Services, api: Any, client: FlaskClient, clock: Clock, acme: Tenant) -> Jenkins:
    code = Repository(services, api, acme)
    code.register("app/deploy")
    hook = make_hook(api, client, clock, acme, "jenkins:https://ci.acme.test/job/app")
    return Jenkins(services, hook, code, clock)


@pytest.fixture
def job(job: Job, api: Any, acme: Tenant) -> Job:
    contract = CONTRACT.replace(b"GITHUB_ACTION", b"JENKINS_JOB")
    put_contract(api, acme, contract)
    return replace(job, contract=contract, revision=3, ci=CI, runner=RunnerType.JENKINS_JOB)


@pytest.fixture
def attest(job: Job) -> Callable[..., Job]:
    def attest(**claim: Any) -> Job:
        answer = job.begin(ci={**WIRE, **claim})
        assert answer.status_code == 201, answer.text
        names = {"serverUrl": "server_url", "runId": "run_id", "headSha": "head_sha"}
        job.ci = replace(CI, **{names.get(name, name): value for name, value in claim.items()})
        job.add_everything()
        answer = job.push()
        assert answer.status_code == 201, answer.text
        return job

    return attest


def test_r30_a_build_that_says_its_end_and_whose_commit_is_a_head_makes_its_commit_green(
    jenkins: Jenkins, attest: Callable[..., Job]
) -> None:
    jenkins.push_branch()
    job = attest()
    assert jenkins.kind() == "claimed"

    assert jenkins.end() == "accepted"

    assert jenkins.kind() == "success"
    assert detail(job)["run"]["state"] == "success"


def test_r30_a_build_that_says_an_end_to_come_does_not_vouch_for_what_comes_until_then(
    jenkins: Jenkins, attest: Callable[..., Job], clock: Clock
) -> None:
    jenkins.push_branch()
    jenkins.end(later=timedelta(days=365))
    clock.advance(minutes=10)

    attest()

    assert jenkins.kind() != "success"


def test_r30_the_forge_may_tell_of_the_commit_last(jenkins: Jenkins, attest: Callable[..., Job]) -> None:
    attest()
    jenkins.end()
    assert jenkins.kind() == "claimed"

    jenkins.push_branch()

    assert jenkins.kind() == "success"


def test_r30_a_build_that_fails_reddens_its_commit_when_both_say_so(jenkins: Jenkins, job: Job) -> None:
    jenkins.push_branch()
    job.begin(ci=WIRE)
    assert jenkins.kind() == "initialized"

    jenkins.end(result="failure")

    assert jenkins.kind() == "crafting-error"


@pytest.mark.parametrize(
    "head",
    [
        {"sha": OTHER},
        {"is_fork": True, "event": "pull_request", "pull_request": "7"},
    ],
    ids=["another commit", "a fork's"],
)
def test_r30_a_build_of_what_is_no_head_of_the_repository_has_no_last_word(
    jenkins: Jenkins, attest: Callable[..., Job], head: dict[str, Any]
) -> None:
    jenkins.push_branch(**head)
    attest()
    jenkins.end()

    assert jenkins.kind() == "claimed"


def test_r30_a_pull_request_that_was_closed_before_the_build_is_no_proof(
    jenkins: Jenkins, attest: Callable[..., Job], clock: Clock
) -> None:
    jenkins.push_branch(event="pull_request", pull_request="7", is_open=False)
    clock.advance(minutes=3)
    attest()
    jenkins.end()

    assert jenkins.kind() == "claimed"


def test_r30_a_branch_that_went_on_during_the_build_is_proof_and_one_that_had_before_is_none(
    jenkins: Jenkins, attest: Callable[..., Job], clock: Clock
) -> None:
    jenkins.push_branch()
    attest()
    jenkins.end()
    clock.advance(hours=1)
    _move_on(jenkins)
    assert jenkins.kind() == "success"


def test_r30_a_build_of_what_the_branch_has_left_behind_is_claimed(
    jenkins: Jenkins, attest: Callable[..., Job], clock: Clock
) -> None:
    jenkins.push_branch()
    clock.advance(minutes=1)
    _move_on(jenkins)
    clock.advance(minutes=3)
    attest()
    jenkins.end()

    assert jenkins.kind() == "claimed"


def _move_on(jenkins: Jenkins) -> None:
    """Push over the branch, as a webhook tells it."""
    services, now = jenkins.services, jenkins.clock()
    head = Head(jenkins.code.source_id, jenkins.code.tenant.id, OTHER, "push", "main", now, now)
    follow = InboundFollow(services.world.now, services.world.new_id)
    with services.database.write() as connection:
        source = sources.find(connection, jenkins.code.tenant.id, jenkins.code.source_id)
        assert source is not None
        follow.keep(connection, source, InboundFacts(heads=(SeenHead(head),)))


@pytest.mark.parametrize(
    "lie",
    [
        {"runId": "18"},
        {"job": "app/other"},
        {"job": "other/main"},
        {"serverUrl": "https://ci.rival.test"},
        {"repository": "git@github.com:rival/app.git"},
        {"provider": "github"},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_r30_a_lie_about_the_build_never_becomes_a_last_word(
    jenkins: Jenkins, attest: Callable[..., Job], lie: dict[str, Any]
) -> None:
    jenkins.push_branch()
    attest(**lie)
    jenkins.end()

    assert jenkins.kind() == "claimed"


def test_r30_a_run_that_claims_another_commit_than_its_build_does_not_hold_that_up(
    jenkins: Jenkins, attest: Callable[..., Job], job: Job
) -> None:
    jenkins.push_branch()
    attest()
    jenkins.end()
    assert jenkins.kind() == "success"
    liar = Job(job.api, job.tenant, job.key, job.contract, job.revision)
    liar.begin(ci={**WIRE, "runId": "18", "job": "app/theirs"}, runnerType="JENKINS_JOB")
    assert jenkins.kind() == "initialized"

    jenkins.end("18", "success", OTHER, job="app/theirs")

    assert jenkins.kind() == "success"


def test_r30_a_run_that_begins_after_its_build_has_ended_is_contradicted(
    jenkins: Jenkins, attest: Callable[..., Job], clock: Clock
) -> None:
    jenkins.push_branch()
    jenkins.end()
    clock.advance(minutes=3)
    attest()

    assert jenkins.kind() == "claimed"


def test_r30_the_last_time_there_is_stops_nothing(jenkins: Jenkins, attest: Callable[..., Job]) -> None:
    jenkins.push_branch()
    attest()

    assert jenkins.end(later=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - jenkins.clock()) == "accepted"

    assert jenkins.kind() == "success"


def test_r46_a_word_that_no_secret_of_the_source_signed_proves_nothing(
    jenkins: Jenkins, attest: Callable[..., Job]
) -> None:
    jenkins.push_branch()
    attest()

    assert jenkins.end(secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") == "401"
    assert jenkins.kind() == "claimed"


def test_r46_the_source_of_another_workflow_proves_nothing(
    jenkins: Jenkins, attest: Callable[..., Job], api: Any, client: FlaskClient, clock: Clock, acme: Tenant
) -> None:
    jenkins.push_branch()
    attest()
    other = make_hook(api, client, clock, acme, "jenkins:https://ci.acme.test/job/other", "other/build")

    Jenkins(jenkins.services, other, jenkins.code, clock).end()

    assert jenkins.kind() == "claimed"


def test_r30_another_organizations_forge_proves_nothing(
    jenkins: Jenkins, attest: Callable[..., Job], services: Services, api: Any, rival: Tenant
) -> None:
    theirs = Repository(services, api, rival)
    theirs.register("other/build")
    theirs.see_head()
    attest()
    jenkins.end()

    assert jenkins.kind() == "claimed"


def test_the_verdicts_of_other_commits_are_left_alone(
    jenkins: Jenkins, attest: Callable[..., Job], services: Services, acme: Tenant
) -> None:
    jenkins.push_branch()
    attest()
    jenkins.end()
    jenkins.kind()

    with services.database.read() as connection:
        code = Commit(jenkins.code.source_id, acme.id, COMMIT)
        assert commit_verdicts.list_builds(connection, code) == [replace(code, source_id=jenkins.hook.source_id)]
        assert commit_verdicts.list_builds(connection, replace(code, sha=OTHER)) == []
        assert commit_verdicts.list_builds(connection, replace(code, organization_id="another")) == []
