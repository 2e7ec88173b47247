"""Finding the `cue` program, and what a program that is not cue can do: small scripts stand in its place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from chainloop_ci.cue import VARIABLE, CueLimits, export_json, find_cue
from chainloop_ci.errors import ConfigInvalidError, LimitExceededError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell")


def program(folder: Path, body: str, name: str = "cue") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_cue_is_found_on_path(tmp_path: Path):
    expected = program(tmp_path / "bin", "exit 0")

    assert find_cue({"PATH": f"/nowhere:{expected.parent}"}, tmp_path) == expected


def test_r21_a_relative_entry_of_path_does_not_lead_into_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program(tmp_path, "exit 0")
    monkeypatch.chdir(tmp_path)

    assert find_cue({"PATH": f".{os.pathsep}{os.pathsep}bin"}, tmp_path) is None


@pytest.mark.parametrize("named", ["tools/my-cue", "./tools/my-cue"])
def test_the_variable_names_a_path(tmp_path: Path, named: str):
    expected = program(tmp_path / "tools", "exit 0", "my-cue")

    assert find_cue({VARIABLE: named, "PATH": ""}, tmp_path) == expected


def test_the_variable_names_a_program_of_path(tmp_path: Path):
    expected = program(tmp_path, "exit 0", "cue-next")

    assert find_cue({VARIABLE: "cue-next", "PATH": str(tmp_path)}, tmp_path) == expected


def test_a_variable_that_names_nothing_is_an_error_even_when_path_has_cue(tmp_path: Path):
    program(tmp_path, "exit 0")

    with pytest.raises(ConfigInvalidError, match="no program that can be run"):
        find_cue({VARIABLE: "/nowhere/cue", "PATH": str(tmp_path)}, tmp_path)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path):
    assert find_cue({VARIABLE: " ", "PATH": str(tmp_path)}, tmp_path) is None


def test_the_child_gets_none_of_our_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHAINLOOP_TOKEN", "clp_secret")
    spy = program(tmp_path, "/usr/bin/env")

    names = {line.partition(b"=")[0].decode() for line in export_json(b"a: 1", spy).splitlines()}

    assert names.isdisjoint({"CHAINLOOP_TOKEN", "GITHUB_TOKEN", "XDG_CONFIG_HOME"})
    assert {"HOME", "CUE_REGISTRY", "CUE_CACHE_DIR"} <= names


def test_the_child_works_in_a_private_folder_that_is_gone_afterwards(tmp_path: Path):
    spy = program(tmp_path, "/bin/pwd; /usr/bin/stat -c %a .; /bin/cat contract.cue")

    where, mode, text = export_json(b"a: 1", spy).decode().splitlines()

    assert (mode, text) == ("700", "a: 1")
    assert not Path(where).exists()


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path):
    marker = tmp_path / "pid"
    endless = program(tmp_path, f"/bin/sleep 600 & echo $! > {marker}; wait")

    with pytest.raises(LimitExceededError, match=r"was ended after 3 s"):
        export_json(b"a: 1", endless, CueLimits(wall_seconds=3))

    assert not is_alive(int(marker.read_text()))


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


def test_what_outlives_its_parent_does_not_hold_us(tmp_path: Path):
    orphan = program(tmp_path, "/bin/sleep 600 & echo '{}'")

    export_json(b"a: 1", orphan)


def test_endless_output_is_cut(tmp_path: Path):
    noisy = program(tmp_path, "exec /usr/bin/yes")

    with pytest.raises(LimitExceededError, match="exports more than the 1048576 bytes"):
        export_json(b"a: 1", noisy)


def test_endless_errors_are_cut_and_not_taken_for_output(tmp_path: Path):
    noisy = program(tmp_path, "exec /usr/bin/yes >&2")

    with pytest.raises(LimitExceededError, match="writes more than 262144 bytes of errors"):
        export_json(b"a: 1", noisy)


def test_a_program_that_somebody_kills_may_have_met_the_end_of_the_memory(tmp_path: Path):
    killed = program(tmp_path, "kill -KILL $$")

    with pytest.raises(LimitExceededError, match=r"was killed: .* or the machine has no memory left"):
        export_json(b"a: 1", killed)


def test_computing_time_is_limited(tmp_path: Path):
    busy = program(tmp_path, "while :; do :; done")

    with pytest.raises(LimitExceededError, match="used more than 1 s of computing time"):
        export_json(b"a: 1", busy, CueLimits(cpu_seconds=1))


def test_a_program_that_is_not_cue_is_named(tmp_path: Path):
    foreign = program(tmp_path, "echo 'album.wav: no such track' >&2; exit 3")

    with pytest.raises(ConfigInvalidError) as caught:
        export_json(b"a: 1", foreign)

    assert "ended with 3 and said: album.wav: no such track" in caught.value.message
    assert "cue version" in (caught.value.hint or "")


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path):
    broken = tmp_path / "cue"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)

    with pytest.raises(ConfigInvalidError, match="cannot be started"):
        export_json(b"a: 1", broken)
