"""A whole step with five materials, against a bare script that sends the same requests; round trips are counted.

The step is init, five adds and push as processes of their own. The one process that the goal (at most 2 times) is for
does not exist yet, so only the round trips are held to a goal: at most 8.
"""

from __future__ import annotations

import re

from bench.files import write_random
from bench.harness import Pairs, Row, Settings, Skipped, row
from bench.plane import control_plane

MATERIALS = 5
MOST_ROUND_TRIPS = 8.0

_ANSWERED = re.compile(r"^DBG answered ", re.MULTILINE)


def run(settings: Settings) -> list[Row | Skipped]:
    """Return the rows."""
    pairs = Pairs()
    with control_plane() as plane:
        chainloop = plane.program("job")
        file = write_random(chainloop.folder / "file.bin", 100_000)
        steps: list[tuple[str, ...]] = [("init", "--project", "bench", "--workflow", "build", "--replace")]
        steps += [("add", "--name", f"m-{number}", "--value", str(file)) for number in range(MATERIALS)]
        steps += [("push",)]
        for _ in range(settings.rounds(1)):
            said = [chainloop.said("attestation", *step, "--debug") for step in steps]
            pairs.add(float(sum(len(_ANSWERED.findall(text)) for text in said)), MOST_ROUND_TRIPS)
    reason = "the step as one process is not there yet; as seven processes its time is that of their starts"
    return [
        row(
            "step-round-trips",
            f"round trips of a step with {MATERIALS} materials / {MOST_ROUND_TRIPS:g}",
            1.0,
            pairs,
            "",
        ),
        Skipped("step", reason),
    ]
