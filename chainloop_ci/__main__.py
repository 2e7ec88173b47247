"""`python -m chainloop_ci`, and the console script `chainloop`."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

from chainloop_ci.deferred import postpone

_OBJECTS_BEFORE_COLLECTION = 50_000
_FOR_RARE_CASES = (
    "calendar",
    "csv",
    "inspect",
    "ipaddress",
    "random",
    "shutil",
    "subprocess",
    "tempfile",
    "traceback",
    "zipfile",
)
"""Imported by click, urllib3, dataclasses, email and importlib.metadata for what a usual command does not do."""


def main() -> NoReturn:
    """Run one command and end the process with its exit status."""
    # What imports make stays until the end: looking for garbage among it, then and now, is a tenth of a short command.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    postpone(*_FOR_RARE_CASES)
    from chainloop_ci.cli.main import main as run_command

    status = run_command()
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
