"""Kill our programs again and again: `python -m tests.soak [KIND …] [--rounds N] [--seed S]`.

Progress goes to standard error, one JSON summary to standard output. Ends with 1 when something that must hold did not;
then the folder of that scene stays. The same seed chooses the same victims and moments; what they meet differs.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tests.soak.checks import ViolationError
from tests.soak.cli import CliScene
from tests.soak.deliveries import DeliveriesScene, PostgresqlDeliveriesScene
from tests.soak.dispatcher import DispatcherScene
from tests.soak.moments import can_watch_calls
from tests.soak.power import PowerScene
from tests.soak.scene import Scene
from tests.soak.server import ServerScene
from tests.soak.shared import SharedScene

SCENES: dict[str, Callable[[Path], Scene]] = {
    "cli": CliScene,
    "server": ServerScene,
    "dispatcher": DispatcherScene,
    "power": PowerScene,
    "shared": SharedScene,
    "deliveries": DeliveriesScene,
    "deliveries-postgresql": PostgresqlDeliveriesScene,
}
ROUNDS_OF_A_SCENE = 50
"""Then another one is set: a young data folder has other files than an old one, and the disk is finite."""
LONG_SCENES = {"deliveries": 10_000, "deliveries-postgresql": 10_000}
"""Kinds whose rounds are looked at together, and how many they are at most."""
PROGRESS_ROUNDS = 10


@dataclass
class Tally:
    """What came of all rounds of one kind."""

    kind: str
    rounds: int = 0
    victims: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "kind": self.kind,
            "rounds": self.rounds,
            "victims": dict(self.victims),
            "kills": dict(self.kills),
            "seconds": round(self.seconds),
            "violations": self.violations,
        }


def main(arguments: Sequence[str]) -> int:
    """Play all rounds and return the exit status."""
    options = _options(arguments)
    unknown = sorted(set(options.kinds) - set(SCENES))
    if unknown:
        _say(f"no such kind: {', '.join(unknown)}; there are: {', '.join(SCENES)}")
        return 2
    _say(f"soak: seed {options.seed}, {'with' if can_watch_calls() else 'without'} kills at calls (strace)")
    tallies = [soak(kind, options.rounds, options.seed) for kind in options.kinds or SCENES]
    print(json.dumps({"seed": options.seed, "kinds": [tally.document() for tally in tallies]}, indent=2))
    return 1 if any(tally.violations for tally in tallies) else 0


def soak(kind: str, rounds: int, seed: int) -> Tally:
    """Play so many rounds of one kind."""
    tally, began, first = Tally(kind), time.monotonic(), 0
    while first < rounds:
        last = min(first + LONG_SCENES.get(kind, ROUNDS_OF_A_SCENE), rounds)
        folder = Path(tempfile.mkdtemp(prefix=f"soak-{kind}-"))
        violations = len(tally.violations)
        first = _play_scene(tally, SCENES[kind], folder, range(first, last), seed)
        if len(tally.violations) == violations:
            shutil.rmtree(folder)
        else:
            _say(f"{kind}: VIOLATION: {'; '.join(tally.violations[violations:])}\n  see {folder}")
    tally.seconds = time.monotonic() - began
    return tally


def _play_scene(tally: Tally, open_scene: Callable[[Path], Scene], folder: Path, numbers: range, seed: int) -> int:
    """Play rounds in one scene until one is violated, and return the number of the next."""
    number = numbers.start
    scene: Scene | None = None
    try:
        scene = open_scene(folder)
        for number in numbers:
            tally.rounds += 1
            played = scene.play(random.Random(f"{seed}/{tally.kind}/{number}"))
            tally.victims[played.victim] += 1
            tally.kills[played.how] += 1
            if tally.rounds % PROGRESS_ROUNDS == 0:
                _say(f"{tally.kind}: {tally.rounds} rounds, kills {dict(tally.kills)}")
    except (ViolationError, AssertionError) as error:
        tally.violations.append(f"round {number}: {error}")
    finally:
        if scene:
            _close(tally, scene, f"after round {number}")
    return number + 1


def _close(tally: Tally, scene: Scene, when: str) -> None:
    try:
        scene.close()
    except (ViolationError, AssertionError) as error:
        # An assertion is a client's: it got an answer that must not be.
        tally.violations.append(f"{when}: {error}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(SCENES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=1000, help="rounds of each kind (default: 1000)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(2**32), help="chooses victims and moments; printed"
    )
    return parser.parse_args(arguments)


def _quieten() -> None:
    """Leave standard output to the summary: what a server within this process has to say goes to standard error."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    _quieten()
    # As Ctrl-C does: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
