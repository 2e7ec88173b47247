"""`make bench`: every row, ours and its baseline in turn in one run; `make soak` adds the long ones."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from bench import rows
from bench.calibration import calibrate
from bench.harness import Failed, Result, Row, Settings, Skipped, attempt

ROWS: tuple[str, ...] = tuple(sorted(item.name for item in pkgutil.iter_modules(rows.__path__)))
"""One module each, with a function `run`."""

Measure = Callable[[Settings], Iterable[Result]]


def main(arguments: Sequence[str]) -> int:
    """Run the rows that `arguments` name, or all; return 1 when one missed its goal or failed."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        for name in ROWS:
            print(f"{name:16} {_summary(name)}")
        return 0
    settings = Settings(pairs=asked.pairs, long=asked.long)
    calibration = calibrate()
    found = measure_all({name: partial(_run, name) for name in asked.rows or ROWS}, settings)
    if asked.output == "json":
        document = {"calibration": calibration, "rows": [entry.to_dict() for entry in found]}
        print(json.dumps(document, indent=2))
    else:
        _print_table(found, calibration)
    return exit_status(found)


def measure_all(rows_by_name: Mapping[str, Measure], settings: Settings) -> list[Result]:
    """Measure one after the other and say each row on standard error as soon as it is known.

    What fails is a row of its own, and keeps none of the others from being measured.
    """
    found: list[Result] = []
    for name, run in rows_by_name.items():
        for entry in attempt(name, partial(run, settings)):
            print(entry, file=sys.stderr, flush=True)
            found.append(entry)
    return found


def exit_status(found: Iterable[Result]) -> int:
    """Return 1 when a row missed its goal or could not be measured, else 0."""
    bad = (isinstance(entry, Failed) or (isinstance(entry, Row) and not entry.ok) for entry in found)
    return int(any(bad))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios of our figures to a baseline's.")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--list", action="store_true", help="say what each row compares, and measure nothing")
    parser.add_argument("--long", action="store_true", help="the long forms too: more runs, more connections")
    parser.add_argument("--pairs", type=int, metavar="N", help="rounds of each row instead of its own number")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="form of the result")
    return parser


def _load(name: str) -> Any:
    return importlib.import_module(f"bench.rows.{name}")


def _run(name: str, settings: Settings) -> Iterable[Result]:
    found: Iterable[Result] = _load(name).run(settings)
    return found


def _summary(name: str) -> str:
    return (_load(name).__doc__ or "").splitlines()[0]


def _print_table(found: Sequence[Result], calibration: dict[str, float]) -> None:
    print("Calibration of this machine now: " + ", ".join(f"{name} {value:.4g}" for name, value in calibration.items()))
    print(f"{'row':22} {'ratio':>7} {'95 % interval':>22} {'goal':>7}  verdict  what")
    for entry in found:
        if isinstance(entry, Row):
            figures = f"{entry.ratio:7.2f} {entry.between:>22} {entry.wanted:>7}"
            print(f"{entry.name:22} {figures}  {entry.verdict:7}  {entry.what}")
    for entry in found:
        if isinstance(entry, Skipped):
            print(f"{entry.name:22} skipped: {entry.reason}")
        elif isinstance(entry, Failed):
            print(f"{entry.name:22} FAILED: {entry.reason.splitlines()[0]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
