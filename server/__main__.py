"""`python -m server`: see `python -m server --help`."""

from __future__ import annotations

import os
import sys

from server.admin.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
