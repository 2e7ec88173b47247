"""Installs the command of this checkout for the user of an agent, and prints the folder in which it lies.

The parts are those of the GitHub action: packages of the lock, checked by their hashes, in an environment of their own,
and a copy of the code that is named by its digest. Both are made once for an agent and a version; of two builds that do
it at the same time the first one wins. Needs the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT / "actions" / "_shared"
# Python is started with -I, which leaves the script's folder out.
sys.path[:0] = [str(SHARED), str(Path(__file__).resolve().parent)]

from environment import provide_environment  # noqa: E402
from log import InstallError  # noqa: E402
from names import named  # noqa: E402
from network import network_variables  # noqa: E402
from payload import provide_payload  # noqa: E402
from places import kept_folder, provide  # noqa: E402

_PARTS = ("network.py", "log.py", "places.py")
"""What `command.py` needs of the action."""


def main() -> None:
    """Install what is not there yet."""
    try:
        print(install())
    except InstallError as error:
        if error.output:
            print(error.output.rstrip(), file=sys.stderr)
        print(f"chainloopInstall: {error}", file=sys.stderr)
        sys.exit(error.status)


def install() -> Path:
    """Return the folder that holds `chainloop`.

    Raises:
        InstallError: it cannot be made.
    """
    env = {**os.environ, **places()}
    env |= network_variables(env, named)
    python = provide_environment(CHECKOUT / "requirements" / "client.txt", env, named)
    payload = provide_payload(CHECKOUT, env)
    own = [Path(__file__).with_name(name) for name in ("command.py", "names.py")]
    sources = [*own, *(SHARED / name for name in _PARTS)]
    facts = [str(python), str(payload), *(path.read_text(encoding="utf-8") for path in sources)]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]
    fill = partial(_fill, sources=sources, python=python, payload=payload)
    return provide(kept_folder(env) / f"programs-{digest}", lambda folder: python.exists(), fill)


def places() -> dict[str, str]:
    """Return where things are kept, in the action's words: the user's cache, and the build's temporary folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    found = {"RUNNER_TOOL_CACHE": base or str(Path.home() / ".cache")}
    if temporary := os.environ.get("WORKSPACE_TMP"):
        found["RUNNER_TEMP"] = temporary
    return found


def _fill(folder: Path, *, sources: list[Path], python: Path, payload: Path) -> None:
    parts = folder / "parts"
    parts.mkdir()
    for source in sources:
        shutil.copyfile(source, parts / source.name)
    # The folder gets its name when it is whole: its own path is found when the command runs.
    words = f"{shlex.quote(str(python))} -I -B -X utf8"
    script = f'#!/bin/sh\nexec {words} "${{0%/*}}/parts/command.py" {shlex.quote(str(payload))} "$@"\n'
    (folder / "chainloop").write_text(script, encoding="utf-8")
    (folder / "chainloop").chmod(0o755)
    batch = f'@"{python}" -I -B -X utf8 "%~dp0parts\\command.py" "{payload}" %*\r\n'
    (folder / "chainloop.cmd").write_bytes(batch.encode())


if __name__ == "__main__":
    main()
