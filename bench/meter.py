"""A small process that starts programs and says what each needed.

The kernel counts as a program's peak memory also that of the process that started it, as it was when the program
began: a benchmark that has grown must not start what it measures by itself. This file imports little, and is run with
`-S -E`: one JSON line in, `{"words", "folder", "env"}`, one out, `{"milliseconds", "peak_mib", "exit"}`.
"""

import json
import os
import sys
import time


def measure(words: list[str], folder: str, env: dict[str, str] | None) -> dict[str, float]:
    """Run a program to its end, its output thrown away."""
    start = time.perf_counter()
    process_id = os.fork()
    if process_id == 0:
        _become(words, folder, env)
    _, status, usage = os.wait4(process_id, 0)
    took = 1000 * (time.perf_counter() - start)
    return {"milliseconds": took, "peak_mib": usage.ru_maxrss / 1024, "exit": os.waitstatus_to_exitcode(status)}


def _become(words: list[str], folder: str, env: dict[str, str] | None) -> None:
    try:
        os.chdir(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.execvpe(words[0], words, os.environ if env is None else env)
    finally:
        os._exit(127)


def main() -> None:
    """Answer line by line until the input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(measure(asked["words"], asked["folder"], asked["env"])), flush=True)


if __name__ == "__main__":
    main()
