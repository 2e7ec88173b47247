"""Starts the command line of the folder that is the first argument: what the action came with, and no other."""

import sys

sys.path.insert(0, sys.argv.pop(1))

from chainloop_ci.__main__ import main

main()
