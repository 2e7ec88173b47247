"""How far an upload is: a bar on a terminal, one line with size and rate in a log."""

from __future__ import annotations

from collections.abc import Callable

from chainloop_ci.cli.folding import places, shorten
from chainloop_ci.cli.output import Output
from chainloop_ci.digests import Digest
from chainloop_ci.escaping import printable

Clock = Callable[[], float]
"""Seconds, counted from anywhere."""

_BAR_PLACES = 18
_SECONDS_BETWEEN_DRAWINGS = 0.1
_LEAST_BYTES = 64 * 1024
_LEAST_SECONDS = 0.05
"""Below either a rate would say how long the answer took, not how fast the line is."""
_BRIEF_DIGEST = len("sha256:") + 12
_LEAST_OF_A_NAME = 8
_USUAL_COLUMNS = 80
"""Of a terminal that does not say how wide it is."""
_ERASE_LINE = "\r\x1b[2K"


class Upload:
    """Shows one upload, or one download. Source of the form: the transcript of 2022."""

    def __init__(self, output: Output, filename: str, size_bytes: int, clock: Clock, *, verb: str = "uploaded") -> None:
        self._output = output
        self._verb = verb
        self._filename = printable(filename)
        self._size_bytes = size_bytes
        self._clock = clock
        self._began = clock()
        self._drawn = 0.0
        self._sent_bytes = 0

    def advance(self, size_bytes: int) -> None:
        """Count bytes that were sent."""
        self._sent_bytes += size_bytes
        now = self._clock()
        if self._output.on_terminal and now - self._drawn >= _SECONDS_BETWEEN_DRAWINGS:
            self._drawn = now
            self._output.stderr.write(_ERASE_LINE + self._line(now - self._began))
            self._output.stderr.flush()

    def done(self, digest: Digest) -> None:
        """Say that everything was sent."""
        seconds = self._clock() - self._began
        size, rate = render_size(self._size_bytes), _rate_text(self._size_bytes, seconds)
        if self._output.on_terminal:
            facts = f" ... done! [{size} in {seconds:.3f}s{f'; {rate}' if rate else ''}]"
            self._output.stderr.write(f"{_ERASE_LINE}{self._named(digest, self._room(facts))}{facts}\n")
            self._output.stderr.flush()
        else:
            told = {"rate": rate} if rate else {}
            self._output.info(self._verb, file=self._filename, size=size, duration=f"{seconds:.3f}s", **told)

    def _line(self, seconds: float) -> str:
        share = min(1.0, self._sent_bytes / self._size_bytes) if self._size_bytes else 1.0
        filled = round(share * _BAR_PLACES)
        bar = "#" * filled + "." * (_BAR_PLACES - filled)
        rate = _rate_text(self._sent_bytes, seconds)
        left = (self._size_bytes - self._sent_bytes) * seconds / self._sent_bytes if rate and share < 1 else 0.0
        facts = f"{render_size(self._sent_bytes)} in {seconds:.1f}s"
        facts += (f"; ~ETA: {left:.0f}s" if left else "") + (f"; {rate}" if rate else "")
        # A line that wraps could not be erased again: on a narrow terminal it says less.
        heads = (f"{share:.2%} [{bar}] [{facts}] ... ", f"{share:.2%} [{bar}] ... ")
        head = next((head for head in heads if self._room(head) >= _LEAST_OF_A_NAME), f"{share:.0%} ")
        return head + shorten(self._filename, self._room(head))

    def _room(self, taken: str) -> int:
        """Return how many places of the line are left; the last one stays free, some terminals wrap after it."""
        return max(0, (self._output.log_columns or _USUAL_COLUMNS) - 1 - places(taken))

    def _named(self, digest: Digest, room: int) -> str:
        """Return name and digest; where they have no room, the beginning of the digest: the result has it whole."""
        whole = f"{self._filename}@{digest}"
        if places(whole) <= room:
            return whole
        brief = f"@{digest[:_BRIEF_DIGEST]}…"
        if room - places(brief) < _LEAST_OF_A_NAME:
            return shorten(self._filename, room)
        return shorten(self._filename, room - places(brief)) + brief


class ConsoleReporter:
    """Tells the user what happens, on stderr: the adapter for `crafting.ports.Reporter`."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output = output
        self._clock = clock
        self.info = output.info
        self.warning = output.warning
        self.debug = output.debug

    def upload(self, filename: str, size_bytes: int) -> Upload:
        """Begin to show an upload."""
        return Upload(self._output, filename, size_bytes, self._clock)


def _rate_text(size_bytes: int, seconds: float) -> str:
    """Return how fast bytes went, empty where that says nothing."""
    if size_bytes < _LEAST_BYTES or seconds < _LEAST_SECONDS:
        return ""
    return f"{render_size(size_bytes / seconds)}/s"


def render_size(size_bytes: float) -> str:
    """Return a size for people: `36.82MB`. Units are powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f}{unit}" if unit == "B" else f"{size_bytes:.2f}{unit}"
        size_bytes /= 1000
    return f"{size_bytes:.2f}TB"
