"""`make demo`: the main job on real files, three refusals, and a pull request's statuses on a GitHub of our own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from examples.demo.control_plane import ControlPlane
from examples.demo.story import tell
from examples.demo.terminal import DemoError
from examples.forge.github import FakeGitHub

PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the demo and return the exit status."""
    keep = os.environ.get("KEEP", "") not in ("", "0")
    chosen = os.environ.get("DEMO_DIR")
    folder = Path(chosen).resolve() if chosen else Path(tempfile.mkdtemp(prefix="chainloop-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    if data.exists():
        print(f"demo: {data} is there already: choose another DEMO_DIR or remove it", file=sys.stderr)
        return 2
    data.mkdir(mode=0o700)
    forge = FakeGitHub()
    # What sends to third parties reaches nothing on its own machine, unless the operator opens it.
    control_plane = ControlPlane(PROJECT, data, {"CHAINLOOP_EGRESS_ALLOW": forge.url.partition("//")[2]})
    left_up = False
    try:
        control_plane.wait()
        last_line = tell(PROJECT, folder, control_plane, forge)
        left_up = keep
        if keep:
            print(f"\nThe control plane stays up: {control_plane.url}, its instance token is in")
            print(f"{control_plane.token_file}; stop it with: kill {control_plane.process_id}")
        elif chosen:
            print(f"\nThe bundle and the public key are in {folder}")
        print(last_line)
        return 0
    except DemoError as error:
        print(f"\ndemo: failed: {error}\nthe server's log is {control_plane.log}", file=sys.stderr)
        keep = True
        return 1
    finally:
        if not left_up:
            control_plane.stop()
        forge.close()
        if not keep and not chosen:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
