"""A few rounds of the soak (`make crashes` plays a thousand): whatever is killed, nothing is lost and nothing torn."""

import random

import pytest

from tests.soak.__main__ import soak
from tests.soak.cli import CliScene
from tests.soak.moments import Moment
from tests.soak.server import ServerScene


@pytest.fixture
def chance():
    """Return what chooses victims and moments; its seed is shown when the test fails."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.real("strace")
def test_a_killed_command_is_completed_by_the_same_command(tmp_path, chance):
    scene = CliScene(tmp_path)
    try:
        scene.play(chance)
        scene.play(chance)

        # After its last answer it tells the result and forgets the attestation.
        names = [call.name for call in scene.spans["push"].calls]
        forgetting = scene.spans["push"].calls[len(names) - names[::-1].index("recvfrom") :]
        for call in [call for call in forgetting if call.name in ("rename", "unlink")][1:4]:
            assert scene.kill("push", Moment(call=call)).how == "call"
    finally:
        scene.close()


def test_a_server_loses_nothing_when_its_processes_are_killed_in_the_middle_of_uploads(tmp_path, chance):
    scene = ServerScene(tmp_path)
    try:
        for victim in ("worker", "master", "all"):
            scene.kill(victim, chance)
    finally:
        scene.close()


@pytest.mark.parametrize(("kind", "rounds"), [("dispatcher", 1), ("power", 2), ("shared", 2)])
def test_a_killed_sweep_a_power_cut_and_a_killed_add_lose_nothing(kind, rounds, chance):
    tally = soak(kind, rounds, chance.randrange(2**32))

    assert not tally.violations
