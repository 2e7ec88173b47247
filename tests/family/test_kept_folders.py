"""What an earlier job has installed is run again only where no other user could have changed it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import PROJECT
from tests.family.composite import Composite

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
SOMEBODY = 12345
root_only = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PROJECT / "actions" / "_shared"))
    return importlib.import_module("places")


@pytest.fixture
def shared_by_a_group() -> Iterator[None]:
    """Let everything be made so that the group may write to it, as some machines do."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def provide(places: ModuleType, folder: Path, content: str = "ours") -> str:
    """Return what is in the folder that is used, which is filled with `content` where it is made."""

    def fill(made: Path) -> None:
        (made / "in").mkdir()
        (made / "in" / "file").write_text(content)

    return str((places.provide(folder, lambda place: True, fill) / "in" / "file").read_text())


def test_a_folder_of_our_own_is_used_again(places: ModuleType, tmp_path: Path) -> None:
    provide(places, tmp_path / "env")

    assert provide(places, tmp_path / "env", "made again") == "ours"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
@pytest.mark.parametrize("name", [".", ".complete"])
def test_a_folder_that_others_may_write_to_is_made_elsewhere(
    places: ModuleType, tmp_path: Path, mode: int, name: str
) -> None:
    provide(places, tmp_path / "env")
    (tmp_path / "env" / name).chmod(mode)

    assert provide(places, tmp_path / "env", "made again") == "made again"
    assert (tmp_path / "env" / "in" / "file").read_text() == "ours", "a job may be running in it"


@root_only
@pytest.mark.parametrize("name", [".", ".complete"])
def test_a_folder_of_another_user_is_made_elsewhere(places: ModuleType, tmp_path: Path, name: str) -> None:
    provide(places, tmp_path / "env")
    os.chown(tmp_path / "env" / name, SOMEBODY, SOMEBODY)

    assert provide(places, tmp_path / "env", "made again") == "made again"


def test_a_link_is_not_followed(places: ModuleType, tmp_path: Path) -> None:
    provide(places, tmp_path / "theirs", "theirs")
    (tmp_path / "env").symlink_to(tmp_path / "theirs")
    (tmp_path / "env-1").symlink_to(tmp_path / "nowhere")

    assert provide(places, tmp_path / "env") == "ours"


@pytest.mark.usefixtures("shared_by_a_group")
def test_what_is_made_is_nobody_else_s_to_write_also_where_the_group_may_by_default(
    places: ModuleType, tmp_path: Path
) -> None:
    folder = places.kept_folder({"RUNNER_TOOL_CACHE": str(tmp_path / "cache"), "RUNNER_TEMP": str(tmp_path)})
    provide(places, folder / "env")

    made = [folder, *folder.rglob("*")]
    assert len(made) == 5
    assert [path for path in made if path.stat().st_mode & 0o022] == []
    assert provide(places, folder / "env", "made again") == "ours"
    (tmp_path / "the job's own").touch()
    assert (tmp_path / "the job's own").stat().st_mode & 0o777 == 0o664, "for the command it is as it was"


@pytest.mark.parametrize("kind", ["scratch", "kept"])
def test_the_place_of_all_folders_has_to_be_ours_too(places: ModuleType, tmp_path: Path, kind: str) -> None:
    (tmp_path / "chainloop").mkdir()
    (tmp_path / "chainloop").chmod(0o777)
    env = {"RUNNER_TEMP": str(tmp_path), "RUNNER_TOOL_CACHE": str(tmp_path) if kind == "kept" else ""}

    found = places.kept_folder(env) if kind == "kept" else places.scratch_folder(env)

    assert found == tmp_path / "chainloop-1"
    assert places.is_ours(found)


@pytest.mark.parametrize("kind", ["a file", "a link to nowhere", "a link to a folder"])
def test_what_is_no_folder_is_passed_over(places: ModuleType, tmp_path: Path, kind: str) -> None:
    # Where everybody may make files, anybody can put one there.
    place = tmp_path / "chainloop"
    if kind == "a file":
        place.touch()
    else:
        place.symlink_to(tmp_path / "nowhere" if kind == "a link to nowhere" else tmp_path)

    assert places.scratch_folder({"RUNNER_TEMP": str(tmp_path)}) == tmp_path / "chainloop-1"


def test_where_every_name_is_taken_the_error_says_what_to_remove(places: ModuleType, tmp_path: Path) -> None:
    for number in range(10):
        place = tmp_path / (f"chainloop-{number}" if number else "chainloop")
        place.mkdir()
        place.chmod(0o777)

    with pytest.raises(sys.modules["log"].InstallError, match=r"chainloop-9 and those before it .* remove them"):
        places.scratch_folder({"RUNNER_TEMP": str(tmp_path)})


def test_a_step_does_not_run_what_another_job_may_have_changed(tmp_path: Path, wheels: Path) -> None:
    machine = Composite(tmp_path / "job", tmp_path / "kept", {"CHAINLOOP_INSTALL_WHEELS": str(wheels)})
    machine.run("status")
    [code] = (machine.kept / "chainloop").glob("code-*")
    (code / "chainloop_ci" / "__main__.py").write_text("raise SystemExit('theirs')\n")
    unnoticed = machine.run("status")
    code.chmod(0o777)

    done = machine.run("status")

    assert "theirs" in unnoticed.log, "content is not looked at: the README says so"
    assert "no attestation is being crafted here" in done.log, done.log
