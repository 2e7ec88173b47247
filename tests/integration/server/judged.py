"""A repository of the tests, its forge's news, and what the server says of its commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from server.model.events import Event, EventKind
from server.model.forge_facts import CiConclusion, CiFileTexts, CiStatus, ForgeJob, ForgeRun, Head
from server.services.judging import Judge
from server.store import commit_verdicts, events, forge_facts, sources
from server.store.commit_verdicts import CommitVerdict
from server.wiring import Services
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import COMMIT
from tests.integration.server.telling import couriers

CI_FILE = ".github/workflows/build.yml"
BUILD = "on: [push, pull_request]\njobs:\n  build:\n    runs-on: x\n    steps: []\n"


@dataclass
class Repository:
    """`acme/app` on GitHub, as the server knows it."""

    services: Services
    api: Any
    tenant: Tenant
    source_id: str = ""
    told: list[Event] = field(default_factory=list)

    def register(self, workflow: str = "app/build", ci_file: str = CI_FILE, **changes: object) -> None:
        """Let a workflow come from it."""
        body = {"source": "github:acme/app", "ciFile": ci_file, **changes}
        route = f"/workflows/{self.tenant.workflows[workflow]}/source"
        answer = self.api(self.tenant.token("operate")).put(route, json=body)
        assert answer.status_code in (200, 201), answer.text
        self.source_id = answer.json["sourceId"]
        self.services.sources.confirm(self.tenant.id, self.source_id, repository_id="4711", default_branch="main")

    def allow_names(self) -> None:
        """Let the forge have told that nobody but its members reads the repository (R47)."""
        with self.services.database.write() as connection:
            source = sources.find(connection, self.tenant.id, self.source_id)
            assert source is not None
            sources.save(connection, replace(source, is_public=False))

    def see_head(self, sha: str = COMMIT, **changes: Any) -> None:
        """Hear of a head, as by a webhook."""
        now = self.services.world.now()
        files = {CI_FILE: CiFileTexts(BUILD, BUILD)}
        head = Head(
            **{
                "source_id": self.source_id,
                "organization_id": self.tenant.id,
                "sha": sha,
                "event": "push",
                "branch": "main",
                "seen_at": now,
                "told_at": now,
                "ci_files": files,
                **changes,
            }
        )
        with self.services.database.write() as connection:
            forge_facts.save_head(connection, head)
            self._tell(connection, EventKind.HEAD_SEEN, sha)

    def see_run(self, run_id: str = "77", attempt: int = 1, sha: str = COMMIT, **changes: Any) -> None:
        """Hear of a CI run that goes on, as by a webhook."""
        now = self.services.world.now()
        run = ForgeRun(
            **{
                "source_id": self.source_id,
                "organization_id": self.tenant.id,
                "ci_run_id": run_id,
                "attempt": attempt,
                "head_sha": sha,
                "event": "push",
                "status": CiStatus.RUNNING,
                "seen_at": now,
                "told_at": now,
                "ci_file": CI_FILE,
                "started_at": now - timedelta(minutes=1),
                "jobs": (ForgeJob(f"{run_id}-1", "build", CiStatus.RUNNING),),
                **changes,
            }
        )
        with self.services.database.write() as connection:
            forge_facts.save_run(connection, run)
            self._tell(connection, EventKind.CI_RUN_SEEN, sha)

    def end_run(self, run_id: str = "77", conclusion: CiConclusion = CiConclusion.SUCCESS, **changes: Any) -> None:
        """Hear that a CI run has ended."""
        now = self.services.world.now()
        job = ForgeJob(f"{run_id}-1", "build", CiStatus.ENDED, conclusion)
        ended = {"status": CiStatus.ENDED, "conclusion": conclusion, "ended_at": now, "jobs": (job,)}
        self.see_run(run_id, **{**ended, **changes})

    def settle(self) -> None:
        """Let the dispatcher draw its conclusions."""
        judge = self.judge()
        work = couriers(self.services, follow=(judge.follow,))
        work.run_until_idle()
        while judge.judge_due():
            work.run_until_idle()

    def judge(self) -> Judge:
        world = self.services.world
        return Judge(self.services.database, world.now, world.new_id, public_url="https://chainloop.test")

    def said(self, context: str = "chainloop/app/build", sha: str = COMMIT) -> CommitVerdict | None:
        """Return what is said of a commit after the dispatcher has been at work."""
        self.settle()
        with self.services.database.read() as connection:
            return commit_verdicts.find(connection, self.source_id, sha, context)

    def kind(self, context: str = "chainloop/app/build", sha: str = COMMIT) -> str | None:
        found = self.said(context, sha)
        return found.kind.value if found else None

    def contents(self, context: str = "chainloop/app/build") -> Sequence[dict[str, Any]]:
        """Return everything that was told under a name, the first first."""
        with self.services.database.read() as connection:
            page = events.list_page(connection, self.tenant.id, before=None, limit=1000)
        facts = [dict(event.facts) for event in page[::-1] if event.kind is EventKind.VERDICT_CHANGED]
        return [item for item in facts if item["context"] == context]

    def _tell(self, connection: Any, kind: EventKind, sha: str) -> None:
        now: datetime = self.services.world.now()
        facts = {"sourceId": self.source_id, "sha": sha}
        event = Event(self.services.world.new_id(), self.tenant.id, kind, now, sha, facts=facts)
        events.add(connection, event)
