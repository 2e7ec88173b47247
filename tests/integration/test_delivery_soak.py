"""A thousand runs, a forge that fails, a dispatcher that is killed ten times: every status is right in the end.

`python -m tests.soak deliveries --rounds 10000` is the long form.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from tests.soak.deliveries import LAST_KILLS, ROUNDS_PER_KILL, DeliveriesScene

RUNS = 1000
KILLS = RUNS // ROUNDS_PER_KILL + LAST_KILLS


def test_every_status_is_right_after_a_forge_that_fails_and_ten_killed_dispatchers(
    tmp_path: Path, database_url: str
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    scene = DeliveriesScene(tmp_path, database_url)
    try:
        for number in range(RUNS):
            scene.play(random.Random(f"{seed}/deliveries/{number}"))
    finally:
        # What must hold is looked at here, when everything has been told.
        scene.close()

    faults = Counter(seen.fault for seen in scene.log)
    assert scene.kills == KILLS >= 10
    # Half of them come at once when it is seen at work.
    assert scene.kills_at_work >= 1
    assert 0.25 < (faults["server_error"] + faults["lost_answer"]) / len(scene.log) < 0.35
    assert 0.05 < faults["rate_limited"] / len(scene.log) < 0.15
