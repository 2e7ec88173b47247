"""A few rounds of the soak (`make soak` plays a thousand): what is killed at any moment loses and tears nothing."""

import random

import pytest

from tests.soak.__main__ import soak
from tests.soak.cli import CliScene
from tests.soak.moments import Moment
from tests.soak.server import ServerScene

ROUNDS = {"cli": 3, "server": 3, "dispatcher": 1, "power": 2}


@pytest.mark.parametrize("kind", ROUNDS)
def test_whatever_is_killed_nothing_acknowledged_is_lost_and_nothing_is_torn(kind):
    seed = random.randrange(2**32)

    tally = soak(kind, ROUNDS[kind], seed)

    assert not tally.violations, f"seed {seed}: {tally.violations}"


@pytest.mark.real("strace")
def test_a_push_that_is_killed_while_it_forgets_is_completed_by_the_next_or_was_told(tmp_path):
    scene = CliScene(tmp_path)
    try:
        names = [call.name for call in scene.spans["push"].calls]
        forgetting = scene.spans["push"].calls[len(names) - names[::-1].index("recvfrom") :]

        for call in [call for call in forgetting if call.name in ("rename", "unlink")][1:4]:
            assert scene.kill("push", Moment(call=call)).how == "call"
    finally:
        scene.close()


def test_a_server_whose_master_was_killed_in_an_upload_is_replaced_at_once(tmp_path):
    scene = ServerScene(tmp_path)
    try:
        scene.kill("master", random.Random())
    finally:
        scene.close()
