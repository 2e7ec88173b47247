"""Brings the command onto an agent: takes a checkout of chainloop, and prints the folder in which its command lies.

Python's standard library only. A checkout says itself how it is installed (`jenkins/provide.py` in it), so that this
library can install another version than its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

OLDEST = (3, 11)
FETCH_TIMEOUT_SECONDS = 600
_COMMIT = re.compile(r"[0-9a-f]{40}")


def main() -> None:
    """Print the folder of the command of CHAINLOOP_INSTALL_SOURCE at CHAINLOOP_INSTALL_REF."""
    wanted = os.environ.get("CHAINLOOP_INSTALL_PYTHON")
    if os.name == "nt" and wanted and Path(wanted).resolve() != Path(sys.executable).resolve():
        sys.exit(subprocess.run([wanted, "-I", "-B", "-X", "utf8", __file__], check=False).returncode)
    if sys.version_info < OLDEST:
        fail(f"expected Python 3.11 or newer, found {sys.version.split()[0]}: name one with the argument python")
    source = os.environ.get("CHAINLOOP_INSTALL_SOURCE", "")
    if not source:
        fail("source is required: the git address of chainloop, or the folder of a checkout on the agent")
    if is_folder(source):
        print(provide(Path(source).absolute()))
        return
    kept = kept_answer(os.environ.get("CHAINLOOP_INSTALL_REF", ""))
    if kept and (programs := read(kept)):
        print(programs)
        return
    # With the build's other temporary files: removed here, and by Jenkins when we are killed before.
    with tempfile.TemporaryDirectory(prefix="chainloop-", dir=os.environ.get("WORKSPACE_TMP")) as folder:
        programs = provide(fetch(source, Path(folder) / "source"))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(programs, encoding="utf-8")
    print(programs)


def is_folder(text: str) -> bool:
    """Tell whether a text is the path of a folder; some texts cannot be paths."""
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):
        return False


def cache() -> Path:
    """Return where the agent's user keeps what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base) if base else Path.home() / ".cache"


def kept_answer(ref: str) -> Path | None:
    """Return the file that names the folder of a commit: only a commit is the same thing tomorrow."""
    return cache() / "chainloop" / f"at-{ref}" if _COMMIT.fullmatch(ref) else None


def read(kept: Path) -> str:
    """Return the folder that an earlier build has made, if it is still there."""
    try:
        programs = kept.read_text(encoding="utf-8")
    except OSError:
        return ""
    return programs if Path(programs).is_dir() else ""


def fetch(source: str, folder: Path) -> Path:
    """Fetch one commit; git's own credentials on the agent are used, and it never asks."""
    git = shutil.which("git")
    if git is None:
        fail("the argument source is no folder on this agent, and there is no git to fetch it with")
    env = {**os.environ, **git_network(), "GIT_TERMINAL_PROMPT": "0"}
    ref = os.environ.get("CHAINLOOP_INSTALL_REF") or "HEAD"
    for words in (
        ["init", "--quiet", str(folder)],
        # -c protocol.ext: an address like ext::COMMAND would be a command.
        ["-C", str(folder), "-c", "protocol.ext.allow=never", "fetch", "--quiet", "--depth", "1", "--", source, ref],
        ["-C", str(folder), "checkout", "--quiet", "--detach", "FETCH_HEAD"],
    ):
        try:
            done = subprocess.run(
                [git, *words],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                timeout=FETCH_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            fail(f"git could not fetch the argument source: {type(error).__name__}")
        if done.returncode != 0:
            fail("git could not fetch sourceRef from source (see above): check both, and the agent's access to it")
    return folder


def git_network() -> dict[str, str]:
    """Return git's variables for the arguments proxyCredentialsId, noProxy and caBundle."""
    names = {
        "CHAINLOOP_PROXY": ("HTTPS_PROXY", "https_proxy", "http_proxy"),
        "CHAINLOOP_NO_PROXY": ("NO_PROXY", "no_proxy"),
        "CHAINLOOP_CA_BUNDLE": ("GIT_SSL_CAINFO",),
    }
    return {name: os.environ[own] for own, theirs in names.items() if os.environ.get(own) for name in theirs}


def provide(checkout: Path) -> str:
    """Let a checkout install itself and return the folder of its command."""
    script = checkout / "jenkins" / "provide.py"
    if not script.is_file():
        fail("the argument source holds no checkout of chainloop: jenkins/provide.py is not in it")
    command = [sys.executable, "-I", "-B", "-X", "utf8", str(script)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout.strip()


def fail(message: str) -> NoReturn:
    """Say what is wrong where people look, and end."""
    print(f"chainloopInstall: {message}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
