from pathlib import Path

import pytest

from chainloop_ci.errors import ConfigInvalidError
from server.admin.data_folder import make_database_apart, make_folder, prepare
from server.config import ServerConfig
from server.store import schema


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
