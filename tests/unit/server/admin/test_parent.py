import os
import select
import signal
from contextlib import suppress

import pytest

from server.admin.parent import LOOK_SECONDS, end_with, wait_for_end
from tests.waiting import DEADLINE_SECONDS


@pytest.fixture
def alive():
    """Return both ends of a pipe: nothing but an end can be read, once every process that a test forked has ended."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def ends(alive):
    """Tell whether all others that hold the pipe end."""
    os.close(alive[1])
    poll = select.poll()
    poll.register(alive[0], select.POLLHUP)
    return bool(poll.poll(DEADLINE_SECONDS * 1000))


def fork(work):
    """Do that in another process, and return its number."""
    process_id = os.fork()
    if process_id == 0:
        try:
            work()
        finally:
            os._exit(1)
    return process_id


def sleep_beside(parent_id):
    end_with(parent_id)
    while True:
        signal.pause()


def test_a_process_ends_when_its_parent_is_killed(alive):
    def be_parent():
        parent_id = os.getpid()
        fork(lambda: sleep_beside(parent_id))
        os.kill(parent_id, signal.SIGKILL)

    os.waitpid(fork(be_parent), 0)

    assert ends(alive)


def test_a_process_whose_parent_had_ended_before_it_looked_ends_too(alive):
    child = fork(lambda: sleep_beside(os.getpid()))

    assert ends(alive)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_a_parent_that_lives_is_looked_at_again_and_again():
    class EnoughError(Exception):
        pass

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 5:
            raise EnoughError

    pauses = []
    with pytest.raises(EnoughError):
        wait_for_end(os.getppid(), pause)

    assert pauses == [LOOK_SECONDS] * 5
