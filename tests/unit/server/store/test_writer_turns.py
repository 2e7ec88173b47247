import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest

from server.errors import StoreBusyError
from server.store.writer_turns import (
    GIVE_WAY_SECONDS,
    LONGEST_TURN_SECONDS,
    STUCK_SECONDS,
    TURN_SECONDS,
    ProcessQueue,
    WriterTurns,
)

OTHER = """
import sys
from pathlib import Path
from server.store.writer_turns import ProcessQueue

queue = ProcessQueue(Path(sys.argv[1]))
for line in sys.stdin:
    print(getattr(queue, line.strip())(), flush=True)
"""


class Other:
    """Another process that writes to the same database."""

    def __init__(self, database):
        words = [sys.executable, "-c", OTHER, str(database)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, what):
        print(what, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def database(tmp_path):
    return tmp_path / "some.db"


@pytest.fixture
def other(database):
    with closing(Other(database)) as process:
        yield process


def test_one_process_at_a_time_has_the_turn(database, other):
    ours = ProcessQueue(database)

    assert (other.do("begin"), ours.begin()) == ("True", False)

    other.do("end")
    assert ours.begin()


def test_who_waits_comes_before_who_has_just_had_the_turn(database, other):
    ours = ProcessQueue(database)
    ours.begin()
    other.do("begin")

    ours.end()

    assert not ours.begin()
    assert other.do("begin") == "True"


def test_who_holds_the_turn_sees_that_another_process_waits(database, other):
    ours = ProcessQueue(database)
    ours.begin()
    before = ours.is_waited_for()

    other.do("begin")

    assert (before, ours.is_waited_for()) == (False, True)


def test_a_killed_process_leaves_its_turn_and_its_place(database, other):
    ours = ProcessQueue(database)
    other.do("begin")

    other.close()

    assert ours.begin()


def test_who_gives_up_is_the_next_no_more(database, other):
    ours = ProcessQueue(database)
    ours.begin()
    other.do("begin")

    other.do("give_up")
    ours.end()

    assert ours.begin()


def test_it_is_free_only_while_nobody_writes_or_waits(database, other):
    ours = ProcessQueue(database)
    assert other.do("is_free") == "True"
    ours.begin()
    assert other.do("is_free") == "False"
    other.do("begin")

    ours.end()

    assert not ours.is_free()


def test_who_looks_whether_it_is_free_takes_nothing(database, other):
    ours = ProcessQueue(database)

    assert ours.is_free()

    assert other.do("begin") == "True"


def test_without_a_place_for_the_file_everybody_is_served_at_once(tmp_path):
    queue = ProcessQueue(tmp_path / "missing" / "some.db")

    assert queue.begin()
    queue.end()
    assert queue.is_free()


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path, database):
    (tmp_path / "some.db-turns").symlink_to(tmp_path / "elsewhere")

    assert ProcessQueue(database).begin()
    assert not (tmp_path / "elsewhere").exists()


def test_nobody_else_s_account_may_hold_a_turn(database):
    ProcessQueue(database).begin()

    assert database.with_name("some.db-turns").stat().st_mode & 0o777 == 0o600


class Queue:
    """A queue of processes that notes what it is asked."""

    def __init__(self, *, is_busy=False):
        self.is_busy = is_busy
        self.asked = []

    def begin(self):
        self.asked.append("begin")
        return not self.is_busy

    def give_up(self):
        self.asked.append("give_up")

    def end(self):
        self.asked.append("end")

    def is_free(self):
        return not self.is_busy

    def is_waited_for(self):
        return False


class Time:
    """Passes only while somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_process_that_was_stopped_within_its_turn_is_not_waited_for_for_long():
    queue, time = Queue(is_busy=True), Time()

    with WriterTurns(time, time.sleep, queue).wait(5.0) as left_seconds:
        assert time.now == pytest.approx(LONGEST_TURN_SECONDS, abs=0.01)
        assert left_seconds == pytest.approx(5.0 - time.now)

    # The engine decides; what was never ours is not given back.
    assert (queue.asked[-1], queue.asked.count("end")) == ("give_up", 0)


def test_who_waited_in_vain_looks_once_for_a_while_and_waits_again_later():
    """Else a process that is stopped lets every other one write once a second, and most of its requests fail."""
    queue, time = Queue(is_busy=True), Time()
    turns, took = WriterTurns(time, time.sleep, queue), []

    for _ in range(3):
        began = time.now
        with turns.wait(5.0):
            took.append(time.now - began)
    time.now += STUCK_SECONDS
    began = time.now
    with turns.wait(5.0):
        took.append(time.now - began)

    assert took == pytest.approx([LONGEST_TURN_SECONDS, 0.0, 0.0, LONGEST_TURN_SECONDS], abs=0.01)


def test_who_got_the_turn_waits_for_the_next_one_as_before():
    queue, time = Queue(is_busy=True), Time()
    turns = WriterTurns(time, time.sleep, queue)
    with turns.wait(5.0):
        queue.is_busy = False
    with turns.wait(5.0):
        queue.is_busy = True
    began = time.now

    with turns.wait(5.0):
        assert time.now - began == pytest.approx(LONGEST_TURN_SECONDS, abs=0.01)


def test_nobody_is_waited_for_longer_than_the_patience_and_none_of_it_is_left():
    queue, time = Queue(is_busy=True), Time()

    with WriterTurns(time, lambda _: time.sleep(0.3), queue).wait(0.7) as left_seconds:
        assert (time.now, left_seconds) == (pytest.approx(0.9), 0.0)


def test_whose_turn_did_not_come_in_time_writes_no_longer_than_if_somebody_waited():
    time = Time()
    turns = WriterTurns(time, time.sleep, Queue(is_busy=True))

    with turns.wait(5.0):
        assert turns.is_waited_for()


def test_a_short_wait_takes_nothing_from_the_patience():
    queue, time = Queue(), Time()
    turns = WriterTurns(time, lambda seconds: (time.sleep(seconds), setattr(queue, "is_busy", False)), queue)
    queue.is_busy = True

    with turns.wait(5.0) as left_seconds:
        assert (left_seconds, queue.asked) == (5.0, ["begin", "begin"])


def test_who_can_wait_lets_others_go_first_but_not_for_ever():
    time = Time()

    WriterTurns(time, time.sleep, Queue(is_busy=True)).give_way()

    assert time.now == pytest.approx(GIVE_WAY_SECONDS, abs=0.01)


def test_who_can_wait_does_not_when_nobody_else_is_there():
    time = Time()

    WriterTurns(time, time.sleep, Queue()).give_way()

    assert time.now == 0.0


@contextmanager
def waiting(turns, patience_seconds=5.0):
    """Let another thread wait for its turn."""
    caught = []

    def write():
        try:
            with turns.wait(patience_seconds):
                pass
        except StoreBusyError as error:
            caught.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    while not turns._waiting and thread.is_alive():
        threading.Event().wait(0.001)
    yield caught
    thread.join()


@pytest.mark.parametrize("queue", [None, Queue()], ids=["alone", "beside other processes"])
def test_who_holds_the_turn_sees_that_a_thread_waits(queue):
    time = Time()
    turns = WriterTurns(time, time.sleep, queue)
    held = turns.wait(5.0)
    held.__enter__()
    before = turns.is_waited_for()

    with waiting(turns):
        during = turns.is_waited_for()
        held.__exit__(None, None, None)

    assert (before, during) == (False, True)


def test_who_can_wait_lets_a_thread_of_its_process_go_first():
    time = Time()
    turns = WriterTurns(time, time.sleep)

    with turns.wait(5.0):
        turns.give_way()

    assert time.now == pytest.approx(GIVE_WAY_SECONDS, abs=0.01)


def test_a_turn_that_is_kept_for_a_thread_is_not_free():
    queue, time = Queue(), Time()
    turns = WriterTurns(time, time.sleep, queue)
    # As if a thread waited that has not woken yet.
    turns._waiting = 1
    with turns.wait(5.0):
        pass

    turns.give_way()

    assert time.now == pytest.approx(GIVE_WAY_SECONDS, abs=0.01)
    assert queue.asked == ["begin"]


@pytest.mark.parametrize(("seconds", "turns_taken"), [(0.0, 1), (TURN_SECONDS, 2)])
def test_threads_of_a_process_share_a_turn_while_it_is_short(seconds, turns_taken):
    queue, time = Queue(), Time()
    turns = WriterTurns(time, time.sleep, queue)
    held = turns.wait(5.0)
    held.__enter__()

    with waiting(turns):
        time.now += seconds
        held.__exit__(None, None, None)

    assert queue.asked == ["begin", "end"] * turns_taken


def test_a_turn_is_not_kept_for_a_thread_that_has_given_up():
    queue, time = Queue(), Time()
    turns = WriterTurns(time, time.sleep, queue)

    with turns.wait(5.0), waiting(turns, patience_seconds=0.0) as caught:
        pass

    assert len(caught) == 1
    assert queue.asked == ["begin", "end"]
