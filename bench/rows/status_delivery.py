"""A run that ends until its commit's status stands at the forge, against a loop that POSTs statuses to the same forge.

The forge answers at once; another target, a webhook that is told of the same runs, never does. One run after the
other; the clock stops when the forge has the status, on both sides. Goal: a p99 of at most 1.5 times that of the loop
and 100 ms, so the baseline of the row is that sum.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from bench.anchors.hanging import Hanging, hanging_receiver
from bench.harness import Pairs, Result, Row, Settings, attempt, in_turn, percentile, row
from bench.load import Client, request_bytes
from bench.plane import CONTRACT, Plane, control_plane
from chainloop_ci.api.limits import HANDLE_HEADER
from chainloop_ci.digests import sha256_digest
from examples.forge.exchange import Exchange
from examples.forge.github import FakeGitHub
from examples.forge.github.world import Repository

EACH = 25
ROUNDS = 8
CI_FILE = ".github/workflows/ci.yml"
NAME = "octo-org/app"
ALLOWANCE_MS, FACTOR = 100.0, 1.5
DEADLINE_SECONDS = 60.0
SETTINGS = {"CHAINLOOP_EGRESS_ALLOW": "127.0.0.0/8"}


@dataclass
class Arrivals:
    """When the forge took which status."""

    at: dict[tuple[str, str], float] = field(default_factory=dict)
    """By commit and state."""
    news: threading.Condition = field(default_factory=threading.Condition)

    def note(self, seen: Exchange) -> None:
        """Note one exchange of the forge."""
        if seen.method == "POST" and "/statuses/" in seen.path and seen.answer.status == 201:
            place = (seen.path.rpartition("/")[2], seen.sent["state"])
            with self.news:
                self.at.setdefault(place, time.perf_counter())
                self.news.notify_all()

    def wait(self, sha: str, state: str) -> float:
        """Return when a status came.

        Raises:
            RuntimeError: it did not.
        """
        with self.news:
            if not self.news.wait_for(lambda: (sha, state) in self.at, DEADLINE_SECONDS):
                raise RuntimeError(f"the status {state} of {sha} did not come in {DEADLINE_SECONDS:g} s")
            return self.at[sha, state]


@dataclass(frozen=True)
class Scene:
    """A control plane, a forge and what arrives there."""

    plane: Plane
    forge: FakeGitHub
    repository: Repository
    arrivals: Arrivals
    token: str

    def commit(self) -> str:
        """Push a commit and return its id."""
        return self.forge.commit(self.repository, "main", {"number.txt": str(self.forge.next_number())})


def run(settings: Settings) -> Iterator[Result]:
    """Return the row."""
    yield from attempt("status-delivery-p99", lambda: [_measure(settings)])


def _measure(settings: Settings) -> Row:
    pairs, arrivals = Pairs(), Arrivals()
    with (
        FakeGitHub(observe=arrivals.note) as forge,
        hanging_receiver() as other,
        control_plane(settings=SETTINGS) as plane,
    ):
        forge.keeps_answers = False
        repository = forge.repository(NAME, {CI_FILE: "on: push\njobs: {}\n"})
        scene = Scene(plane, forge, repository, arrivals, forge.token("robot"))
        _register(scene, other)
        for number in range(1 + settings.rounds(ROUNDS)):
            ours, bare = in_turn(number, partial(_end_runs, scene), partial(_post_statuses, scene))
            if number:
                pairs.add(percentile(ours, 99), FACTOR * percentile(bare, 99) + ALLOWANCE_MS)
        if not other.hung:
            raise RuntimeError("the other target was told nothing: it held up nobody")
    what = f"run ended → status at the forge, another target hung, p99 / {FACTOR:g} × a POST loop + {ALLOWANCE_MS:g} ms"
    return row("status-delivery-p99", what, 1.0, pairs)


def _register(scene: Scene, other: Hanging) -> None:
    """Bind the workflow to the repository, and let the forge and the other target be told."""
    call, secret = scene.plane.call, "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    forge = {"kind": "github", "name": "forge", "url": scene.forge.url, "settings": {"repositories": [NAME]}}
    hook = {"kind": "webhook", "name": "other", "url": f"{other.url}/hook"}
    call("POST", "/registrations", {**forge, "credentials": {"token": scene.token}}, scene.plane.admin_token)
    call("POST", "/registrations", {**hook, "credentials": {"secret": secret}}, scene.plane.admin_token)
    call("POST", "/attachments", {"registration": "forge"}, scene.plane.admin_token)
    call("POST", "/attachments", {"registration": "other", "events": ["run.*"]}, scene.plane.admin_token)
    source = {"source": f"github:{scene.forge.url}/{NAME}", "ciFile": CI_FILE}
    call("PUT", f"/workflows/{scene.plane.workflow_id}/source", source)
    other.hangs = True


def _end_runs(scene: Scene) -> list[float]:
    """Return how many milliseconds after its end each run's status was at the forge."""
    with closing(Client(scene.plane.port)) as client:
        return [_end_one(scene, client) for _ in range(EACH)]


def _end_one(scene: Scene, client: Client) -> float:
    sha, run_id, handle = scene.commit(), str(uuid.uuid4()), secrets.token_hex(16)
    ci_run = scene.forge.start_run(scene.repository, CI_FILE, sha, branch="main")
    ci = {"provider": "github", "serverUrl": scene.forge.url, "repository": NAME, "runId": str(ci_run.id)}
    body = {
        "workflowId": scene.plane.workflow_id,
        "contractRevision": 1,
        "contractDigest": sha256_digest(CONTRACT.encode()),
        "runnerType": "GITHUB_ACTION",
        "handleSha256": hashlib.sha256(handle.encode()).hexdigest(),
        "ci": {**ci, "runAttempt": 1, "job": "attest", "event": "push", "ref": "refs/heads/main", "headSha": sha},
    }
    headers = {"Authorization": f"Bearer {scene.plane.attest_token}", "Content-Type": "application/json"}
    path = f"/api/v1/workflow-runs/{run_id}"
    _require(client.send(request_bytes("PUT", path, headers, json.dumps(body).encode())))
    scene.arrivals.wait(sha, "pending")
    scene.forge.finish_run(ci_run, "failure")
    end = request_bytes("POST", f"{path}/cancel", {**headers, HANDLE_HEADER: handle}, b'{"trigger": "failure"}')
    _require(client.send(end))
    ended = time.perf_counter()
    return 1000 * max(scene.arrivals.wait(sha, "error") - ended, 0.0)


def _post_statuses(scene: Scene) -> list[float]:
    """Return how many milliseconds each POST took until the forge had it."""
    headers = {"Authorization": f"token {scene.token}", "Content-Type": "application/json"}
    status = {"state": "error", "context": "bench", "description": "the job failed before its attestation was stored"}
    body = json.dumps({**status, "target_url": f"{scene.plane.url}/verdicts/{uuid.uuid4()}"}).encode()
    found = []
    with closing(Client(urlsplit(scene.forge.url).port or 0)) as client:
        for _ in range(EACH):
            sha = scene.commit()
            raw = request_bytes("POST", f"{scene.forge.api_path}/repos/{NAME}/statuses/{sha}", headers, body)
            began = time.perf_counter()
            _require(client.send(raw))
            found.append(1000 * (scene.arrivals.wait(sha, "error") - began))
    return found


def _require(answer: tuple[int, bytes]) -> None:
    if answer[0] not in (200, 201, 204):
        raise RuntimeError(f"{answer[0]} {answer[1].decode(errors='replace')}")
