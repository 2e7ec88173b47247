"""`make bench`: every row, ours and its baseline in turn in one run; `make soak` adds the long ones."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Sequence

from bench import rows
from bench.calibration import calibrate
from bench.harness import Row, Settings, Skipped

ROWS: tuple[str, ...] = tuple(sorted(item.name for item in pkgutil.iter_modules(rows.__path__)))
"""One module each, with a function `run`."""


def main(arguments: Sequence[str]) -> int:
    """Run the rows that `arguments` name, or all; return 1 when one missed its goal."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        for name in ROWS:
            print(f"{name:16} {_summary(name)}")
        return 0
    settings = Settings(pairs=asked.pairs, long=asked.long)
    calibration = calibrate()
    found: list[Row | Skipped] = []
    for name in asked.rows or ROWS:
        found += _measure(name, settings)
    if asked.output == "json":
        document = {"calibration": calibration, "rows": [entry.to_dict() for entry in found]}
        print(json.dumps(document, indent=2))
    else:
        _print_table(found, calibration)
    return 0 if all(entry.ok for entry in found if isinstance(entry, Row)) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ratios of our figures to a baseline's.")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--list", action="store_true", help="say what each row compares, and measure nothing")
    parser.add_argument("--long", action="store_true", help="the long forms too: more runs, more connections")
    parser.add_argument("--pairs", type=int, metavar="N", help="rounds of each row instead of its own number")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="form of the result")
    return parser


def _measure(name: str, settings: Settings) -> Sequence[Row | Skipped]:
    found: Sequence[Row | Skipped] = importlib.import_module(f"bench.rows.{name}").run(settings)
    for entry in found:
        print(entry, file=sys.stderr, flush=True)
    return found


def _summary(name: str) -> str:
    return (importlib.import_module(f"bench.rows.{name}").__doc__ or "").splitlines()[0]


def _print_table(found: Sequence[Row | Skipped], calibration: dict[str, float]) -> None:
    measured = [entry for entry in found if isinstance(entry, Row)]
    print("Calibration of this machine now: " + ", ".join(f"{name} {value:.4g}" for name, value in calibration.items()))
    print(f"{'row':18} {'ratio':>7} {'95 % interval':>16} {'goal':>9}  verdict  what")
    for entry in measured:
        low, high = entry.interval
        between, goal = f"{low:.2f} to {high:.2f}", f"{'>=' if entry.at_least else '<='} {entry.goal:g}"
        verdict = "met" if entry.ok else "MISSED"
        print(f"{entry.name:18} {entry.ratio:7.2f} {between:>16} {goal:>9}  {verdict:7}  {entry.what}")
    for entry in found:
        if isinstance(entry, Skipped):
            print(f"{entry.name:18} skipped: {entry.reason}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
