"""The install of the GitHub action, cold and warm, against `python -m venv` and `pip install` of the same lock.

Ours is everything that a step does before its command starts: looking for a Python, the environment, the copy of the
action's own code. Packages come from a folder of wheels on both sides, so that no network is measured; nothing is kept
from round to round; uv's own cache is, in one of the rows, as on a runner that others use too. The action runs from a
checkout in which Python has compiled nothing yet, as a runner's. After each install, outside of the clock, it must have
the packages of the lock and the action's code, both complete. Goals: at most 0.10 times the baseline with uv, at most
1.0 times without; warm at most 0.10.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from functools import partial
from itertools import count
from pathlib import Path

from bench.command import PROJECT, run_measured
from bench.harness import Pairs, Row, Settings, Skipped, in_turn, row

LOCK = PROJECT / "requirements" / "client.txt"
FIND = '. "$1/find_python.sh"; find_python; exec "$python" -I -B -X utf8 -c "$2" "$1" "$3"'
"""As run.sh begins."""
INSTALL = """\
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from environment import provide_environment
from payload import provide_payload
checkout, env = pathlib.Path(sys.argv[2]), dict(os.environ)
provide_environment(checkout / "requirements" / "client.txt", env)
provide_payload(checkout, env)
"""
"""As run.py goes on."""


def run(settings: Settings) -> list[Row | Skipped]:
    """Return the four rows."""
    wheels = _find_wheels()
    uv = Path(sys.executable).with_name("uv")
    if not wheels.is_dir():
        return [Skipped("action_install", f"there are no wheels in {wheels}: `make tools` fetches them")]
    with_uv, cached, with_pip, warm = Pairs(), Pairs(), Pairs(), Pairs()
    with tempfile.TemporaryDirectory() as name:
        machine = _Machine(Path(name), wheels)
        for number in range(1 + settings.rounds(7)):
            figures, baseline = in_turn(number, partial(machine.installs, uv), machine.baseline)
            if number:
                for pairs, figure in zip((with_uv, cached, with_pip, warm), figures, strict=True):
                    pairs.add(figure, baseline)
    what = "venv + pip install of the same lock"
    return [
        row("install-uv", f"the action's install, nothing there yet, with uv / {what}", 0.10, with_uv),
        row("install-uv-cached", f"the same, and uv has the packages in its cache / {what}", 0.10, cached),
        row("install-pip", f"the action's install, nothing there yet, without uv / {what}", 1.0, with_pip),
        row("install-warm", f"the action's install, done by an earlier step / {what}", 0.10, warm),
    ]


def _find_wheels() -> Path:
    tools = Path(os.environ.get("CHAINLOOP_TOOLS") or Path.home() / ".cache" / "chainloop-tools")
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return tools / "wheels" / f"{digest}-{sys.version_info[0]}.{sys.version_info[1]}"


class _Machine:
    """A runner's machine, and what it keeps between jobs.

    What was made before is put aside and removed at the very end: ext4 looks at each inode that was freed within the
    minutes before it gives out another, which makes new files many times slower after a removal.
    """

    def __init__(self, folder: Path, wheels: Path) -> None:
        self._folder, self._wheels = folder, wheels
        self._kept, self._cache, self._path = folder / "kept", folder / "uv", folder / "bin"
        self._aside = count()
        self._checkout = _check_out(folder / "checkout")
        self._path.mkdir()
        for name in ("bash", "dirname", "sort"):
            (self._path / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self._env = {
            "PATH": str(self._path),
            "HOME": str(folder),
            "RUNNER_TEMP": str(folder / "temp"),
            "RUNNER_TOOL_CACHE": str(self._kept),
            "UV_CACHE_DIR": str(self._cache),
            "CHAINLOOP_INSTALL_PYTHON": sys.executable,
            "CHAINLOOP_INSTALL_WHEELS": str(wheels),
        }

    def baseline(self) -> float:
        """Return the milliseconds of what a script would do."""
        place = self._folder / "plain"
        self._put_aside(place)
        made = run_measured([sys.executable, "-m", "venv", str(place)], self._folder, self._env)
        install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        install += ["--require-hashes", "--no-index", f"--find-links={self._wheels}", "-r", str(LOCK)]
        installed = run_measured(install, self._folder, self._env)
        _check_packages(place)
        return made.milliseconds + installed.milliseconds

    def installs(self, uv: Path) -> tuple[float, float, float, float]:
        """Return the milliseconds with `uv`, with its cache, without it, and where it is done."""
        return self.cold(uv), self.cold(uv, cached=True), self.cold(None), self.warm()

    def cold(self, uv: Path | None, *, cached: bool = False) -> float:
        """Return the milliseconds of the install where nothing is there; `uv` is its program, if there is one."""
        self._put_aside(self._kept)
        if not cached:
            self._put_aside(self._cache)
        (self._path / "uv").unlink(missing_ok=True)
        if uv:
            (self._path / "uv").symlink_to(uv)
        return self.warm()

    def warm(self) -> float:
        """Return the milliseconds of the install with what is there."""
        shared = self._checkout / "actions" / "_shared"
        words = [str(self._path / "bash"), "-euo", "pipefail", "-c", FIND, "bash"]
        words += [str(shared), INSTALL, str(self._checkout)]
        took = run_measured(words, self._folder, self._env).milliseconds
        self._check()
        return took

    def _check(self) -> None:
        """Raise RuntimeError unless what the action has installed is whole."""
        environment, code = (self._only(start) for start in ("env-", "code-"))
        _check_packages(environment)
        here, there = (_python_files(folder / "chainloop_ci") for folder in (self._checkout, code))
        if not here or here != there:
            raise RuntimeError(f"{code} has other files than the checkout")

    def _only(self, start: str) -> Path:
        found = [path for path in self._kept.glob(f"*/{start}*") if (path / ".complete").is_file()]
        if len(found) != 1:
            raise RuntimeError(f"expected one complete folder {start}* in {self._kept}, found {len(found)}")
        return found[0]

    def _put_aside(self, place: Path) -> None:
        if place.exists():
            place.rename(self._folder / f"aside-{next(self._aside)}")


def _check_out(place: Path) -> Path:
    """Return a copy of what the action needs of its repository, without what Python compiled in ours."""
    for name in ("chainloop_ci", "actions", "requirements"):
        shutil.copytree(PROJECT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def _python_files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*.py")}


def _check_packages(environment: Path) -> None:
    """Raise RuntimeError unless every package of the lock is in the environment, in its version."""
    locked = set(re.findall(r"^([\w.-]+)==([\w.+!-]+)", LOCK.read_text(), re.MULTILINE))
    infos = (path.name.removesuffix(".dist-info") for path in environment.glob("lib/python*/site-packages/*.dist-info"))
    there = {
        (re.sub(r"[-_.]+", "-", name).lower(), version) for name, _, version in (info.partition("-") for info in infos)
    }
    missing = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in locked} - there
    if not locked or missing:
        raise RuntimeError(f"{environment} lacks {sorted(missing) or 'every package'}")
