"""Starts the command line of the folder that is the first argument, through the network that the step described."""

import os
import sys
from pathlib import Path

parts = str(Path(__file__).resolve().parent)
sys.path.insert(0, parts)  # Python is started with -I, which leaves the script's folder out

from log import InstallError  # noqa: E402
from names import named  # noqa: E402
from network import network_variables  # noqa: E402

payload = sys.argv.pop(1)
try:
    places = {"RUNNER_TEMP": os.environ.get("WORKSPACE_TMP", "")}
    os.environ.update(network_variables({**os.environ, **places}, named))
except InstallError as error:
    print(f"chainloop: {error}", file=sys.stderr)
    sys.exit(error.status)
sys.path.remove(parts)
for name in ("log", "names", "network", "places"):  # names that others may have too
    sys.modules.pop(name, None)
sys.path.insert(0, payload)

from chainloop_ci.__main__ import main  # noqa: E402

main()
