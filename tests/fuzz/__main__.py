"""Fuzz the targets: `python -m tests.fuzz [NAME …] [--seconds 60] [--jobs 2] [--corpus FOLDER]`.

Each target runs in a process of its own under the fuzzer; what broke it stays in `.fuzz/<target>/`. Ends with 1 when
one broke.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target

MEMORY_MIB = 2048
INPUT_SECONDS = 10
MAX_INPUT_BYTES = 16 * 1024


def main(arguments: Sequence[str]) -> int:
    """Run the fuzzer over the named targets, or over all, and return the exit status."""
    options = _options(arguments)
    unknown = sorted(set(options.names) - set(TARGETS))
    if unknown:
        print(f"no such target: {', '.join(unknown)}; there are: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    waiting = [TARGETS[name] for name in options.names or TARGETS]
    running: dict[subprocess.Popen[bytes], tuple[Target, float]] = {}
    broken: list[str] = []
    while waiting or running:
        while waiting and len(running) < options.jobs:
            target = waiting.pop(0)
            running[_start(target, options)] = (target, time.monotonic())
        for process in [process for process in running if process.poll() is not None]:
            target, began = running.pop(process)
            broken += _report(target, process, time.monotonic() - began, options.out)
        time.sleep(0.1)
    print(f"fuzz: {len(TARGETS) if not options.names else len(options.names)} targets, {len(broken)} broken")
    return 1 if broken else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once (default: one a core)")
    parser.add_argument("--corpus", type=Path, help="folder of real documents to begin with, besides the seeds")
    parser.add_argument("--out", type=Path, default=Path(".fuzz"), help="folder of logs and of what broke a target")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of the fuzzer; printed")
    return parser.parse_args(arguments)


def _start(target: Target, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    folder = options.out.resolve() / target.name
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)
    (folder / "words").write_text("".join(f'"{_escape(word)}"\n' for word in target.words))
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.engine",
        target.name,
        f"-max_total_time={options.seconds}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-timeout={INPUT_SECONDS}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-seed={options.seed}",
        f"-artifact_prefix={folder}/",
        *([f"-dict={folder / 'words'}"] if target.words else []),
        str(seeds),
        *([str(options.corpus)] if options.corpus else []),
    ]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def _escape(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def _report(target: Target, process: subprocess.Popen[bytes], seconds: float, out: Path) -> list[str]:
    log = (out / target.name / "log").read_text(errors="replace")
    runs = [line for line in log.splitlines() if line.startswith("Done ")]
    if process.returncode == 0 and runs:
        print(f"ok      {target.name:<22} {runs[-1]}", flush=True)
        return []
    print(
        f"BROKEN  {target.name:<22} exit {process.returncode} after {seconds:.0f} s, see {out / target.name}",
        flush=True,
    )
    print("\n".join(log.splitlines()[-25:]), flush=True)
    return [target.name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
