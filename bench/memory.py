"""What processes hold, as Linux counts it: a page that several share is counted for each in part (PSS)."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

_EVERY_SECONDS = 0.02


def family(process_id: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [process_id]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def pss_mib(process_ids: list[int]) -> float:
    """Return the memory of several processes together."""
    total = 0
    for process_id in process_ids:
        with suppress(OSError):
            text = Path(f"/proc/{process_id}/smaps_rollup").read_text()
            match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
            total += int(match[1]) if match else 0
    return total / 1024


class Watch:
    """Looks at a process and its children again and again, and remembers the most."""

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak_mib = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self.peak_mib = max(self.peak_mib, pss_mib(family(self._process_id)))
