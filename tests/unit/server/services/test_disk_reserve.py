import os
import stat
import threading

import pytest

from server.errors import StoreFullError
from server.services.disk_reserve import PIECE_BYTES, RESERVE_BYTES, RESERVE_NAME, DiskReserve


@pytest.fixture
def reserve(tmp_path):
    return DiskReserve(tmp_path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / RESERVE_NAME


def full(times):
    """Return what meets a full disk so many times, and then succeeds; it counts how often it was done."""
    done = []

    def act():
        done.append(1)
        if len(done) <= times:
            raise StoreFullError()
        return len(done)

    return act, done


def test_it_takes_its_place_on_the_disk_for_its_owner_only(reserve, path):
    assert reserve.keep()

    found = path.stat()
    assert (found.st_size, stat.S_IMODE(found.st_mode)) == (RESERVE_BYTES, 0o600)
    assert found.st_blocks * 512 >= RESERVE_BYTES


def test_it_is_not_made_where_its_room_would_be_the_last(tmp_path, path):
    assert not DiskReserve(tmp_path, free_bytes=lambda _: 2 * RESERVE_BYTES - 1).keep()

    assert not path.exists()


def test_a_folder_that_is_gone_or_forbidden_is_no_failure(tmp_path):
    assert not DiskReserve(tmp_path / "gone").keep()
    assert not DiskReserve(tmp_path / "gone").give_up()


def test_it_is_given_up_piece_by_piece(reserve, path):
    reserve.keep()

    sizes = []
    while reserve.give_up():
        sizes.append(path.stat().st_size if path.exists() else 0)

    assert sizes == [RESERVE_BYTES - number * PIECE_BYTES for number in range(1, RESERVE_BYTES // PIECE_BYTES + 1)]
    assert not path.exists()


@pytest.mark.parametrize("left", [0, 1, PIECE_BYTES, RESERVE_BYTES - 1])
def test_what_a_process_left_that_was_killed_becomes_whole_again(reserve, path, left):
    path.write_bytes(bytes(left))

    assert reserve.keep()

    assert path.stat().st_size == RESERVE_BYTES


def test_what_finds_room_costs_nothing_of_it(reserve, path):
    reserve.keep()
    act, done = full(0)

    assert reserve.insist(act) == 1

    assert (len(done), path.stat().st_size) == (1, RESERVE_BYTES)


def test_what_meets_a_full_disk_gets_a_piece_and_is_repeated(reserve, path):
    reserve.keep()
    act, _ = full(1)

    assert reserve.insist(act) == 2

    assert path.stat().st_size == RESERVE_BYTES - PIECE_BYTES


def test_what_needs_more_than_all_of_it_is_refused_as_before(reserve, path):
    reserve.keep()
    act, _ = full(99)

    with pytest.raises(StoreFullError):
        reserve.insist(act)

    assert not path.exists()


def test_without_a_reserve_it_is_repeated_once_since_another_may_just_have_given_it_up(reserve):
    act, done = full(99)

    with pytest.raises(StoreFullError):
        reserve.insist(act)

    assert len(done) == 2


def test_any_number_may_make_it_and_give_it_up_at_once(reserve, path):
    failed = []

    def work():
        try:
            for _ in range(50):
                reserve.keep()
                reserve.give_up()
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert reserve.keep()
    assert os.listdir(path.parent) == [RESERVE_NAME]
