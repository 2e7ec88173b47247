"""A clock that several processes read, and that one of them moves on while nobody has anything to do.

Pauses between two tries grow to a quarter of an hour. Whoever skips them sees the same tries in the same order, and no
lease becomes shorter for one who is at work: the clock goes on as the machine's does, and is moved only when all wait.
"""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_OFFSET = struct.Struct("=q")


class SharedClock:
    """The machine's time and an offset that stands in a file."""

    def __init__(self, path: Path) -> None:
        """Open the clock; it is made when it is not there."""
        with path.open("a+b") as file:
            if not file.tell():
                file.write(_OFFSET.pack(0))
                file.flush()
            self._place = mmap.mmap(file.fileno(), _OFFSET.size)

    def __call__(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + timedelta(microseconds=self._offset)

    def advance(self, by: timedelta) -> None:
        """Skip so much time, for everybody who reads the clock."""
        _OFFSET.pack_into(self._place, 0, self._offset + round(by / timedelta(microseconds=1)))

    @property
    def _offset(self) -> int:
        return int(_OFFSET.unpack_from(self._place)[0])
