"""Kill the dispatcher while it tells a forge that fails: every status is right in the end, and none went back.

A round is one run. Of the forge's answers 30 % are 5xx (a third of them after the work was done) and 10 % 429 with
`Retry-After`. One dispatcher in `ROUNDS_PER_KILL` rounds is killed, and two more while the last runs expire.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from examples.forge.exchange import Exchange
from examples.forge.faults import Faults
from tests.postgresql import find_programs, run_server
from tests.soak.checks import ViolationError, require
from tests.soak.delivery_checks import (
    Left,
    check_rows,
    check_sent,
    check_shown,
    count_held,
    count_steps,
    find_pause,
    list_versions,
    look,
)
from tests.soak.dispatch_process import DispatchProcess
from tests.soak.forge_place import ENDINGS, ForgePlace, Life
from tests.soak.scene import Played
from tests.soak.shared_clock import SharedClock
from tests.waiting import wait_for

SERVER_ERRORS, LOST_ANSWERS, RATE_LIMITED = 0.2, 0.1, 0.1
ROUNDS_PER_KILL = 125
LAST_KILLS = 2
AT_ONCE = 10
"""Runs that are open at a time."""
MAX_LEFT = 120
"""Deliveries that may wait before the next run begins: else the newest verdict replaces all before it unsent."""
HEAD_SHARE = 0.2
"""Commits of which the forge told us: they have the roll-up too."""
LIFE = timedelta(hours=7)
"""Longer than any run lives that nothing is heard of."""
SWEEP = timedelta(seconds=61)
"""Until expired runs are looked for again."""
SWEEP_SECONDS = 6.0
"""So long the machine's time has to go on until a dispatcher looks whether a sweep is due."""
STALL_SECONDS = 90.0
BEGIN_SECONDS = 2.0
"""So long a kill waits for a try."""
TRY_SECONDS = 0.05
"""What a try takes, more or less."""


class DeliveriesScene:
    """A control plane, a forge that fails, and a dispatcher process. What must hold is looked at when it is closed."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        """Set it; without an address on the embedded database."""
        self._clock = SharedClock(folder / "clock")
        self._place = ForgePlace(folder, self._clock, database_url)
        self._dispatcher = DispatchProcess(folder, folder / "clock", self._place.environment())
        self._open: deque[Life] = deque()
        self._lives: list[Life] = []
        self._kill_at = -1
        self._rng = random.Random()
        self.kills = 0
        self.kills_at_work = 0
        """So many of the kills hit a dispatcher that was waiting for the forge."""

    @property
    def log(self) -> Sequence[Exchange]:
        """Return what the forge was asked, and how it failed."""
        return self._place.forge.log

    def play(self, rng: random.Random) -> Played:
        """Begin a run, end an older one, and perhaps kill the dispatcher."""
        self._set_faults(rng)
        number = len(self._lives)
        if number % ROUNDS_PER_KILL == 0:
            self._kill_at = number + rng.randrange(ROUNDS_PER_KILL)
        ending = rng.choice(sorted(ENDINGS))
        life = self._place.begin(ending, has_head=rng.random() < HEAD_SHARE)
        self._lives.append(life)
        self._open.append(life)
        if len(self._open) > AT_ONCE:
            self._place.end(self._open.popleft())
        self._keep_pace()
        return self._kill(rng) if number == self._kill_at else Played("nobody", "none")

    def close(self) -> None:
        """End everything, let time pass, and look at all that was told."""
        try:
            while self._open:
                self._place.end(self._open.popleft())
            self._drain()
            self._check()
        finally:
            self._dispatcher.stop()
            self._place.close()

    def _set_faults(self, rng: random.Random) -> None:
        if not self._lives:
            self._rng = random.Random(rng.random())
            self._place.forge.faults = Faults(
                seed=rng.getrandbits(32),
                server_error=SERVER_ERRORS,
                lost_answer=LOST_ANSWERS,
                rate_limited=RATE_LIMITED,
            )

    def _kill(self, rng: random.Random) -> Played:
        """Kill the dispatcher when it has begun a try or at some moment after that, and start the next."""
        end = time.monotonic() + BEGIN_SECONDS
        while time.monotonic() < end and not self._is_at_work():
            self._skip(self._look())
        time.sleep(rng.choice((0.0, rng.random() * TRY_SECONDS)))
        dead = self._dispatcher.holder
        self._dispatcher.kill()
        with self._place.services.database.read() as connection:
            held = count_held(connection, dead)
        self.kills += 1
        self.kills_at_work += bool(held)
        return Played("dispatcher", "at work" if held else "idle")

    def _keep_pace(self) -> None:
        """Go on only when the dispatcher has nearly caught up; skip the time in which it waits."""
        wait_for(self._has_caught_up, "the dispatcher catches up", seconds=STALL_SECONDS, error=ViolationError)

    def _has_caught_up(self) -> bool:
        left = self._look()
        while left.news + left.pending > MAX_LEFT and self._skip(left):
            left = self._look()
        return left.news + left.pending <= MAX_LEFT

    def _drain(self) -> None:
        """Let time pass until there is nothing left to do."""
        kills, steps, moved_at = LAST_KILLS, (0, 0), time.monotonic()
        next_sweep = moved_at
        self._clock.advance(LIFE)
        while not (left := self._look()).is_nothing:
            now, before = time.monotonic(), steps
            steps = self._count_steps()
            moved_at = now if steps != before else moved_at
            require(now - moved_at < STALL_SECONDS, f"the dispatcher stands still: {left}")
            if kills and (left.news or left.pending):
                kills -= 1
                self._kill(self._rng)
            elif not self._skip(left):
                if left.open_runs and not (left.news or left.pending) and now > next_sweep:
                    self._clock.advance(SWEEP)
                    next_sweep = now + SWEEP_SECONDS
                time.sleep(0.05)

    def _skip(self, left: Left) -> bool:
        pause = find_pause(left, self._clock())
        if pause is not None:
            self._clock.advance(pause)
        return pause is not None

    def _look(self) -> Left:
        with self._place.services.database.read() as connection:
            return look(connection, self._dispatcher.holder)

    def _is_at_work(self) -> bool:
        with self._place.services.database.read() as connection:
            return count_held(connection, self._dispatcher.holder) > 0

    def _count_steps(self) -> tuple[int, int]:
        with self._place.services.database.read() as connection:
            return count_steps(connection)

    def _check(self) -> None:
        with self._place.services.database.read() as connection:
            check_rows(connection)
            versions = list_versions(connection)
        check_sent(versions, self._place.forge.log)
        check_shown(self._lives, self._shown)

    def _shown(self, sha: str) -> Mapping[str, str]:
        # Oldest first: the last one of a context counts.
        return {status.context: status.state for status in self._place.forge.statuses(sha)}


class PostgresqlDeliveriesScene:
    """The same on a PostgreSQL server of its own."""

    def __init__(self, folder: Path) -> None:
        """Start the server, and set the scene."""
        programs = find_programs()
        if programs is None:
            raise ViolationError("PostgreSQL's server is not installed here (.ci/run installs it)")
        with ExitStack() as stack:
            server = stack.enter_context(run_server(programs))
            self._scene = DeliveriesScene(folder, server.url(server.create()))
            self._stack = stack.pop_all()

    def play(self, rng: random.Random) -> Played:
        """Play one round."""
        return self._scene.play(rng)

    def close(self) -> None:
        """Look at the whole, and stop what was started."""
        with self._stack:
            self._scene.close()
