"""Kill workers, the master, the dispatcher, or all at once, under load: nothing acknowledged is lost or torn."""

from __future__ import annotations

import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from tests.integration.live import Tenant
from tests.soak.ageing import age_leftovers, sweep
from tests.soak.checks import BlobFiles, Ledger, check_acknowledged, check_data, check_nothing_found, require
from tests.soak.clients import half_upload, open_site, working
from tests.soak.moments import Call, can_watch_calls, kill_at_call
from tests.soak.plane import Member, Plane, send, wait_for
from tests.soak.scene import Played

VICTIMS = ("worker", "master", "dispatcher", "all")
WEIGHTS = (50, 20, 15, 15)
THREADS = 3
WORKERS = 2
SETTINGS = {
    "CHAINLOOP_WORKERS": str(WORKERS),
    # Nothing may live on because it waits for a client.
    "CHAINLOOP_SHUTDOWN_SECONDS": "3600",
}
MAX_SECONDS = 0.6
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "mkdir", "sendto", "recvfrom")
"""What a request does to files, and to its client."""
MAX_CALL = 4
"""Of one thread."""
WATCH_SECONDS = 5.0
MAX_DISPATCHERS = 2
"""A master waits longer each time before it starts another dispatcher."""


class ServerScene:
    """One control plane with clients that never stop."""

    def __init__(self, folder: Path) -> None:
        self._plane = Plane(folder, SETTINGS)
        self._blobs = BlobFiles()
        self._seen = Ledger()
        self._dispatchers_killed = 0
        self._exit = ExitStack()
        self._site = open_site(Tenant(self._plane.url, self._plane.token, folder))
        self._exit.enter_context(working(self._site, self._seen, threads=THREADS))

    def play(self, rng: random.Random) -> Played:
        """Kill one, and look at what is left."""
        victim = rng.choices(VICTIMS, WEIGHTS)[0]
        if victim == "dispatcher" and self._dispatchers_killed == MAX_DISPATCHERS:
            victim = "worker"
        return self.kill(victim, rng)

    def kill(self, victim: str, rng: random.Random) -> Played:
        """Kill one that somebody named, in the middle of an upload, and look at what is left."""
        count = len(self._seen.bundles)
        with half_upload(self._site):
            how = self._kill(victim, rng)
        wait_for(lambda: len(self._seen.bundles) > count, f"after the {victim} was killed, jobs go on")
        seen = self._seen.copy()
        check_acknowledged(self._plane.data, seen)
        self._blobs.check(self._plane.data)
        check_data(self._plane.data)
        return Played(victim, how)

    def close(self) -> None:
        """Let the jobs end, sweep what dead processes left, and look at the whole."""
        try:
            self._exit.close()
        finally:
            self._plane.stop()
        age_leftovers(self._plane.data)
        sweep(self._plane.data)
        check_acknowledged(self._plane.data, self._seen)
        left = list((self._plane.data / "blobs" / "incoming").iterdir())
        require(not left, f"{len(left)} unfinished uploads were not swept")
        check_nothing_found(self._plane.data)

    def _kill(self, victim: str, rng: random.Random) -> str:
        time.sleep(rng.uniform(0, MAX_SECONDS))
        before = self._plane.members()
        if victim == "worker":
            return self._kill_worker(rng)
        if victim == "dispatcher":
            self._kill_dispatcher()
            return "clock"
        send(before if victim == "all" else before[:1], signal.SIGKILL)
        self._plane.restart()
        self._dispatchers_killed = 0
        wait_for(lambda: not any(member.is_alive() for member in before), "orphaned processes end")
        return "clock"

    def _kill_worker(self, rng: random.Random) -> str:
        wait_for(lambda: len(self._plane.workers()) >= WORKERS, "all workers are there")
        worker = rng.choice(self._plane.workers())
        how = "clock"
        if can_watch_calls() and rng.random() < 0.5:
            call = Call(rng.choice(CALLS), rng.randint(1, MAX_CALL))
            kill_at_call(worker.pid, call, seconds=WATCH_SECONDS).wait()
            how = "clock" if worker.is_alive() else "call"
        send([worker], signal.SIGKILL)
        wait_for(lambda: self._has_others(worker), "a worker takes the place of the dead one")
        return how

    def _kill_dispatcher(self) -> None:
        wait_for(self._plane.dispatcher, "the dispatcher is there")
        dispatcher = self._plane.dispatcher()
        if dispatcher is None:
            return
        send([dispatcher], signal.SIGKILL)
        self._dispatchers_killed += 1
        wait_for(lambda: self._is_replaced(dispatcher), "a dispatcher takes the place of the dead one")

    def _is_replaced(self, dead: Member) -> bool:
        there = self._plane.dispatcher()
        return there is not None and there.pid != dead.pid

    def _has_others(self, dead: Member) -> bool:
        workers = self._plane.workers()
        return len(workers) >= WORKERS and all(worker.pid != dead.pid for worker in workers)
