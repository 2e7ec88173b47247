"""R8 at each single call: the walks in `faults`, in a process whose system calls fail on command."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.real("fiu-run")
@pytest.mark.parametrize(
    ("walk", "part"),
    [("store_faults", "database"), ("store_faults", "not database"), ("state_faults", "not nothing")],
)
def test_r8_no_call_of_the_disk_that_fails_tears_anything(tmp_path, walk, part):
    command = [
        "fiu-run",
        "-x",
        "-f",
        "",
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        part,
    ]
    what = [str(HERE / "faults" / f"{walk}.py"), f"--basetemp={tmp_path / 'walk'}"]

    done = subprocess.run([*command, *what], capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
