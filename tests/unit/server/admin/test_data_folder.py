import os
import select
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.admin.data_folder import make_database_apart, make_folder, prepare
from server.config import ServerConfig
from server.store import schema
from server.store.postgresql import LOCKS, MIGRATION_LOCK
from tests.postgresql import USER
from tests.waiting import wait_for

MAKE_APART = """
import os
from server.admin.data_folder import make_database_apart
from server.config import ServerConfig
make_database_apart(ServerConfig.from_environment(os.environ))
"""
ENDS_SECONDS = 20.0
"""A process that nothing ends waits for the lock three times as long."""


@pytest.fixture
def config(tmp_path):
    return ServerConfig.from_environment({"CHAINLOOP_DATA": str(tmp_path / "data")})


def test_a_database_made_apart_is_the_one_that_is_served(config):
    make_database_apart(config)

    assert config.database_path.is_file()
    assert schema.current_version(prepare(config).engine) == schema.head_version()


def test_a_database_that_is_there_is_left_alone(config):
    make_database_apart(config)
    config.database_path.write_bytes(b"of somebody else")

    make_database_apart(config)

    assert config.database_path.read_bytes() == b"of somebody else"


def test_another_command_that_tries_the_same_folder_is_not_in_the_way(config, monkeypatch):
    touch = Path.touch

    def touch_and_lose(path):
        touch(path)
        path.unlink()

    monkeypatch.setattr(Path, "touch", touch_and_lose)

    make_folder(config)

    assert list(config.data.iterdir()) == []


def test_what_keeps_it_from_being_made_is_told_by_the_next_step(config):
    config.data.write_text("a file where the folder should be")

    make_database_apart(config)

    with pytest.raises(ConfigInvalidError, match="cannot be used"):
        prepare(config)


@pytest.fixture
def maker(postgresql, tmp_path):
    """Return a process with one apart that waits, to make the tables of a database, for somebody who changes them."""
    name = postgresql.create()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "CHAINLOOP_DATA": str(tmp_path / "data")}
    env["CHAINLOOP_DATABASE_URL"] = postgresql.url(name)
    waiting = f"SELECT 1 FROM pg_locks WHERE classid = {LOCKS} AND objid = {MIGRATION_LOCK} AND NOT granted"
    with psycopg.connect(host=str(postgresql.folder), user=USER, dbname=name, autocommit=True) as other:
        other.execute(f"SELECT pg_advisory_lock({LOCKS}, {MIGRATION_LOCK})")
        with subprocess.Popen([sys.executable, "-c", MAKE_APART], env=env, stdout=subprocess.PIPE) as process:
            wait_for(lambda: postgresql.execute(waiting))
            yield process
            process.kill()
    postgresql.drop(name)


def test_the_process_that_makes_it_ends_when_its_parent_is_killed(maker):
    maker.kill()
    maker.wait()

    # Both hold this pipe, and the end of it is all that can be read.
    assert select.select([maker.stdout], [], [], ENDS_SECONDS)[0]
