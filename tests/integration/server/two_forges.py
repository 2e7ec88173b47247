"""Two hundred teams in four repositories of two forges, a receiver of webhooks, and dispatchers that can be killed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from flask.testing import FlaskClient

from chainloop_ci.api.record import to_dict
from chainloop_ci.runners.types import CiIdentity
from examples.forge.github import FakeGitHub
from examples.forge.gitlab import FakeGitLab
from examples.forge.outbox import Reply
from server.dispatch_wiring import build_couriers
from server.dispatcher.couriers import Couriers
from server.integrations.types import Integration, Message, Target, Tools
from server.model.deliveries import Outcome
from server.wiring import Services, World
from tests.integration.server.conftest import Api, Tenant
from tests.integration.server.jobs import CI, Job, Key
from tests.integration.server.judged import BUILD, CI_FILE
from tests.integration.server.receivers import attach, register
from tests.unit.stub_server import StubServer

GITLAB_FILE, GITLAB_BUILD = ".gitlab-ci.yml", "attest:\n  script: [make]\n"
PLACES = ("octo-org/app", "octo-org/shop", "group/app", "group/shop")
"""Two repositories on GitHub, two projects on GitLab."""


class KilledError(BaseException):
    """Ends a dispatcher wherever it stands: no handler of errors sees it, and nothing is written down any more."""


@dataclass
class Place:
    """A repository whose change is proposed, with the teams that live in it."""

    name: str
    source: str
    """As a document names it."""
    ci_file: str
    head: CiIdentity
    """What a job of the proposed change says of itself."""
    end_ci: Callable[[], object]
    issues: Callable[[], list[str]]
    """The texts of the issues, each with its comments."""
    statuses: Callable[[str], list[tuple[str, str]]]
    """State and description of all that was ever said under a name."""


@dataclass
class TwoForges:
    """The world of the test."""

    services: Services
    client: FlaskClient
    tenant: Tenant
    github: FakeGitHub
    gitlab: FakeGitLab
    receiver: StubServer
    places: list[Place] = field(default_factory=list)
    killed_at: set[str] = field(default_factory=set)
    """Deliveries at which a dispatcher was killed."""

    def __post_init__(self) -> None:
        self.admin = Api(self.client, self.tenant.token("admin"))
        self.couriers = self.start_dispatcher()
        for forge in (self.github, self.gitlab):
            forge.outbox.post = self._receive
        self._open_repositories()

    def start_dispatcher(self, world: World | None = None) -> Couriers:
        """Return a dispatcher that knows nothing but the database."""
        services = self.services
        world = world or services.world
        return build_couriers(services.config, world, services.database, services.transport, holder=uuid.uuid4().hex)

    def start_doomed_dispatcher(self) -> Couriers:
        """Return one that is killed when it has sent a notice for the first time, before it has written that down."""
        world = self.services.world
        doomed = {kind: _doom(entry, self.killed_at) for kind, entry in world.integrations.items()}
        return self.start_dispatcher(replace(world, integrations=doomed))

    def watch(self) -> None:
        """Register forges and receiver, and have webhooks made."""
        self._register("github", self.github.url, PLACES[:2], self.github.token("bot", login="bot"))
        self._register("gitlab", self.gitlab.url, PLACES[2:], self.gitlab.token("robot"))
        assert register(self.admin, self.receiver).status_code == 201
        assert attach(self.admin, events=["contract.announced"]).status_code == 201
        self.couriers.run_until_idle()
        asked = self.admin.post("/source-hooks", json={"mode": "sync"})
        assert asked.status_code == 202, asked.text
        self.settle()

    def settle(self) -> None:
        """Bring every webhook to the server and do everything that follows, until nothing does."""
        self.couriers.run_until_idle()
        while self._bring():
            self.couriers.run_until_idle()

    def propose(self) -> None:
        """Propose a change in every repository, whose CI begins."""
        self.places = [self._propose_on_github(name) for name in PLACES[:2]]
        self.places += [self._propose_on_gitlab(name) for name in PLACES[2:]]
        self.settle()

    def _bring(self) -> int:
        sent = self.github.outbox.deliver() + self.gitlab.outbox.deliver()
        refused = [item for item in sent if item.reply is None or item.reply.status not in (200, 202)]
        assert not refused, [(item.event, item.reply) for item in refused]
        return len(sent)

    def _open_repositories(self) -> None:
        for name in PLACES[:2]:
            self.github.repository(name, {CI_FILE: BUILD}, is_private=True)
        for name in PLACES[2:]:
            self.gitlab.project(name, {GITLAB_FILE: GITLAB_BUILD}, is_private=True)

    def _register(self, kind: str, url: str, names: tuple[str, ...], token: str) -> None:
        body = {"kind": kind, "name": kind, "url": url, "credentials": {"token": token}}
        made = self.admin.post("/registrations", json={**body, "settings": {"repositories": list(names)}})
        assert made.status_code == 201, made.text
        attached = self.admin.post("/attachments", json={"registration": kind})
        assert attached.status_code == 201, attached.text

    def _receive(self, url: str, headers: Any, body: bytes) -> Reply:
        path = url.removeprefix(self.services.config.public_url)
        answer = self.client.post(path, data=body, headers=dict(headers))
        return Reply(answer.status_code, dict(answer.headers), answer.text)

    def _propose_on_github(self, name: str) -> Place:
        forge = self.github
        repository = next(one for one in forge.repositories.values() if one.full_name == name)
        sha = forge.push(repository, "feature", {"a.py": name})
        pull = forge.open_pull_request(repository, "feature")
        run = forge.start_run(repository, CI_FILE, sha, "pull_request", pulls=[pull])
        facts = {"server_url": forge.url, "repository": name, "run_id": str(run.id), "head_sha": sha}
        return Place(
            name,
            f"github:{forge.url}/{name}",
            CI_FILE,
            replace(CI, event="pull_request", pull_request=str(pull.number), **facts),
            end_ci=lambda: forge.finish_run(run),
            issues=lambda: [
                "\n".join([issue.body or "", *(comment.body for comment in issue.comments.values())])
                for number, issue in repository.issues.items()
                if number not in repository.pulls
            ],
            statuses=lambda context: [(one.state, one.description or "") for one in forge.statuses(sha, context)],
        )

    def _propose_on_gitlab(self, name: str) -> Place:
        forge = self.gitlab
        project = next(one for one in forge.projects.values() if one.path == name)
        sha = forge.push(project, "feature", {"a.py": name})
        asked = forge.open_merge_request(project, "feature")
        ref = f"refs/merge-requests/{asked.iid}/head"
        pipeline = forge.start_pipeline(project, sha, ref, "merge_request_event", request=asked)
        facts = {"server_url": forge.url, "repository": name, "run_id": str(pipeline.id), "head_sha": sha}
        event = {"event": "merge_request_event", "pull_request": str(asked.iid), "run_attempt": None}
        return Place(
            name,
            f"gitlab:{forge.url}/{name}",
            GITLAB_FILE,
            replace(CI, provider="gitlab", **facts, **event),
            end_ci=lambda: forge.finish_pipeline(pipeline),
            issues=lambda: [
                "\n".join([issue.description or "", *(note.body for note in issue.notes.values())])
                for issue in project.issues.values()
            ],
            statuses=lambda context: [(one.status, one.description or "") for one in forge.statuses(sha, context)],
        )


@dataclass(frozen=True)
class Team:
    """A team with a workflow of its own in a repository."""

    number: int
    place: int
    is_ready: bool
    """It attests with the ticket before anybody asks for it."""

    @property
    def workflow(self) -> str:
        return f"w{self.number:03}"

    @property
    def context(self) -> str:
        return f"chainloop/many/{self.workflow}"

    def attest(self, world: TwoForges, key: Key, contract: bytes) -> None:
        """Attest in the CI run of the proposed change."""
        ci = replace(world.places[self.place].head, job=self.workflow)
        fresh = {"run_id": str(uuid.uuid4()), "handle": uuid.uuid4().hex, "materials": {}}
        api = Api(world.client, world.tenant.token("attest"))
        job = Job(api, world.tenant, key, contract, 1, f"many/{self.workflow}", ci=ci, **fresh)
        assert job.begin(ci=to_dict(ci)).status_code == 201
        job.add_string("version", "1.2.3")
        if self.is_ready:
            job.add_string("ticket", "T-1")
        pushed = job.push(job.key.bundle(job.payload(_name_contract)))
        assert pushed.status_code == 201, pushed.text


def _name_contract(statement: dict[str, Any]) -> None:
    statement["predicate"]["metadata"]["contractName"] = "shared"


def _doom(entry: Integration, killed_at: set[str]) -> Integration:
    """Return an integration whose process is killed when a notice was sent: nobody hears of its outcome."""

    def deliver(target: Target, message: Message, tools: Tools) -> Outcome:
        outcome = entry.deliver(target, message, tools)
        if message.event_kind == "contract.announced" and message.delivery_id not in killed_at:
            killed_at.add(message.delivery_id)
            raise KilledError
        return outcome

    return replace(entry, deliver=deliver)
