"""Debian's buildah builds our images, and the kernel runs them: no engine and no registry is here.

What runs has what an engine gives it: the image's user, variables, folder and command, process number 1, a read-only
root file system, and writable only what is mounted. It shares the network with the test.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import PROJECT
from tests.integration.live import Answer

USER = "10001:10001"
BASE = "localhost/base"
LOCKS = ("build", "client", "server")
BUILD_SECONDS = 1800
_START = """\
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
shift
while [ "$1" != -- ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  shift 2
done
shift
mount -o remount,bind,ro "$root"
exec chroot --userspec="$1" --groups= "$root" env -i -C "$2" "PATH=/usr/local/bin:/usr/bin:/bin" "${@:3}"
"""
"""Arguments: the root, pairs of a folder and its place, `--`, user, working folder, variables and command."""


def tools_folder() -> Path:
    """Return where `.ci/install-tools` keeps what it makes."""
    return Path(os.environ.get("CHAINLOOP_TOOLS") or Path.home() / ".cache" / "chainloop-tools")


def missing_parts() -> list[str]:
    """Return what `.ci/install-tools --system` would have to make before an image can be built."""
    parts = [tools_folder() / "images" / "bookworm.tar", *map(_wheels, LOCKS)]
    return [str(part) for part in parts if not part.exists()]


def _wheels(lock: str) -> Path:
    digest = hashlib.sha256((PROJECT / "requirements" / f"{lock}.txt").read_bytes()).hexdigest()[:16]
    return tools_folder() / "wheels" / f"{digest}-3.11"


@dataclass
class Container:
    """A process that runs in an image."""

    process: subprocess.Popen[str]

    @property
    def first(self) -> int | None:
        """Return the process that is number 1 inside, as this machine numbers it; None before there is one."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None

    def end(self, timeout_seconds: int = 60) -> Answer:
        """Stop it as an engine does, with SIGTERM, and return what it did."""
        assert self.first is not None
        os.kill(self.first, signal.SIGTERM)
        stdout, stderr = self.process.communicate(timeout=timeout_seconds)
        return Answer(self.process.returncode, stdout, stderr)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        # All others inside end with the first one; unshare's own way is lost when the user changes.
        if self.first is None:
            self.process.kill()
        else:
            os.kill(self.first, signal.SIGKILL)
        self.process.communicate(timeout=60)


@dataclass(frozen=True)
class Image:
    """A built image, its files laid out."""

    root: Path
    config: Mapping[str, Any]
    """As an engine reads it: `User`, `Env`, `Cmd`, …"""

    def start(
        self,
        *words: str | Path,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[Path, str] | None = None,
        folder: str = "",
    ) -> Container:
        """Start a command in it: `words`, or the image's own."""
        entry = self.config.get("Entrypoint") or []
        command = [*entry, *(map(str, words) if words else self.config["Cmd"])]
        places = [text for source, place in (mounts or {}).items() for text in (str(source), place)]
        variables = self._variables(env or {})
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", _START, "start", str(self.root),
             *places, "--", self.config["User"], folder or self.config["WorkingDir"], *variables, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        return Container(process)

    def run(self, *words: str | Path, **options: Any) -> Answer:
        """Run a command in it to its end; options as for `start`."""
        container = self.start(*words, **options)
        stdout, stderr = container.process.communicate(timeout=300)
        return Answer(container.process.returncode, stdout, stderr)

    def enter(self, container: Container, command: Sequence[str], env: Mapping[str, str]) -> Answer:
        """Run a command in a container that runs, as an engine does for a health check."""
        variables = self._variables(env)
        user, group = self.config["User"].split(":")
        done = subprocess.run(
            ["nsenter", "--target", str(container.first), "--mount", "--pid", "--root", "--setuid", user,
             "--setgid", group, "env", "-i", *variables, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def _variables(self, env: Mapping[str, str]) -> list[str]:
        """Return the image's variables, the home folder of its user, as engines set it, and `env`."""
        users = (line.split(":") for line in (self.root / "etc" / "passwd").read_text().splitlines())
        home = next(entry[5] for entry in users if entry[2] == self.config["User"].partition(":")[0])
        return [f"HOME={home}", *self.config["Env"], *(f"{name}={value}" for name, value in env.items())]


class Builder:
    """buildah with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # buildah takes the best storage driver that this machine has; STORAGE_DRIVER=vfs works anywhere, slowly.
        self._options = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]

    def make_base(self) -> None:
        """Make the image that ours are built upon."""
        self._buildah("from", "--name", "base", "scratch")
        self._buildah("add", "--quiet", "base", tools_folder() / "images" / "bookworm.tar", "/")
        self._buildah("commit", "--quiet", "--rm", "base", BASE)

    def build(self, target: str) -> Image:
        """Build a target of the Dockerfile from the folder of wheels alone, and lay its files out."""
        wheels = [word for lock in LOCKS for word in ("--volume", f"{_wheels(lock)}:/wheels/{lock}:ro")]
        sources = " ".join(f"/wheels/{lock}" for lock in LOCKS)
        arguments = (f"BASE={BASE}", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={sources}")
        self._buildah(
            "bud", "--isolation", "chroot", "--format", "docker", "--target", target, "--tag", f"localhost/{target}",
            *[word for argument in arguments for word in ("--build-arg", argument)], *wheels, PROJECT,
        )  # fmt: skip
        described = json.loads(self._buildah("inspect", "--type", "image", f"localhost/{target}"))
        self._buildah("from", "--pull-never", "--name", target, f"localhost/{target}")
        root = Path(self._buildah("mount", target).strip())
        return Image(root, described["Docker"]["config"])

    def remove(self) -> None:
        """Remove everything that was built: it is large."""
        self._buildah("umount", "--all")
        self._buildah("rm", "--all")
        shutil.rmtree(self._folder)

    def _buildah(self, command: str, *words: str | Path) -> str:
        done = subprocess.run(
            ["buildah", *self._options, command, *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"buildah {command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout
