"""A control plane whose processes are killed one by one, or all at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.demo.control_plane import ControlPlane, free_port
from examples.demo.terminal import DemoError
from tests import waiting
from tests.integration.live import PROJECT
from tests.soak.checks import ViolationError

DEADLINE_SECONDS = 120


@dataclass(frozen=True)
class Member:
    """A process, told from a later one with the same number by its start."""

    pid: int
    parent: int
    started: int
    state: str

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        now = _look_at(self.pid)
        return now is not None and now.started == self.started and now.state not in "ZX"


class Plane:
    """`python -m server serve` on a port that stays the same over its deaths."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self._settings = {"PYTHONDONTWRITEBYTECODE": "1", **(settings or {})}
        self._port = free_port()
        self._process = self._start()
        self._wait()

    @property
    def url(self) -> str:
        """Return where it answers."""
        return self._process.url

    @property
    def token(self) -> str:
        """Return the first administrator's token."""
        return self._process.token_file.read_text().strip()

    @property
    def master(self) -> int:
        """Return the number of the process that holds the rest."""
        return self._process.process_id

    def members(self) -> list[Member]:
        """Return all its processes, the master first."""
        return list_family(self.master)

    def workers(self) -> list[Member]:
        """Return the processes that answer requests."""
        companion = self.dispatcher()
        direct = [member for member in self.members() if member.parent == self.master]
        return [member for member in direct if companion is None or member.pid != companion.pid]

    def dispatcher(self) -> Member | None:
        """Return the dispatcher, once it has said that it is there."""
        log = self._process.log.read_text(errors="replace")
        said = {line for line in log.splitlines() if "dispatcher-started" in line}
        for member in self.members():
            if member.parent == self.master and any(f'"pid": {member.pid},' in f"{line}," for line in said):
                return member
        return None

    def restart(self) -> None:
        """Start it anew at once after its master was killed.

        Raises:
            ViolationError: it does not start.
        """
        self._process.stop()
        self._process = self._start()
        self._wait()

    def stop(self) -> None:
        """Stop it gracefully."""
        self._process.stop()

    def _start(self) -> ControlPlane:
        return ControlPlane(PROJECT, self.data, self._settings, port=self._port)

    def _wait(self) -> None:
        """Wait until it answers by itself: orphans of the one before may answer on the same port for a while."""
        try:
            wait_for(lambda: self.workers() or not self._is_alive(), "serve starts its workers")
            self._process.wait()
        except DemoError as error:
            raise ViolationError(f"serve does not start: {error}") from error
        if not self._is_alive():
            raise ViolationError(f"serve does not start: {self._process.log.read_text(errors='replace')[-2000:]}")

    def _is_alive(self) -> bool:
        family = self.members()
        return bool(family) and family[0].is_alive()


def wait_for(condition: Callable[[], object], what: str, *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until something holds.

    Raises:
        ViolationError: it did not in time.
    """
    waiting.wait_for(condition, what, seconds=seconds, error=ViolationError)


def list_family(pid: int) -> list[Member]:
    """Return a process and all that descend from it."""
    there = {member.pid: member for member in map(_look_at, _list_pids()) if member}
    family = [there[pid]] if pid in there else []
    for member in family:
        family += [child for child in there.values() if child.parent == member.pid]
    return family


def send(members: list[Member], number: signal.Signals) -> None:
    """Send a signal to each that still runs."""
    for member in members:
        if member.is_alive():
            try:
                os.kill(member.pid, number)
            except ProcessLookupError:
                continue


def _list_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _look_at(pid: int) -> Member | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # proc(5): the name, in parentheses, may hold anything.
    fields = text[text.rindex(")") + 2 :].split()
    return Member(pid, int(fields[1]), int(fields[19]), fields[0])
