"""A repository on the GitHub of tests, the server's own dispatcher, and webhooks that come in by its own front door.

Nothing stands in the middle: the administrator registers by the API, webhooks are made by `hooks sync`, the forge signs
them, the server verifies them, the dispatcher of `build_couriers` does the rest.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from flask.testing import FlaskClient

from examples.forge.github import FakeGitHub
from examples.forge.github.world import PullRequest, WorkflowRun
from examples.forge.outbox import Reply
from server.dispatch_wiring import build_couriers
from server.model.events import Event
from server.store import events
from server.wiring import Services
from tests.integration.server.conftest import Api, Tenant
from tests.integration.server.jobs import CI, Job
from tests.integration.server.judged import BUILD, CI_FILE

CONTEXT = "chainloop/app/build"
ROLL_UP = "chainloop/compliance"
NAME = "octo-org/app"


@dataclass
class ForgeWorld:
    """`octo-org/app`, its source, and everything that is told of it."""

    services: Services
    client: FlaskClient
    tenant: Tenant
    forge: FakeGitHub
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the attachment."""

    def __post_init__(self) -> None:
        services = self.services
        self.couriers = build_couriers(
            services.config, services.world, services.database, services.transport, holder="one"
        )
        self.admin = Api(self.client, self.tenant.token("admin"))
        self.operator = Api(self.client, self.tenant.token("operate"))
        self.repository = self.forge.repository(NAME, {CI_FILE: BUILD}, is_private=True)
        self.forge.outbox.post = self._receive

    def register(self, workflow: str = "app/build", **registration: Any) -> None:
        """Register the forge, let a workflow come from it, and have its webhook made."""
        self.attach(**registration)
        self.bind(workflow)
        self.sync()

    def attach(self, **registration: Any) -> None:
        """Register the forge, and attach it to the organization."""
        body = {
            "kind": "github",
            "name": "forge",
            "url": self.forge.url,
            "settings": {"repositories": [NAME]},
            "credentials": {"token": self.forge.token("chainloop-bot", login="chainloop-bot")},
            **registration,
        }
        made = self.admin.post("/registrations", json=body)
        assert made.status_code == 201, made.text
        attached = self.admin.post("/attachments", json={"registration": "forge", "settings": self.settings})
        assert attached.status_code == 201, attached.text

    def sync(self) -> None:
        """Have webhooks made."""
        asked = self.admin.post("/source-hooks", json={"mode": "sync"})
        assert asked.status_code == 202, asked.text
        self.couriers.run_until_idle()

    def bind(self, workflow: str, ci_file: str = CI_FILE) -> None:
        """Let a workflow come from the repository."""
        body = {"source": f"github:{self.forge.url}/{NAME}", "ciFile": ci_file}
        answer = self.operator.put(f"/workflows/{self.tenant.workflows[workflow]}/source", json=body)
        assert answer.status_code in (200, 201), answer.text
        self.source_id = answer.json["sourceId"]

    def settle(self) -> None:
        """Bring every webhook to the server and do everything that follows, until nothing does."""
        self.couriers.run_until_idle()
        while True:
            sent = self.forge.deliver()
            for delivery in sent:
                assert delivery.reply is not None
                assert delivery.reply.status in (200, 202), (delivery.event, delivery.reply)
            self.couriers.run_until_idle()
            if not self.forge.outbox.waiting:
                return

    def propose(self) -> PullRequest:
        """Push a branch and open a pull request."""
        self.sha = self.forge.push(self.repository, "feature", {"a.py": "1"})
        pull = self.forge.open_pull_request(self.repository, "feature")
        self.settle()
        return pull

    def begin(self, job: Job, sha: str, event: str, pull: PullRequest | None = None) -> WorkflowRun:
        """Run the CI workflow on a commit; its job begins a run and goes no further."""
        run = self.forge.start_run(self.repository, CI_FILE, sha, event, pulls=[pull] if pull else ())
        self.job = job_of(job, self.forge.url, run, sha, event, pull)
        self.settle()
        begun = self.job.begin(ci=self.job.ci_claim)
        assert begun.status_code == 201, begun.text
        self.settle()
        return run

    def attest(self, job: Job, sha: str, event: str, pull: PullRequest | None = None) -> WorkflowRun:
        """Run the CI workflow on a commit; its job attests with everything that the contract asks for."""
        run = self.begin(job, sha, event, pull)
        self.job.add_everything()
        answer = self.job.push()
        assert answer.status_code in (200, 201), answer.text
        self.settle()
        self.forge.finish_run(run)
        self.settle()
        return run

    def states(self, sha: str, context: str = CONTEXT) -> list[str]:
        """Return the states that were ever posted, the oldest first."""
        return [status.state for status in self.forge.statuses(sha, context)]

    def last(self, sha: str, context: str = CONTEXT) -> tuple[str, str]:
        """Return what is shown of a context, and who wrote it."""
        status = self.forge.statuses(sha, context)[-1]
        return status.state, status.creator

    def events(self, kind: str) -> list[Event]:
        """Return the events of a kind, oldest first."""
        with self.services.database.read() as connection:
            found = events.list_page(connection, self.tenant.id, before=None, limit=1000, kind=kind)
        return found[::-1]

    def _receive(self, url: str, headers: Any, body: bytes) -> Reply:
        path = url.removeprefix(self.services.config.public_url)
        assert path.startswith("/webhooks/"), url
        answer = self.client.post(path, data=body, headers=dict(headers))
        return Reply(answer.status_code, dict(answer.headers), answer.text)


@dataclass
class ForgeJob(Job):
    """A job that the GitHub of tests knows."""

    ci_claim: dict[str, object] = field(default_factory=dict)


def job_of(job: Job, url: str, run: WorkflowRun, sha: str, event: str, pull: PullRequest | None) -> ForgeJob:
    """Return a job of a CI run, which claims just what is true."""
    number = str(pull.number) if pull else None
    wire = {"serverUrl": url, "repository": NAME, "runId": str(run.id), "event": event, "headSha": sha}
    claim = {**job.ci_of_attempt(run.last.number), **wire, **({"pullRequest": number} if number else {})}
    ci = replace(
        CI,
        server_url=url,
        repository=NAME,
        run_id=str(run.id),
        run_attempt=run.last.number,
        event=event,
        head_sha=sha,
        pull_request=number,
    )
    fresh = {"run_id": str(uuid.uuid4()), "handle": uuid.uuid4().hex, "materials": {}}
    return ForgeJob(
        job.api, job.tenant, job.key, job.contract, job.revision, job.workflow, ci=ci, ci_claim=claim, **fresh
    )
