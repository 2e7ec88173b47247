from __future__ import annotations

from pathlib import Path

import pytest

from chainloop_ci.errors import FileUnreadableError, LimitExceededError
from chainloop_ci.signing.passwords import PASSWORD_VARIABLE, password_reader


def never() -> str:
    raise AssertionError("the person was asked without need")


def test_the_file_comes_before_the_environment_and_the_environment_before_the_person(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from file\n")
    env = {PASSWORD_VARIABLE: "from environment"}

    assert password_reader(env, file=file, prompt=never)() == "from file"
    assert password_reader(env, prompt=never)() == "from environment"
    assert password_reader({}, prompt=lambda: "from person")() == "from person"
    assert password_reader({})() is None


def test_an_empty_variable_is_an_empty_password() -> None:
    assert password_reader({PASSWORD_VARIABLE: ""}, prompt=never)() == ""


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"word", "word"), (b"word\n", "word"), (b"word\r\n", "word"), (b" word \n\n", " word \n"), (b"", "")],
)
def test_only_the_last_line_end_of_a_file_is_cut(tmp_path: Path, content: bytes, password: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)

    assert password_reader({}, file=file)() == password


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadableError, match="absent"):
        password_reader({}, file=tmp_path / "absent")()


def test_a_file_that_is_no_text_is_refused_without_its_content(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"secret\xff")

    with pytest.raises(FileUnreadableError, match="not UTF-8") as caught:
        password_reader({}, file=file)()
    assert "secret" not in caught.value.message


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"x" * 4097)

    with pytest.raises(LimitExceededError, match="at most 4096 bytes"):
        password_reader({}, file=file)()
