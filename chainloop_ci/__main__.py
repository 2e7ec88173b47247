"""`python -m chainloop_ci`, and the console script `chainloop`."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

_OBJECTS_BEFORE_COLLECTION = 50_000


def main() -> NoReturn:
    """Run one command and end the process with its exit status."""
    # What imports make stays until the end: looking for garbage among it, then and now, is a tenth of a short command.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    from chainloop_ci.cli.main import main as run_command

    status = run_command()
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
