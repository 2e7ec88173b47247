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


def listening(process_ids: list[int], port: int) -> list[int]:
    """Return those that hold the socket which listens at a port: the workers of a server, and not what runs beside."""
    wanted = {f"socket:[{inode}]" for inode in _listening_sockets(port)}
    return [process_id for process_id in process_ids if wanted & set(_open_files(process_id))]


def _listening_sockets(port: int) -> set[str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # Columns of proc(5): local address, state (0A: listening), inode.
    return {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}


def _open_files(process_id: int) -> list[str]:
    found = []
    for place in Path(f"/proc/{process_id}/fd").iterdir():
        with suppress(OSError):
            found.append(str(place.readlink()))
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
