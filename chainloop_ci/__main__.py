"""`python -m chainloop_ci`, and the console script `chainloop`."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run one command and end the process with its exit status."""
    from chainloop_ci.cli.main import main as run_command

    sys.exit(run_command())


if __name__ == "__main__":
    main()
