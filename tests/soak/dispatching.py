"""`python -m tests.soak.dispatching CLOCK`: `python -m server dispatch` with the clock of the soak in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from server.admin.dispatch import dispatch
from server.config import ServerConfig
from server.wiring import World
from tests.soak.shared_clock import SharedClock

if __name__ == "__main__":
    clock = SharedClock(Path(sys.argv[1]))
    dispatch(ServerConfig.from_environment(os.environ), world=World(now=clock))
