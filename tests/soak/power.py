"""Stop a server under load at one instant, copy what lies on its disk then, and open the copy.

Everything stands still while it is copied, so the copy is what a crash of the machine leaves, as far as the disk keeps
its word about what it was told to keep (fsync).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from tests.integration.live import Tenant
from tests.soak.checks import DATABASE, BlobFiles, Ledger, check_acknowledged, check_data
from tests.soak.clients import open_site, working
from tests.soak.plane import Plane, send, wait_for
from tests.soak.scene import Played

THREADS = 3
MAX_SECONDS = 0.5


class PowerScene:
    """One control plane with clients that never stop."""

    def __init__(self, folder: Path) -> None:
        self._copy = folder / "copy"
        self._plane = Plane(folder)
        self._blobs = BlobFiles()
        self._seen = Ledger()
        self._exit = ExitStack()
        site = open_site(Tenant(self._plane.url, self._plane.token, folder))
        self._exit.enter_context(working(site, self._seen, threads=THREADS))

    def play(self, rng: random.Random) -> Played:
        """Copy one instant, and require that all that was acknowledged before is in it."""
        count = len(self._seen.bundles)
        wait_for(lambda: len(self._seen.bundles) > count, "jobs go on")
        time.sleep(rng.uniform(0, MAX_SECONDS))
        seen = self._seen.copy()
        try:
            wait_for(self._stands_still, "all stand still")
            copy_data(self._plane.data, self._copy)
        finally:
            send(self._plane.members(), signal.SIGCONT)
        check_acknowledged(self._copy, seen)
        self._blobs.check(self._copy)
        check_data(self._copy)
        shutil.rmtree(self._copy)
        return Played("machine", "clock")

    def _stands_still(self) -> bool:
        # Asked again each time: a process may have made another before it was stopped.
        moving = [member for member in self._plane.members() if member.state not in "TZX"]
        send(moving, signal.SIGSTOP)
        return not moving

    def close(self) -> None:
        """Let the jobs end, and look at the original as well."""
        try:
            self._exit.close()
        finally:
            self._plane.stop()
        check_acknowledged(self._plane.data, self._seen)
        check_data(self._plane.data)


def copy_data(data: Path, copy: Path) -> None:
    """Copy database and blobs of a server that stands still."""
    copy.mkdir(mode=0o700)
    for name in (DATABASE, f"{DATABASE}-wal"):
        if (data / name).exists():
            shutil.copyfile(data / name, copy / name)
    # A blob is never written again: a second name is as good as a copy. What is being written is copied.
    shutil.copytree(data / "blobs", copy / "blobs", copy_function=_take)


def _take(source: str, target: str) -> None:
    if Path(source).parent.name == "incoming":
        shutil.copyfile(source, target)
    else:
        os.link(source, target)
