import fcntl
import os
import subprocess

import pytest

from chainloop_ci.errors import ConfigInvalidError, ConflictError
from server.admin.folder_lock import LOCK_NAME, hold_folder
from server.config import ServerConfig


@pytest.fixture
def config(tmp_path):
    return ServerConfig(data=tmp_path)


def test_a_folder_in_use_is_refused_and_its_holder_named(config):
    with (
        hold_folder(config, "serving on 127.0.0.1 port 8080"),
        pytest.raises(ConflictError) as refusal,
        hold_folder(config, "migrating", pause=lambda seconds: pytest.fail("a holder that lives was waited for")),
    ):
        pytest.fail("the folder was taken twice")

    assert refusal.value.message == (
        f"the data folder {config.data} is in use by process {os.getpid()} (serving on 127.0.0.1 port 8080)"
    )
    assert "DATA=" in refusal.value.hint


def test_a_folder_is_free_again_afterwards(config):
    with hold_folder(config, "serving"):
        pass

    with hold_folder(config, "migrating"):
        assert (config.data / LOCK_NAME).read_text() == f"process {os.getpid()} (migrating)\n"


def test_a_link_in_the_place_of_the_lock_is_not_followed(config, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "file"
    elsewhere.write_text("of somebody else")
    (config.data / LOCK_NAME).symlink_to(elsewhere)

    with pytest.raises(ConfigInvalidError, match=LOCK_NAME), hold_folder(config, "serving"):
        pass

    assert elsewhere.read_text() == "of somebody else"


def test_a_pipe_in_the_place_of_the_lock_is_refused(config):
    os.mkfifo(config.data / LOCK_NAME)

    with pytest.raises(ConfigInvalidError, match="ordinary file"), hold_folder(config, "serving"):
        pass


def test_what_a_process_that_ended_left_behind_holds_nothing(config):
    (config.data / LOCK_NAME).write_text("process 1 (serving)\n")

    with hold_folder(config, "serving"):
        pass


@pytest.fixture
def orphan(config):
    """Return a process that has the folder from one that forked it and is gone."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    with (config.data / LOCK_NAME).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"process {dead.pid} (serving on 127.0.0.1 port 8080)\n")
        file.flush()
        forked = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[file.fileno()])
    yield forked
    forked.communicate()


def test_what_a_killed_server_forked_is_waited_for(config, orphan):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        orphan.communicate()

    with hold_folder(config, "serving", pause=pause):
        assert (config.data / LOCK_NAME).read_text() == f"process {os.getpid()} (serving)\n"
    assert len(pauses) == 1


def test_what_a_killed_server_forked_and_does_not_end_is_not_waited_for_for_ever(config, orphan, monkeypatch):
    monkeypatch.setattr("server.admin.folder_lock.ORPHANS_SECONDS", 0.0)

    def pause(_seconds):
        pytest.fail("it is waited for")

    with pytest.raises(ConflictError) as refusal, hold_folder(config, "serving", pause=pause):
        pytest.fail("the folder was taken twice")

    [dead] = (config.data / LOCK_NAME).read_text().splitlines()
    assert refusal.value.message == (
        f"the data folder {config.data} is in use by what {dead} has started; "
        "that process itself has ended, or runs in another container"
    )
    assert f"`fuser {config.data / LOCK_NAME}`" in refusal.value.hint


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_lock_that_was_removed_while_it_was_waited_for_is_taken_where_others_look_for_it(
    config, orphan, is_made_anew
):
    lock = config.data / LOCK_NAME

    def pause(_seconds):
        lock.unlink()
        if is_made_anew:
            lock.touch()
        orphan.communicate()

    with (
        hold_folder(config, "serving", pause=pause),
        pytest.raises(ConflictError, match=f"is in use by process {os.getpid()}"),
        hold_folder(config, "migrating"),
    ):
        pytest.fail("the folder was taken twice")
