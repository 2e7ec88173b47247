"""Backups that somebody else made: `restore` takes nothing but what a backup has (threats T24, T27)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from server.admin.command import main

pytestmark = pytest.mark.engine("sqlite")

Answer = tuple[int, str]
Restore = Callable[[], Answer]


@pytest.fixture
def backup(services: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a backup of a data folder with a token file and one stored blob."""
    folder = tmp_path.parent / f"{tmp_path.name}-backup"
    (tmp_path / "admin-token").write_text("clp_secret\n")
    assert main(["backup", str(folder), "--data", str(tmp_path)], {}) == 0
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path.parent / f"{tmp_path.name}-new"


@pytest.fixture
def restore(backup: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> Restore:
    def run() -> Answer:
        capsys.readouterr()
        return main(["restore", str(backup), "--data", str(new)], {}), capsys.readouterr().err

    return run


def rename(backup: Path, name: str, *, twice: bool = False) -> None:
    """Let the manifest name the token file otherwise."""
    manifest = json.loads((backup / "manifest.json").read_text())
    (file,) = manifest["secrets"]
    manifest["secrets"] = [file | {"name": name}] * (2 if twice else 1)
    (backup / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "../admin-token",
        "a\0b",
        "a\0.key",
        "\ud800",
        "\ud800.key",
        "x" * 300 + ".key",
        ".hidden.key",
        "sub/folder.key",
        "blobs",
        "blobs.txt",
        "chainloop.db",
        "chainloop.db-wal",
        "in-use.lock",
        "\x1b[31m.key",
    ],
)
def test_t24_a_name_that_no_backup_has_is_refused(backup: Path, new: Path, restore: Restore, name: str) -> None:
    rename(backup, name)

    status, said = restore()

    assert (status, "names files that no backup has" in said, new.exists()) == (1, True, False)
    assert all(line.isprintable() for line in said.splitlines())


def test_t24_a_name_that_stands_there_twice_is_refused(backup: Path, new: Path, restore: Restore) -> None:
    rename(backup, "admin-token", twice=True)

    status, said = restore()

    assert (status, "'admin-token'" in said, new.exists()) == (1, True, False)


def test_t24_another_name_of_the_list_of_blobs_is_refused(backup: Path, restore: Restore) -> None:
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["blobList"]["name"] = "admin-token"
    (backup / "manifest.json").write_text(json.dumps(manifest))

    assert restore()[0] == 1


@pytest.mark.parametrize("name", ["admin-token", "blobs.txt", "chainloop.db", "manifest.json"])
def test_t27_a_pipe_in_the_place_of_a_file_holds_nobody(backup: Path, new: Path, restore: Restore, name: str) -> None:
    (backup / name).unlink()
    os.mkfifo(backup / name)

    status, said = restore()

    assert (status, name in said, new.exists()) == (1, True, False)


def test_t27_of_a_manifest_no_more_is_read_than_one_has(backup: Path, new: Path, restore: Restore) -> None:
    manifest = backup / "manifest.json"
    manifest.write_bytes(b" " * 8 * 1024 * 1024 + manifest.read_bytes())

    status, said = restore()

    assert (status, "is no JSON document" in said, new.exists()) == (1, True, False)


@pytest.mark.parametrize("name", ["admin-token", "blobs.txt", "chainloop.db"])
def test_t24_a_link_is_not_followed(backup: Path, new: Path, restore: Restore, tmp_path: Path, name: str) -> None:
    (backup / name).rename(elsewhere := tmp_path.parent / f"{tmp_path.name}-elsewhere")
    (backup / name).symlink_to(elsewhere)

    status, said = restore()

    assert (status, f"{name}: expected" in said, "found no ordinary file" in said) == (1, True, True)
    assert not new.exists()


def test_a_folder_in_the_place_of_a_file_is_damage(backup: Path, restore: Restore) -> None:
    (backup / "admin-token").unlink()
    (backup / "admin-token").mkdir()

    status, said = restore()

    assert (status, "admin-token: expected" in said) == (1, True)
