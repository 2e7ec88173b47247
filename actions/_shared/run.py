"""Runs one `chainloop attestation` command for an action, with the code that the action came with.

Needs the standard library only: it makes the environment in which everything else is. The job's own Python, its PATH
and its variables stay as they are; what is set here is set for the command alone.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

SHARED = Path(__file__).resolve().parent
sys.path.insert(0, str(SHARED))  # Python is started with -I, which leaves the script's folder out

from environment import provide_environment  # noqa: E402
from log import InstallError, announce, mask  # noqa: E402
from network import network_variables, secrets_of  # noqa: E402
from payload import provide_payload  # noqa: E402


def main() -> NoReturn:
    """Install what is not there yet, and become the command."""
    checkout = SHARED.parents[1]
    for secret in secrets_of(os.environ):
        mask(secret)
    try:
        env = {**os.environ, **network_variables(os.environ), "CHAINLOOP_PLUGIN": "github"}
        python = provide_environment(checkout / "requirements" / "client.txt", env)
        payload = provide_payload(checkout, env)
    except InstallError as error:
        announce(error)
        sys.exit(error.status)
    become(
        [str(python), "-I", "-X", "utf8", str(SHARED / "launch.py"), str(payload), "attestation", *sys.argv[1:]], env
    )


def become(command: list[str], env: dict[str, str]) -> NoReturn:
    """Run the command in this process's place, so that a cancelled job's signals reach it."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], command, env)
    import subprocess

    # Windows has no exec: the caller would go on while the command runs.
    sys.exit(subprocess.run(command, env=env, check=False).returncode)


if __name__ == "__main__":
    main()
