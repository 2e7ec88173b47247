"""Jobs that are killed between `init` and `push`: the real command line, server and dispatcher, and what a forge shows.

The forge's signed webhook ends the run within seconds, expiry without it; a shared state ends with the CI run alone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.demo.control_plane import ControlPlane
from tests.integration.forge_jobs import ForgeJobs, GitHubJobs, GitLabJobs
from tests.integration.live import PROJECT, Job, Tenant
from tests.soak.dispatch_process import DispatchProcess
from tests.soak.shared_clock import SharedClock

CONTEXT, ROLL_UP = "chainloop/app/build", "chainloop/compliance"
EGRESS = {"CHAINLOOP_EGRESS_ALLOW": "127.0.0.0/8"}
DEADLINE_SECONDS = 60
LARGE_BYTES = 1 << 30
"""Of a file whose upload outlives the job."""
LIFE = timedelta(hours=7)
"""Longer than a run lives that nothing is heard of."""


def wait_for(what: Callable[[], Any], said: str) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + DEADLINE_SECONDS, said
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class Scene:
    """A control plane, a forge that is connected with it, and a job that attests a pull request."""

    folder: Path
    plane: ControlPlane
    jobs: ForgeJobs
    job: Job

    def begin(self, *words: str) -> Mapping[str, str]:
        """Open a pull request, start its CI run, and begin an attestation in its job; return the job's environment."""
        self.jobs.propose()
        env = self.jobs.start(self.folder)
        self.expect(CONTEXT, self.jobs.pending, "waiting for an attestation")
        begun = self.job.chainloop("attestation", "init", *words, "-o", "json", env=env)
        assert begun.status == 0, begun
        handle = begun.document.get("sealedHandle")
        self.expect(CONTEXT, self.jobs.pending, self.jobs.begun_together if handle else self.jobs.begun)
        shared = {"CHAINLOOP_ATTESTATION_ID": begun.document["attestationID"], "CHAINLOOP_SEALED_HANDLE": handle}
        return {**env, **(shared if handle else {})}

    def kill_while_adding(self, env: Mapping[str, str]) -> None:
        """Kill the job (-9) while it uploads."""
        large = self.folder / "binary"
        with large.open("wb") as file:
            file.truncate(LARGE_BYTES)
        adding = self.job.chainloop.start("attestation", "add", "--name", "binary", "--value", "binary", env=env)
        opened = Path(f"/proc/{adding.pid}/fd")
        wait_for(lambda: adding.poll() is not None or _has_open(opened, large), "the job uploads")
        adding.send_signal(signal.SIGKILL)
        said = adding.communicate(timeout=DEADLINE_SECONDS)
        assert adding.returncode == -signal.SIGKILL, said

    def run(self) -> tuple[str, str]:
        """Return state and reason of the run."""
        [run] = self.job.runs()
        return run["state"], run.get("reason", "")

    def expect(self, context: str, state: str, words: str) -> float:
        """Wait until the forge shows it; return how many seconds that took."""

        def is_shown() -> bool:
            found, description = self.jobs.shown(context)
            return found == state and words in description

        try:
            return wait_for(is_shown, "")
        except AssertionError:
            found = self.jobs.shown(context)
            raise AssertionError(f"expected {(state, words)} of {context}, found {found}") from None

    def outcome(self, delivery_id: str) -> str:
        """Return what became of a webhook."""
        items = self.job.tenant.call("GET", "/inbound-webhooks")["items"]
        return next((item["outcome"] for item in items if item.get("deliveryId") == delivery_id), "")


def _has_open(folder: Path, path: Path) -> bool:
    try:
        return any(link.readlink() == path for link in folder.iterdir())
    except OSError:
        # It has just closed one, or ended.
        return False


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    (tmp_path / "data").mkdir(mode=0o700)
    running = ControlPlane(PROJECT, tmp_path / "data", EGRESS)
    running.wait()
    yield running
    running.stop()


@pytest.fixture(params=["github", "gitlab"])
def scene(request: pytest.FixtureRequest, plane: ControlPlane, tmp_path: Path) -> Scene:
    forge = request.getfixturevalue(f"fake_{request.param}")
    jobs = (GitHubJobs if request.param == "github" else GitLabJobs)(forge)
    tenant = Tenant(plane.url, plane.token_file.read_text().strip(), tmp_path)
    job = tenant.job(project="app")
    jobs.connect(tenant, job.workflow_id)
    wait_for(jobs.has_hook, "the repository gets its webhook")
    forge.outbox.send_in_background()
    return Scene(tmp_path, plane, jobs, job)


def test_a_killed_job_s_run_ends_within_seconds_of_the_forge_s_webhook(scene: Scene) -> None:
    env = scene.begin()
    scene.kill_while_adding(env)
    assert scene.run() == ("initialized", "")

    scene.jobs.cancel_job()

    took = scene.expect(CONTEXT, scene.jobs.canceled, "the CI job was cancelled before an attestation was pushed")
    print(f"{scene.jobs.kind}: from the end of the job to its final status {took:.2f} s")
    assert scene.run() == ("canceled", "the CI job was cancelled before an attestation was pushed")
    assert scene.jobs.shown(ROLL_UP)[0] not in ("success", "")


def test_a_killed_job_s_run_ends_by_expiry_when_no_webhook_comes(scene: Scene) -> None:
    env = scene.begin()
    scene.kill_while_adding(env)
    scene.jobs.lose_webhooks()
    scene.jobs.cancel_run()
    scene.plane.stop()
    clock = SharedClock(scene.folder / "clock")
    clock.advance(LIFE)
    settings = {**EGRESS, "CHAINLOOP_DATA": str(scene.folder / "data"), "CHAINLOOP_PUBLIC_URL": scene.plane.url}

    dispatcher = DispatchProcess(scene.folder, scene.folder / "clock", settings)
    try:
        took = scene.expect(CONTEXT, scene.jobs.overdue, "no push within 6 h")
    finally:
        dispatcher.stop()

    print(f"{scene.jobs.kind}: from the start of a dispatcher after {LIFE} to the final status {took:.2f} s")


def test_r46_a_shared_state_outlives_the_job_that_was_killed_and_ends_with_its_ci_run(scene: Scene) -> None:
    env = scene.begin("--remote-state")
    scene.kill_while_adding(env)

    scene.jobs.cancel_job()
    wait_for(scene.jobs.told_of_ended_job, "the forge tells of the end of the job")
    told = scene.jobs.told_of_ended_job() or ""
    wait_for(lambda: scene.outcome(told) == "handled", "the webhook is handled")

    assert scene.run() == ("initialized", "")
    assert scene.jobs.shown(CONTEXT)[0] == scene.jobs.pending
    scene.jobs.cancel_run()
    took = scene.expect(CONTEXT, scene.jobs.canceled, "the CI run was cancelled before an attestation was pushed")
    print(f"{scene.jobs.kind}: from the end of the CI run to the final status {took:.2f} s")
    assert scene.run()[0] == "canceled"
