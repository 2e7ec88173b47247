"""A control plane in this process, a repository on a GitHub of our own, and lives of runs on its commits."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from examples.forge.github import FakeGitHub
from examples.forge.github.world import WorkflowRun
from server.admin.data_folder import prepare
from server.app import create_app
from server.config import ServerConfig
from server.model.events import Event, EventKind
from server.model.forge_facts import CiFileTexts, Head
from server.setting_values import OpenedHost
from server.store import events, forge_facts
from server.wiring import World, build_services
from tests.integration.server.conftest import Api, make_tenant
from tests.integration.server.jobs import CI, EMPTY_CONTRACT, HEAD, Job, Key, put_contract, register_key
from tests.integration.server.judged import BUILD, CI_FILE
from tests.soak.shared_clock import SharedClock

PUBLIC_URL = "https://chainloop.test"
CONTEXT = "chainloop/app/build"
ROLL_UP = "chainloop/compliance"
REPOSITORY = "octo-org/app"
LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Ending:
    """How a run ends, and what the forge's page has to show in the end."""

    conclusion: str
    """Of the CI run."""
    trigger: str | None
    """What the job tells us; None: it pushes, or is never heard of again."""
    state: str
    roll_up: str


ENDINGS: Mapping[str, Ending] = MappingProxyType(
    {
        "push": Ending("success", None, "success", "success"),
        "failure": Ending("failure", "failure", "error", "error"),
        "cancellation": Ending("cancelled", "cancellation", "error", "error"),
        "expiry": Ending("failure", None, "error", "error"),
    }
)


@dataclass
class Life:
    """One run on a commit of its own."""

    job: Job
    ci_run: WorkflowRun
    ending: str
    has_head: bool

    @property
    def sha(self) -> str:
        """Return its commit."""
        return self.ci_run.sha

    def expected(self) -> dict[str, str]:
        """Return the last state of every status of the commit."""
        ending = ENDINGS[self.ending]
        return {CONTEXT: ending.state, **({ROLL_UP: ending.roll_up} if self.has_head else {})}


class ForgePlace:
    """An organization whose workflow `app/build` comes from the forge's repository, and an attached registration."""

    def __init__(self, folder: Path, clock: SharedClock, database_url: str = "") -> None:
        """Make it all in a folder; without an address the embedded database is used."""
        self.forge = FakeGitHub(clock=clock)
        self.forge.keeps_answers = False
        opened = (OpenedHost(None, ipaddress.ip_network(LOOPBACK)),)
        self.config = ServerConfig(
            data=folder / "data",
            database_url=database_url,
            min_free_bytes=0,
            max_open_runs=0,
            egress_allow=opened,
            public_url=PUBLIC_URL,
        )
        prepare(self.config).engine.dispose()
        self.services = build_services(self.config, World(now=clock))
        self._clock = clock
        self._client = create_app(self.services).test_client()
        self.tenant = make_tenant(self.services, clock, self._client, "acme")  # type: ignore[arg-type]  # a clock
        self._key = Key()
        self._repository = self.forge.repository(REPOSITORY, {CI_FILE: BUILD})
        self.source_id = self._make_source()
        self._register()

    def environment(self) -> dict[str, str]:
        """Return the settings of a dispatcher of the same place."""
        return {
            "CHAINLOOP_DATA": str(self.config.data),
            "CHAINLOOP_DATABASE_URL": self.config.database_url,
            "CHAINLOOP_EGRESS_ALLOW": LOOPBACK,
            "CHAINLOOP_PUBLIC_URL": PUBLIC_URL,
            "CHAINLOOP_MIN_FREE_BYTES": "0",
        }

    def begin(self, ending: str, *, has_head: bool) -> Life:
        """Push a commit, start its CI run, and begin a run of ours in it."""
        sha = self.forge.commit(self._repository, "main", {"number.txt": str(self.forge.next_number())})
        ci_run = self.forge.start_run(self._repository, CI_FILE, sha, "push", branch="main")
        wire: dict[str, Any] = {"serverUrl": self.forge.url, "repository": REPOSITORY, "runId": str(ci_run.id)}
        ci = replace(CI, server_url=self.forge.url, repository=REPOSITORY, run_id=str(ci_run.id), head_sha=sha)
        job = Job(
            self._api("attest", "workflow"),
            self.tenant,
            self._key,
            contract=EMPTY_CONTRACT,
            ci=ci,
            head=replace(HEAD, hash=sha),
        )
        if has_head:
            self._see_head(sha)
        _require(job.begin(ci={**job.ci_of_attempt(1), **wire, "headSha": sha}))
        return Life(job, ci_run, ending, has_head)

    def end(self, life: Life) -> None:
        """End the CI run, and before it the run of ours, unless nobody is left to do so."""
        ending = ENDINGS[life.ending]
        if ending.trigger is not None:
            _require(life.job.end(ending.trigger))
        elif life.ending == "push":
            _require(life.job.push())
        self.forge.finish_run(life.ci_run, ending.conclusion)

    def close(self) -> None:
        """Let go of everything."""
        self.services.transport.close()
        self.services.database.engine.dispose()
        self.forge.close()

    def _api(self, role: str, scope: str = "organization") -> Api:
        return Api(self._client, self.tenant.token(role, scope))

    def _make_source(self) -> str:
        def api(secret: str) -> Api:
            return Api(self._client, secret)

        put_contract(api, self.tenant, EMPTY_CONTRACT)
        register_key(api, self.tenant, self._key)
        body = {"source": f"github:{self.forge.url}/{REPOSITORY}", "ciFile": CI_FILE}
        route = f"/workflows/{self.tenant.workflows[CONTEXT.partition('/')[2]]}/source"
        made = _require(self._api("operate").put(route, json=body))
        number = str(self._repository.id)
        source_id = str(made["sourceId"])
        self.services.sources.confirm(self.tenant.id, source_id, repository_id=number, default_branch="main")
        return source_id

    def _register(self) -> None:
        admin = self._api("admin")
        body = {
            "kind": "github",
            "name": "forge",
            "url": self.forge.url,
            "settings": {"repositories": [REPOSITORY]},
            "credentials": {"token": self.forge.token("robot", scopes=("repo",))},
        }
        _require(admin.post("/registrations", json=body))
        _require(admin.post("/attachments", json={"registration": "forge"}))

    def _see_head(self, sha: str) -> None:
        """Hear of a push, as by a webhook."""
        now, new_id = self._clock(), self.services.world.new_id
        files = {CI_FILE: CiFileTexts(BUILD, BUILD)}
        head = Head(self.source_id, self.tenant.id, sha, "push", "main", now, now, ci_files=files)
        facts = {"sourceId": self.source_id, "sha": sha}
        with self.services.database.write() as connection:
            forge_facts.save_head(connection, head)
            events.add(connection, Event(new_id(), self.tenant.id, EventKind.HEAD_SEEN, now, sha, facts=facts))


def _require(answer: Any) -> Any:
    assert answer.status_code in (200, 201, 204), answer.text
    return answer.json
