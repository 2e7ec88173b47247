"""A merge request's status on GitLab through the lives of runs, by the integration and a GitLab of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import pytest

from chainloop_ci.api.record import to_dict
from examples.forge.gitlab import FakeGitLab
from examples.forge.gitlab.life import MergeRefusedError
from server.dispatcher.couriers import Couriers
from server.egress.policy import Policy
from server.egress.transport import Transport
from server.integrations.registry import by_kind
from server.integrations.types import Tools
from server.model.events import Event, EventKind
from server.model.forge_facts import Head
from server.model.integrations import BoundRepository, StoredAttachment, StoredRegistration
from server.model.verdict_kinds import VerdictKind
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.services.forge_answers import ForgeAnswers
from server.services.forge_events import head_seen
from server.services.forge_watch import ForgeWatch
from server.services.judging import Judge
from server.setting_values import OpenedHost
from server.store import commit_verdicts, events, forge_facts, registrations, sources
from server.wiring import Services
from tests.forges.checked import checked_gitlab
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import CI, Job

CI_FILE = ".gitlab-ci.yml"
BUILD = "attest:\n  script: [make]\n"
CONTEXT, ROLL_UP = "chainloop/app/build", "chainloop/compliance"


@dataclass
class Story:
    """`group/app` on the forge, its registration, a merge request, and a dispatcher."""

    services: Services
    api: Any
    tenant: Tenant
    forge: FakeGitLab
    transport: Transport

    def __post_init__(self) -> None:
        self.project = self.forge.project("group/app", {CI_FILE: BUILD})
        self.project.needs_pipeline = True
        self.sha = self.forge.push(self.project, "feature", {"a.py": "1"})
        self.request = self.forge.open_merge_request(self.project, "feature")
        body = {"source": f"gitlab:{self.forge.url}/group/app", "ciFile": CI_FILE}
        route = f"/workflows/{self.tenant.workflows['app/build']}/source"
        answer = self.api(self.tenant.token("operate")).put(route, json=body)
        assert answer.status_code in (200, 201), answer.text
        self.source_id = answer.json["sourceId"]
        number = str(self.project.id)
        self.services.sources.confirm(self.tenant.id, self.source_id, repository_id=number, default_branch="main")
        self._attach(number)
        self.couriers = self._make_couriers()

    def _attach(self, number: str) -> None:
        world = self.services.world
        with self.services.database.write() as connection:
            bound = BoundRepository(self.forge.url, number, "group/app")
            registration = StoredRegistration(
                world.new_id(), self.tenant.id, "gitlab", "forge", world.now(), "somebody", host=self.forge.url
            )
            registrations.add(connection, replace(registration, repositories=(bound,)))
            attachment = StoredAttachment(
                world.new_id(), self.tenant.id, registration.id, "gitlab", world.now(), "somebody"
            )
            registrations.add_attachment(connection, attachment)

    def _make_couriers(self) -> Couriers:
        world, database, known = self.services.world, self.services.database, by_kind()
        token = self.forge.token("robot", level=30)
        judge = Judge(database, world.now, world.new_id, public_url="https://chainloop.test")
        answers = ForgeAnswers(world.now, world.new_id)
        return Couriers(
            FanOut(database, world.now, world.new_id, integrations=known, follow=(judge.follow,)),
            DeliveryQueue(database, world.now, world.new_id, lambda: 0.5, learn=answers.handlers()),
            integrations=known,
            open_credentials=lambda registration: {"token": token},
            tools=Tools(self.transport, world.now, "https://chainloop.test"),
            holder="one",
            now=world.now,
        )

    def see_head(self) -> None:
        """Hear of the merge request, as by a webhook, and tell what follows."""
        world, now = self.services.world, self.services.world.now()
        with self.services.database.write() as connection:
            source = sources.find(connection, self.tenant.id, self.source_id)
            assert source is not None
            head = Head(
                source.id,
                self.tenant.id,
                self.sha,
                "pull_request",
                "feature",
                now,
                now,
                pull_request=str(self.request.iid),
                base_branch="main",
            )
            forge_facts.save_head(connection, head)
            events.add(connection, head_seen(connection, source, head, world.new_id(), now))
        self.couriers.run_until_idle()

    def begin(self, job: Job, pipeline_id: int, **claims: str) -> None:
        """Let a job of a pipeline begin its run, and tell what follows."""
        claimed = {"head_sha": self.sha, **claims}
        job.ci = replace(
            CI,
            provider="gitlab",
            server_url=self.forge.url,
            repository="group/app",
            run_id=str(pipeline_id),
            # GitLab counts no attempts.
            run_attempt=None,
            event="merge_request_event",
            pull_request=str(self.request.iid),
            **claimed,
        )
        job.begin(ci=to_dict(job.ci))
        self.couriers.run_until_idle()

    def states(self, context: str = CONTEXT) -> list[str]:
        return [status.status for status in self.forge.statuses(self.sha, context)]


@pytest.fixture
def story(services: Services, api: Any, acme: Tenant, clock: Clock) -> Iterator[Story]:
    transport = Transport(Policy((OpenedHost(None, ip_network("127.0.0.0/8")),)))
    with checked_gitlab(clock=clock) as forge:
        yield Story(services, api, acme, forge, transport)
    transport.close()


def test_a_merge_request_s_status_goes_from_running_to_success_in_its_pipeline(story: Story, job: Job) -> None:
    ref = f"refs/merge-requests/{story.request.iid}/head"
    pipeline = story.forge.start_pipeline(story.project, story.sha, ref, "merge_request_event", request=story.request)
    story.see_head()
    assert story.states() == ["running"]
    story.begin(job, pipeline.id)
    job.add_everything()
    answer = job.push()
    assert answer.status_code in (200, 201), answer.text
    story.couriers.run_until_idle()

    assert (story.states(), story.states(ROLL_UP)) == (["success"], ["success"])
    (shown,) = story.forge.statuses(story.sha, CONTEXT)
    assert shown.description == "5/5 materials, signed, rev 2"
    assert (shown.target_url or "").startswith("https://chainloop.test/verdicts/")
    story.forge.finish_pipeline(pipeline)
    story.forge.merge(story.request)


def test_r30_a_pipeline_of_another_commit_makes_nothing_green(story: Story, job: Job) -> None:
    theirs = story.forge.start_pipeline(story.project, story.project.branches["main"], "main")
    ours = story.forge.start_pipeline(story.project, story.sha, "feature")
    story.see_head()
    story.begin(job, theirs.id)
    job.add_everything()
    answer = job.push()
    assert answer.status_code in (200, 201), answer.text
    story.couriers.run_until_idle()

    assert story.states() == ["running"]
    story.forge.finish_pipeline(ours)
    with pytest.raises(MergeRefusedError, match="ci_still_running"):
        story.forge.merge(story.request)


@pytest.mark.parametrize("is_protected", [False, True])
def test_r35_a_merge_request_s_own_branch_says_whether_its_jobs_have_a_protected_token(
    story: Story, is_protected: bool
) -> None:
    if is_protected:
        story.project.protected["feature"] = 40
    admin = story.api(story.tenant.token("admin"))
    assert admin.patch(f"/sources/{story.source_id}", json={"tokenIsProtected": True}).status_code == 200

    story.see_head()
    story.couriers.run_until_idle()

    with story.services.database.read() as connection:
        (said,) = commit_verdicts.list_of_commit(connection, story.source_id, story.sha)[:1]
    assert said.kind is (VerdictKind.EXPECTED if is_protected else VerdictKind.UNTRUSTED_HEAD)


def test_a_status_check_that_gitlab_asks_for_again_is_answered_again(story: Story) -> None:
    story.see_head()
    world = story.services.world
    watch = ForgeWatch(world.now, world.new_id, Judge(story.services.database, world.now, world.new_id, public_url=""))
    facts = {"sourceId": story.source_id, "sha": story.sha, "name": CONTEXT, "checkId": "7"}
    asked = Event(world.new_id(), story.tenant.id, EventKind.STATUS_CHECK_REQUESTED, world.now(), "1/7", facts=facts)

    with story.services.database.write() as connection:
        watch(connection, asked)
        told = [
            item
            for item in events.list_new(connection, story.tenant.id, limit=10)
            if item.kind is EventKind.VERDICT_CHANGED
        ]

    assert [(item.facts["context"], item.facts["isRepeat"]) for item in told] == [(CONTEXT, True)]
