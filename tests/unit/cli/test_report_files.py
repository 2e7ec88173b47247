from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from chainloop_ci.cli.report_files import append, read, replace, size_of


@pytest.mark.parametrize(("before", "after"), [(b"", b"x\n"), (b"a\n", b"a\nx\n"), (b"a", b"a\nx\n")])
def test_a_line_is_appended_below_what_is_there(tmp_path: Path, before: bytes, after: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(before)

    append(file, "x\n")

    assert file.read_bytes() == after


def test_a_file_that_nobody_made_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        append(tmp_path / "none", "x\n")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes as POSIX has them")
def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    append(tmp_path / "pipe", "x\n")

    assert os.read(reader, 10) == b"x\n"
    os.close(reader)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes as POSIX has them")
def test_what_is_read_again_is_no_link_and_nobody_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("told\n")
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    os.mkfifo(tmp_path / "pipe")

    assert (read(tmp_path / "ours"), read(tmp_path / "pipe")) == ("told\n", "")
    with pytest.raises(OSError, match="link"):
        read(tmp_path / "link")


def test_a_file_is_replaced_with_its_folders(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "file"

    replace(file, "one")
    replace(file, "two")

    assert file.read_text() == "two"
    assert list(file.parent.iterdir()) == [file]


def test_what_is_no_unicode_is_replaced(tmp_path: Path) -> None:
    replace(tmp_path / "file", "x\udc80")

    assert (tmp_path / "file").read_bytes() == b"x?"


def test_a_folder_in_the_place_of_a_file_is_an_error_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()

    with pytest.raises(OSError):
        replace(tmp_path / "file", "x")

    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_is_not_there_has_no_size(tmp_path: Path) -> None:
    assert size_of(tmp_path / "none") == 0
