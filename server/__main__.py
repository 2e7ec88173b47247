"""`python -m server`: see `python -m server --help`."""

from __future__ import annotations

import os
import signal
import sys

if __name__ == "__main__":
    # Ctrl-C ends a command without a traceback, also while it is still being loaded; `serve` takes the signal later.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from server.admin.command import main

    sys.exit(main(sys.argv[1:], os.environ))
