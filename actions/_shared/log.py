"""What the install writes to a job's log. Source: GitHub Docs, "Workflow commands for GitHub Actions"."""

from __future__ import annotations

import os
import re
import sys

_SHORTEST_SECRET = 4
"""A mask of fewer characters would blot out half of the log and hide nothing."""
_SHORTEST_LINE = 8
"""The same for a line of a secret that has several."""
# The runner looks for the newer form at the beginning of a line, for the older one anywhere in it.
_COMMAND = re.compile(r"(^\s*:|##)(:|\[)", re.MULTILINE)


class InstallError(Exception):
    """The command cannot be brought into the job.

    Attributes:
        status: what the step ends with; 6 when a machine of the network did not answer (as the command itself).
        output: what the program that failed has printed.
    """

    def __init__(self, message: str, *, status: int = 1, output: str = "") -> None:
        self.status = status
        self.output = output
        super().__init__(message)


def input_named(name: str) -> str:
    """Return what an input is called in a message of the actions; the other plugins have names of their own."""
    return f"input {name}"


def announce(error: InstallError) -> None:
    """Write an error as an annotation of the job, below what the failed program printed."""
    if error.output:
        show("What the installer printed", error.output)
    _write(f"::error title=Chainloop cannot be installed::{escape(str(error))}")


def show(title: str, text: str) -> None:
    """Write another program's output, folded; none of its lines can be a workflow command."""
    # Two ways, since runners other than GitHub's know no stop-commands.
    token = os.urandom(16).hex()
    lines = _COMMAND.sub(r"\1 \2", text).rstrip()
    _write(f"::group::{escape(title)}\n::stop-commands::{token}\n{lines}\n::{token}::\n::endgroup::")


def mask(secret: str) -> None:
    """Let the runner hide a secret in everything that the job prints from now on; each line of it by itself."""
    lines = [line.strip() for line in secret.splitlines()]
    several = len(lines) > 1
    shortest = _SHORTEST_LINE if several else _SHORTEST_SECRET
    for text in dict.fromkeys(lines):
        # What stands around a PEM block is the same for all keys; a key in one line has it too.
        is_frame = several and text.startswith("-----")
        if len(text) >= shortest and not is_frame:
            _write(f"::add-mask::{escape(text)}")


def escape(text: str) -> str:
    """Return text as it may stand in a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def is_verbose() -> bool:
    """Tell whether the job runs with debug logging."""
    return os.environ.get("RUNNER_DEBUG") == "1"


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
