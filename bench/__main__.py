"""`make bench`: every row, ours and its baseline in turn in one run."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench


def main(names: list[str]) -> int:
    """Run the rows called `names`, or all; return 1 when one missed its goal."""
    modules = sorted(
        item.name for item in pkgutil.iter_modules(bench.__path__) if item.name not in ("harness", "__main__")
    )
    unknown = [name for name in names if name not in modules]
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(modules)}", file=sys.stderr)
        return 2
    rows = [importlib.import_module(f"bench.{name}").run() for name in names or modules]
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
