import os
import signal
from contextlib import suppress

import pytest

from server.admin.companion import FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS, SETTLED_SECONDS, Companion
from tests.waiting import wait_for


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


def sleep_for_ever():
    while True:
        signal.pause()


@pytest.fixture
def make():
    """Return a function that makes a companion with a clock of its own; none outlives the test."""
    made = []

    def make(work):
        clock = Clock()
        companion = Companion(work, monotonic=clock)
        made.append(companion)
        return companion, clock

    yield make
    for companion in made:
        companion.end(at_once=True)


def nothing():
    return None


def has_died(companion, pid):
    """Look at the companion as its master does, until it has noticed the end of that process."""

    def look():
        companion.tend(nothing)
        return companion.pid != pid

    return look


def test_a_companion_is_started_once(make):
    companion, _ = make(sleep_for_ever)

    companion.tend(nothing)
    pid = companion.pid
    companion.tend(nothing)

    assert (companion.pid, os.getpgid(pid)) == (pid, os.getpgid(0))


def test_one_that_dies_is_started_again_after_a_delay_that_doubles(make):
    companion, clock = make(lambda: True)
    delays = []
    companion.tend(nothing)
    for _ in range(8):
        wait_for(has_died(companion, companion.pid))
        before = clock.seconds
        while not companion.pid:
            clock.seconds += FIRST_DELAY_SECONDS
            companion.tend(nothing)
        delays.append(clock.seconds - before)

    assert delays == [1, 2, 4, 8, 16, 32, MAX_DELAY_SECONDS, MAX_DELAY_SECONDS]


def test_one_that_lived_long_is_started_again_soon(make):
    companion, clock = make(sleep_for_ever)
    companion.tend(nothing)
    clock.seconds += SETTLED_SECONDS
    first = companion.pid

    os.kill(first, signal.SIGKILL)
    wait_for(has_died(companion, first))
    at_once = companion.pid
    clock.seconds += FIRST_DELAY_SECONDS
    companion.tend(nothing)

    assert at_once == 0
    assert companion.pid not in (0, first)


def test_one_that_lived_long_is_well_whatever_was_before(make):
    companion, clock = make(sleep_for_ever)
    for lived in (0, SETTLED_SECONDS):
        companion.tend(nothing)
        clock.seconds += lived
        pid = companion.pid
        os.kill(pid, signal.SIGKILL)
        wait_for(has_died(companion, pid))
        clock.seconds += FIRST_DELAY_SECONDS

    companion.tend(nothing)

    assert companion.pid != 0


def test_the_end_that_it_was_asked_for_is_no_reason_to_start_another(make):
    companion, clock = make(sleep_for_ever)
    companion.tend(nothing)
    companion.ask_to_end()
    # It holds signals back: what ends it here stands for how it ends by itself.
    os.kill(companion.pid, signal.SIGKILL)
    wait_for(has_died(companion, companion.pid))

    clock.seconds += 10 * MAX_DELAY_SECONDS
    companion.tend(nothing)

    assert companion.pid == 0


def test_it_ends_when_it_is_told_to_and_no_other_is_started(make):
    companion, clock = make(sleep_for_ever)
    companion.tend(nothing)
    pid = companion.pid

    companion.end(at_once=False)
    clock.seconds += 1000
    companion.tend(nothing)

    assert companion.pid == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_does_not_listen_is_killed(make):
    def deaf():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        return sleep_for_ever()

    companion, _ = make(deaf)
    companion.tend(nothing)
    pid = companion.pid

    companion.end(at_once=True)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_failure_in_it_stays_in_it(make):
    def fail():
        raise RuntimeError("of the companion")

    companion, _ = make(fail)
    companion.tend(nothing)

    wait_for(has_died(companion, companion.pid))


def test_it_lets_go_of_what_is_the_masters(make, tmp_path):
    path = tmp_path / "released"
    companion, _ = make(lambda: path.is_file() and sleep_for_ever())

    companion.tend(lambda: path.write_text("by the companion"))

    wait_for(path.is_file)
    assert companion.pid != 0


def test_a_master_that_reaps_everything_does_not_hide_its_end(make):
    companion, _ = make(sleep_for_ever)
    companion.tend(nothing)
    pid = companion.pid

    os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)

    wait_for(has_died(companion, pid))
