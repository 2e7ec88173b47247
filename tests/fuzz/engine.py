"""One target under atheris, the coverage-guided fuzzer: `python -m tests.fuzz.engine NAME [libFuzzer options]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["chainloop_ci", "server"]):
    from tests.fuzz.targets import TARGETS

from chainloop_ci.errors import ChainloopError


def main() -> None:
    """Fuzz until the time is over; the process ends with the fuzzer's status."""
    target = TARGETS[sys.argv[1]]

    def one_input(raw: bytes) -> None:
        try:
            target.run(raw)
        except ChainloopError:
            return

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
