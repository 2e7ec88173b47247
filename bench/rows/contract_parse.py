"""Load a contract of 10 KB, against `yaml.CSafeLoader` on the same bytes.

Ours keeps the place of every value, reads scalars as YAML 1.2 says, and checks limits, schema and rules. Goal: at most
2 times.
"""

from __future__ import annotations

import yaml

from bench.harness import Row, Settings, measure, milliseconds, row
from chainloop_ci.contract.load import load

SIZE_BYTES = 10_000
GOAL = 2.0
_REPEATS = 5

_HEAD = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata:\n  name: bench\nspec:\n  materials:\n"
_ENTRY = """\
    - name: material-{:04}
      type: ARTIFACT
      output: true
      annotations:
        - name: team
"""


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    raw = _contract()
    ours = milliseconds(lambda: [load(raw) for _ in range(_REPEATS)])
    bare = milliseconds(lambda: [yaml.load(raw, Loader=yaml.CSafeLoader) for _ in range(_REPEATS)])
    return [
        row(
            "contract-parse",
            "load a contract of 10 KB / yaml.CSafeLoader",
            GOAL,
            measure(settings.rounds(), ours, bare),
        )
    ]


def _contract() -> bytes:
    count = (SIZE_BYTES - len(_HEAD)) // len(_ENTRY.format(0))
    return (_HEAD + "".join(_ENTRY.format(number) for number in range(count))).encode()
