from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chainloop_ci.cli.key_files import NewFile, new_files
from chainloop_ci.errors import FileUnwritableError, NotAllowedError, ServerFaultError, UnreachableError

# Files may have 10 bytes in this process: the nearest that one gets to a full disk without a disk of one's own.
FULL_DISK = """
import pathlib, resource, sys
from chainloop_ci.cli.key_files import NewFile, new_files
from chainloop_ci.errors import ChainloopError
folder = pathlib.Path(sys.argv[1])
public = NewFile(folder / "k.pub", "short", 0o644, "--public-key")
private = NewFile(folder / "k.key", "k" * 99, 0o600, "--private-key")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    with new_files([public, private], ""):
        print("registered")
except ChainloopError as error:
    print(error.message, error.hint, sep="\\n")
"""


def halves(folder: Path) -> list[NewFile]:
    return [
        NewFile(folder / "k.key", "private", 0o600, "--private-key"),
        NewFile(folder / "k.pub", "public", 0o644, "--public-key"),
    ]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_both_files_are_whole_before_the_key_is_registered(tmp_path: Path) -> None:
    with new_files(halves(tmp_path), ""):
        seen = {path.name: path.read_text() for path in tmp_path.iterdir()}

    assert seen == {"k.key": "private", "k.pub": "public"}
    assert names(tmp_path) == {"k.key", "k.pub"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
def test_a_full_disk_leaves_nothing_and_registers_nothing(tmp_path: Path, project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=project, capture_output=True, text=True, check=True
    )

    assert "registered" not in done.stdout
    assert f"{tmp_path / 'k.key'} cannot be written" in done.stdout
    assert "choose another place with --private-key; no key was made" in done.stdout
    assert names(tmp_path) == set()


@pytest.mark.parametrize("there", ["k.key", "k.pub"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")

    with pytest.raises(FileUnwritableError, match="already there") as caught, new_files(halves(tmp_path), ""):
        pytest.fail("nothing may be registered")

    assert "key add" in str(caught.value.hint)
    assert names(tmp_path) == {there}
    assert (tmp_path / there).read_text() == "precious"


def test_after_a_refusal_the_same_command_works(tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError) as caught, new_files(halves(tmp_path), ""):
        raise NotAllowedError("no", hint="ask")

    assert caught.value.hint == "ask; both files were taken away again, so the same command can be repeated"
    assert names(tmp_path) == set()


@pytest.mark.parametrize("error", [UnreachableError("gone"), ServerFaultError("broken"), KeyboardInterrupt()])
def test_without_a_clear_answer_the_private_half_is_kept(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, new_files(halves(tmp_path), "key add"):
        raise error

    assert names(tmp_path) == {"k.key", "k.pub"}
    assert "run `key add`" in str(getattr(caught.value, "hint", "run `key add`"))
