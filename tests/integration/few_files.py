"""A control plane whose processes may open few files."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.demo.control_plane import ControlPlane
from tests.integration.live import PROJECT


def start_with_few_files(folder: Path, limit: int, **settings: str) -> ControlPlane:
    """Start one in `folder` that may not raise the limit either, and wait until it is ready."""
    (folder / "data").mkdir()
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nulimit -n {limit}\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    plane = ControlPlane(PROJECT, folder / "data", settings, python=str(python))
    try:
        plane.wait()
    except Exception:
        plane.stop()
        raise
    return plane
