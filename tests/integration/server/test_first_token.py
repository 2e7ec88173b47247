"""The file of the first instance token: there is one only while it holds a token that the database knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.admin.operator_tokens import FIRST_NAME, create, ensure_first_token, revoke
from server.auth.token_text import RANDOM_BYTES, render_token, token_sha256
from server.store import schema, tokens
from server.store.database import Database, open_engine, sqlite_url
from server.wiring import Services

DEAD = render_token(b"\x07" * RANDOM_BYTES) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "admin-token"


def ensure(services: Services, path: Path) -> str | None:
    return ensure_first_token(services.database, services.world, path)


def test_what_a_server_left_that_was_killed_before_another_made_the_first_token_is_set_aside(
    services: Services, path: Path
) -> None:
    path.write_text(DEAD)
    create(services.database, services.world, "of-the-other-server")

    assert ensure(services, path) is None

    assert not path.exists()
    assert path.with_name("admin-token.unknown").read_text() == DEAD


def test_a_file_without_meaning_is_replaced_when_there_is_no_token_yet(services: Services, path: Path) -> None:
    path.write_text(DEAD)

    secret = ensure(services, path)

    assert path.read_text() == f"{secret}\n"
    assert path.with_name("admin-token.unknown").read_text() == DEAD


def test_a_token_file_comes_back_when_the_database_is_the_right_one_again(
    services: Services, path: Path, tmp_path: Path
) -> None:
    secret = ensure(services, path)
    wrong = open_engine(sqlite_url(tmp_path / "wrong.db"))
    schema.upgrade(wrong)
    create(Database(wrong), services.world, "of-another-installation")

    ensure_first_token(Database(wrong), services.world, path)
    there = path.exists()
    ensure(services, path)

    wrong.dispose()
    assert not there
    assert path.read_text() == f"{secret}\n"


def test_the_file_of_a_token_that_was_rotated_or_revoked_stays(services: Services, path: Path) -> None:
    secret = ensure(services, path)
    with services.database.write() as connection:
        token = tokens.find_by_name(connection, None, FIRST_NAME)
        assert token is not None
        tokens.save(connection, token.rotated(token_sha256("another"), 60, services.world.now()))
    ensure(services, path)
    after_rotation = path.read_text()
    revoke(services.database, services.world, FIRST_NAME)

    ensure(services, path)

    assert after_rotation == path.read_text() == f"{secret}\n"


@pytest.mark.parametrize("raw", [b"", b"clp_secret\n", b"\xff\xfe", DEAD.encode() * 2, b"x" * 100_000])
def test_a_file_that_holds_something_else_is_left_alone(services: Services, path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    create(services.database, services.world, "operator")

    ensure(services, path)

    assert path.read_bytes() == raw


def test_a_file_that_cannot_be_read_is_left_alone(services: Services, path: Path) -> None:
    path.mkdir()
    create(services.database, services.world, "operator")

    assert ensure(services, path) is None
    assert path.is_dir()
