"""A registration at the GitLab of tests, and deliveries to it over real sockets and the server's own way out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from examples.forge.gitlab import FakeGitLab
from examples.forge.gitlab.world import Job, MergeRequest, Pipeline, Project
from server.egress.policy import Policy
from server.egress.transport import Transport
from server.integrations.gitlab.entry import GITLAB
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome
from server.model.integrations import BoundRepository
from server.model.verdict_content import ForgeRepository, VerdictContent
from server.model.verdict_kinds import VerdictKind
from server.setting_values import OpenedHost

CONTEXT = "chainloop/app/build"
URL = "https://chainloop.test/runs/5f0c2f6e"
PUBLIC_URL = "https://chainloop.test"


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment


@dataclass
class Scene:
    """One project with a merge request and its pipeline, a registration that lists it, and what is remembered."""

    forge: FakeGitLab
    project: Project
    request: MergeRequest
    pipeline: Pipeline | None
    target: Target
    tools: Tools
    clock: Clock
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the attachment."""
    memories: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    version: int = 0

    @property
    def sha(self) -> str:
        return self.request.sha

    @property
    def place(self) -> ForgeRepository:
        return ForgeRepository("gitlab", self.target.host, str(self.project.id), self.project.path)

    def content(self, kind: VerdictKind, **options: Any) -> VerdictContent:
        """Return the next verdict of the context on the merge request."""
        self.version += 1
        given = {
            "context": CONTEXT,
            "description": f"it is {kind}",
            "repository": self.place,
            "sha": self.sha,
            "version": self.version,
            "branch": self.request.source_branch,
            "pull_request": self.request.iid,
            "target_url": URL,
        }
        return VerdictContent(**{"kind": kind, **given, **options})

    def tell(self, content: VerdictContent, part: str = "verdict", attempt: int = 1) -> Outcome:
        """Make one try, and remember what it asks to."""
        lane = content.lane if part == "verdict" else f"!{content.pull_request}:note"
        return self.deliver(part, lane, content.to_facts(), attempt)

    def tell_all(self, *kinds: VerdictKind) -> list[str]:
        """Tell verdicts in order, each in one try; return the codes of the outcomes."""
        return [self.tell(self.content(kind)).code for kind in kinds]

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
        outcome = GITLAB.deliver(self.target, message, self.tools)
        if outcome.remember is not None:
            self.memories[lane] = outcome.remember
        return outcome

    def states(self, context: str = CONTEXT, sha: str = "") -> list[str]:
        """Return the states of all statuses of a context, oldest first, retried ones among them."""
        return [job.status for job in self.forge.statuses(sha or self.sha, context)]

    def shown(self, context: str = CONTEXT) -> Job:
        """Return the one status of a context that people see."""
        (job,) = [job for job in self.forge.statuses(self.sha, context) if not job.is_retried]
        return job

    def notes(self) -> list[str]:
        """Return the texts of the merge request's notes, oldest first."""
        return [note.body for _, note in sorted(self.request.notes.items())]

    def requests(self) -> list[str]:
        """Return what was asked, as `METHOD /path` without the project's part."""
        prefix = f"/projects/{self.project.id}"
        return [f"{seen.method} {seen.path.removeprefix(prefix)}" for seen in self.forge.log]

    def writes(self) -> list[str]:
        """Return the requests that could change something."""
        return [asked for asked in self.requests() if not asked.startswith("GET ")]


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Policy((OpenedHost(None, ipaddress.ip_network("127.0.0.0/8")),)))
    yield made
    made.close()


@pytest.fixture
def bare(fake_gitlab: FakeGitLab, transport: Transport) -> Scene:
    """Return a merge request without a pipeline, in a project whose merges ask for one."""
    project = fake_gitlab.project("group/app", is_private=True)
    project.needs_pipeline = True
    fake_gitlab.push(project, "feature", {"a.py": "1\n"})
    request = fake_gitlab.open_merge_request(project, "feature")
    clock = Clock()
    target = Target(
        registration_id="r",
        organization_id="o",
        kind="gitlab",
        host=fake_gitlab.url,
        settings={},
        credentials={"token": fake_gitlab.token("robot")},
        repositories=(BoundRepository(fake_gitlab.url, str(project.id), project.path),),
    )
    tools = Tools(transport, clock, PUBLIC_URL)
    return Scene(fake_gitlab, project, request, None, target, tools, clock)


@pytest.fixture
def scene(bare: Scene) -> Scene:
    """Return a merge request with a pipeline whose job runs."""
    return replace(bare, pipeline=start(bare))


def start(scene: Scene, source: str = "merge_request_event", sha: str = "", ref: str = "") -> Pipeline:
    """Start a pipeline for the head of the merge request."""
    ref = ref or f"refs/merge-requests/{scene.request.iid}/head"
    return scene.forge.start_pipeline(scene.project, sha or scene.sha, ref, source, request=scene.request)
