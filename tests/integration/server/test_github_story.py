"""A pull request's status on GitHub through the lives of runs, by the integration and a GitHub of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

import pytest

from examples.forge.github import FakeGitHub
from server.dispatcher.couriers import Couriers
from server.egress.policy import Policy
from server.egress.transport import Transport
from server.integrations.registry import by_kind
from server.integrations.types import Tools
from server.model.forge_facts import Head
from server.model.integrations import BoundRepository, StoredAttachment, StoredRegistration
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.services.forge_answers import ForgeAnswers
from server.services.forge_events import head_seen
from server.services.judging import Judge
from server.setting_values import OpenedHost
from server.store import events, forge_facts, registrations, sources
from server.wiring import Services
from tests.forges.checked import checked_github
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import CI, Job
from tests.integration.server.judged import BUILD, CI_FILE


@dataclass
class Story:
    """`octo-org/app` on the forge, its registration, and a pull request."""

    services: Services
    api: Any
    tenant: Tenant
    forge: FakeGitHub

    def __post_init__(self) -> None:
        self.repository = self.forge.repository("octo-org/app", {CI_FILE: BUILD})
        self.sha = self.forge.push(self.repository, "feature", {"a.py": "1"})
        self.pull = self.forge.open_pull_request(self.repository, "feature")
        body = {"source": f"github:{self.forge.url}/octo-org/app", "ciFile": CI_FILE}
        route = f"/workflows/{self.tenant.workflows['app/build']}/source"
        answer = self.api(self.tenant.token("operate")).put(route, json=body)
        assert answer.status_code in (200, 201), answer.text
        self.source_id = answer.json["sourceId"]
        number = str(self.repository.id)
        self.services.sources.confirm(self.tenant.id, self.source_id, repository_id=number, default_branch="main")
        self._attach(number)

    def _attach(self, number: str) -> None:
        world = self.services.world
        with self.services.database.write() as connection:
            source = sources.find(connection, self.tenant.id, self.source_id)
            assert source is not None
            bound = BoundRepository(source.address.host, number, "octo-org/app")
            registration = StoredRegistration(
                world.new_id(),
                self.tenant.id,
                "github",
                "forge",
                world.now(),
                "somebody",
                host=source.address.host,
                repositories=(bound,),
            )
            registrations.add(connection, registration)
            attachment = StoredAttachment(
                world.new_id(), self.tenant.id, registration.id, "github", world.now(), "somebody"
            )
            registrations.add_attachment(connection, attachment)

    def couriers(self) -> Couriers:
        world, database = self.services.world, self.services.database
        known = by_kind()
        token = self.forge.token("bot", scopes=("repo",))
        self.judge = Judge(database, world.now, world.new_id, public_url="https://chainloop.test")
        answers = ForgeAnswers(world.now, world.new_id)
        self.transport = Transport(Policy((OpenedHost(None, ip_network("127.0.0.0/8")),)))
        return Couriers(
            FanOut(database, world.now, world.new_id, integrations=known, follow=(self.judge.follow,)),
            DeliveryQueue(database, world.now, world.new_id, lambda: 0.5, learn=answers.handlers()),
            integrations=known,
            open_credentials=lambda registration: {"token": token},
            tools=Tools(self.transport, world.now, "https://chainloop.test"),
            holder="one",
            now=world.now,
        )

    def see_head(self) -> None:
        """Hear of the pull request, as by a webhook."""
        now = self.services.world.now()
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
                pull_request=str(self.pull.number),
                base_branch="main",
            )
            forge_facts.save_head(connection, head)
            events.add(connection, head_seen(connection, source, head, self.services.world.new_id(), now))

    def states(self, context: str = "chainloop/app/build") -> list[tuple[str, str]]:
        return [(status.state, status.description) for status in self.forge.statuses(self.sha, context)]


@pytest.fixture
def story(services: Services, api: Any, acme: Tenant, clock: Clock) -> Iterator[Story]:
    with checked_github(clock=clock) as forge:
        found = Story(services, api, acme, forge)
        yield found
        found.transport.close()


def test_a_pull_request_s_status_goes_from_expected_to_success(story: Story, job: Job) -> None:
    couriers = story.couriers()
    story.see_head()
    couriers.run_until_idle()
    run = story.forge.start_run(story.repository, CI_FILE, story.sha, "pull_request", pulls=[story.pull])
    ci = replace(
        CI,
        server_url=story.forge.url,
        repository="octo-org/app",
        run_id=str(run.id),
        event="pull_request",
        head_sha=story.sha,
        pull_request=str(story.pull.number),
    )
    wire = {"serverUrl": story.forge.url, "repository": "octo-org/app", "runId": str(run.id)}
    job.ci = ci
    job.begin(
        ci={
            **job.ci_of_attempt(1),
            **wire,
            "event": "pull_request",
            "headSha": story.sha,
            "pullRequest": str(story.pull.number),
        }
    )
    couriers.run_until_idle()
    job.add_everything()
    answer = job.push()
    assert answer.status_code in (200, 201), answer.text
    couriers.run_until_idle()

    assert [state for state, _ in story.states()] == ["pending", "pending", "success"]
    assert story.states()[-1][1] == "5/5 materials, signed, rev 2"
    roll_up = story.states("chainloop/compliance")
    assert roll_up[-1] == ("success", "1 of 1 compliant")
    links = {status.target_url for status in story.forge.statuses(story.sha)}
    assert len(links) == 2
    assert all(link.startswith("https://chainloop.test/verdicts/") for link in links)


@pytest.mark.parametrize("is_attested", [False, True])
def test_r30_a_claim_of_a_head_by_the_ci_run_of_another_one_is_found_out_by_asking(
    story: Story, job: Job, is_attested: bool
) -> None:
    couriers = story.couriers()
    story.see_head()
    other = story.forge.push(story.repository, "mallory", {"b.py": "1"})
    run = story.forge.start_run(story.repository, CI_FILE, other, "pull_request")
    claim = {"serverUrl": story.forge.url, "repository": "octo-org/app", "runId": str(run.id), "headSha": story.sha}
    job.begin(ci={**job.ci_of_attempt(1), **claim, "event": "pull_request"})
    if is_attested:
        job.ci = replace(
            CI, server_url=story.forge.url, repository="octo-org/app", run_id=str(run.id), event="pull_request",
            head_sha=story.sha,
        )  # fmt: skip
        job.add_everything()
        assert job.push().status_code in (200, 201)

    couriers.run_until_idle()
    before = story.states()[-1]
    couriers.run_until_idle()  # with what GitHub has answered

    assert before != story.states()[-1]
    assert story.states()[-1] == ("pending", "waiting for an attestation")
