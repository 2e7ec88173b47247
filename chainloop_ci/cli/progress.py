"""How far an upload is: a bar on a terminal, one line with size and rate in a log."""

from __future__ import annotations

from collections.abc import Callable

from chainloop_ci.cli.escaping import printable
from chainloop_ci.cli.output import Output
from chainloop_ci.digests import Digest

Clock = Callable[[], float]
"""Seconds, counted from anywhere."""

_BAR_PLACES = 18
_SECONDS_BETWEEN_DRAWINGS = 0.1
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
        size, rate = render_size(self._size_bytes), f"{render_size(self._rate(self._size_bytes, seconds))}/s"
        if self._output.on_terminal:
            text = f"{self._filename}@{digest} ... done! [{size} in {seconds:.3f}s; {rate}]"
            self._output.stderr.write(f"{_ERASE_LINE}{text}\n")
            self._output.stderr.flush()
        else:
            self._output.info(self._verb, file=self._filename, size=size, duration=f"{seconds:.3f}s", rate=rate)

    def _line(self, seconds: float) -> str:
        share = min(1.0, self._sent_bytes / self._size_bytes) if self._size_bytes else 1.0
        filled = round(share * _BAR_PLACES)
        bar = "#" * filled + "." * (_BAR_PLACES - filled)
        rate = self._rate(self._sent_bytes, seconds)
        left = f"~ETA: {(self._size_bytes - self._sent_bytes) / rate:.0f}s; " if share < 1 and rate else ""
        facts = f"{render_size(self._sent_bytes)} in {seconds:.1f}s; {left}{render_size(rate)}/s"
        return f"{share:.2%} [{bar}] [{facts}] ... {self._filename}"

    @staticmethod
    def _rate(size_bytes: int, seconds: float) -> float:
        return size_bytes / seconds if seconds > 0 else 0.0


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


def render_size(size_bytes: float) -> str:
    """Return a size for people: `36.82MB`. Units are powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f}{unit}" if unit == "B" else f"{size_bytes:.2f}{unit}"
        size_bytes /= 1000
    return f"{size_bytes:.2f}TB"
