"""A registration at the GitHub of tests, and deliveries to it over real sockets and the server's own way out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from examples.forge.github import FakeGitHub
from examples.forge.github.world import App, CheckRun, Repository
from server.egress.policy import Policy
from server.egress.transport import Transport
from server.integrations.github.entry import GITHUB
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome
from server.model.integrations import BoundRepository
from server.model.verdict_content import ForgeRepository, VerdictContent
from server.model.verdict_kinds import VerdictKind
from server.setting_values import OpenedHost
from tests.forges.clients import PRIVATE_PEM, PUBLIC_PEM

CONTEXT = "chainloop/app/build"
URL = "https://chainloop.test/runs/5f0c2f6e"
APP_RIGHTS = {
    "actions": "read",
    "checks": "write",
    "contents": "read",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


@dataclass
class Scene:
    """One repository, a registration that lists it, and what is remembered between its deliveries."""

    forge: FakeGitHub
    repository: Repository
    target: Target
    tools: Tools
    clock: Clock
    app: App | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the attachment."""
    memories: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    version: int = 0

    @property
    def sha(self) -> str:
        return self.repository.branches["main"]

    @property
    def place(self) -> ForgeRepository:
        found = self.repository
        return ForgeRepository("github", self.target.host, str(found.id), found.full_name)

    def content(self, kind: VerdictKind, **options: Any) -> VerdictContent:
        """Return the next verdict of the context."""
        self.version += 1
        given = {"context": CONTEXT, "description": f"it is {kind}", "sha": self.sha, "version": self.version}
        return VerdictContent(**{"kind": kind, "repository": self.place, "target_url": URL, **given, **options})

    def tell(self, content: VerdictContent, part: str = "verdict", attempt: int = 1) -> Outcome:
        """Make one try, and remember what it asks to."""
        lane = content.lane if part == "verdict" else f"#{content.pull_request}:comment"
        return self.deliver(part, lane, content.to_facts(), attempt)

    def deliver(
        self, part: str, lane: str, content: Mapping[str, Any], attempt: int = 1, at: datetime | None = None
    ) -> Outcome:
        """Make one try of any part."""
        message = Message(
            delivery_id="d",
            event_id="e",
            event_kind="verdict.changed",
            event_at=at or self.clock(),
            part=part,
            lane=lane,
            content=content,
            attempt=attempt,
            memory=self.memories.get(lane, {}),
            settings=self.settings,
        )
        outcome = GITHUB.deliver(self.target, message, self.tools)
        if outcome.remember is not None:
            self.memories[lane] = outcome.remember
        return outcome

    def check_runs(self, name: str = CONTEXT) -> list[CheckRun]:
        """Return the check runs of a context, oldest first."""
        return [run for run in self.repository.check_runs.values() if run.name == name]

    def requests(self) -> list[str]:
        """Return what was asked, as `METHOD /path` without the repository's part."""
        prefix = f"/repos/{self.repository.full_name}"
        return [f"{seen.method} {seen.path.removeprefix(prefix)}" for seen in self.forge.log]


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Policy((OpenedHost(None, ipaddress.ip_network("127.0.0.0/8")),)))
    yield made
    made.close()


@pytest.fixture
def by_token(fake_github: FakeGitHub, transport: Transport) -> Scene:
    """Return a registration with a classic token."""
    repository = fake_github.repository("octo-org/app", is_private=True)
    return _scene(fake_github, repository, transport, {"token": fake_github.token("robot")}, {})


@pytest.fixture
def by_app(fake_github: FakeGitHub, transport: Transport) -> Scene:
    """Return a registration with an App of the organization's own."""
    repository = fake_github.repository("octo-org/app", is_private=True)
    app = fake_github.app("chainloop-app", PUBLIC_PEM, APP_RIGHTS)
    installed = fake_github.install(app, "octo-org", [repository])
    settings = {"appId": app.id, "installationId": installed.id}
    scene = _scene(fake_github, repository, transport, {"app-private-key": PRIVATE_PEM}, settings)
    return replace(scene, app=app)


def _scene(
    forge: FakeGitHub,
    repository: Repository,
    transport: Transport,
    credentials: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Scene:
    clock = Clock()
    target = Target(
        registration_id=f"registration of {forge.url}",
        organization_id="o",
        kind="github",
        host=forge.url,
        settings={"repositories": [repository.full_name], **settings},
        credentials=credentials,
        repositories=(BoundRepository(forge.url, str(repository.id), repository.full_name),),
    )
    tools = Tools(transport, clock, "https://chainloop.test")
    return Scene(forge, repository, target, tools, clock)
