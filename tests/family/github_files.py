"""What GitHub's runner makes of the files and the log of a step, read by its own rules.

Written after actions/runner: `EnvFileKeyValuePairs` for GITHUB_OUTPUT, GITHUB_ENV and GITHUB_STATE, `ActionCommand` and
`ActionCommandManager` for commands in the log. It is as generous as the runner: what it does not find, a runner does
not obey either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REGISTERED = frozenset(
    {
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "internal-set-repo-path",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    }
)
"""Commands that a runner knows, those that it obeys only when somebody allows them included; case does not matter."""


class BrokenFileError(Exception):
    """The runner would fail the step: the file is not in the form that it reads."""


def read_pairs(text: str, *, windows: bool = False) -> dict[str, str]:
    """Return the names and values of a GITHUB_OUTPUT or GITHUB_ENV file; of a name that stands twice the last.

    Raises:
        BrokenFileError: the runner refuses the file.
    """
    return dict(_pairs(text, windows))


def read_file(path: Path) -> dict[str, str]:
    """Return the names and values of such a file on disk."""
    return read_pairs(path.read_bytes().decode("utf-8"))


def _pairs(text: str, windows: bool) -> Iterator[tuple[str, str]]:
    lines = _Lines(text, windows)
    while (line := lines.next()) is not None:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
            yield name, value
        elif heredoc >= 0:
            name, _, delimiter = line.partition("<<")
            if not name or not delimiter:
                raise BrokenFileError(f"name and delimiter must not be empty: {line!r}")
            yield name, lines.until(delimiter)
        else:
            raise BrokenFileError(f"invalid format {line!r}")


class _Lines:
    """Lines end with LF, on Windows with CR LF too; a value keeps the bytes between the lines as they are."""

    def __init__(self, text: str, windows: bool) -> None:
        self._text, self._windows = text, windows
        self._at = 0
        self._newline: str | None = None

    def next(self) -> str | None:
        if self._at >= len(self._text):
            self._newline = None
            return None
        begin, end = self._at, self._text.find("\n", self._at)
        if end < 0:
            self._at, self._newline = len(self._text), None
            return self._text[begin:]
        self._at, self._newline = end + 1, "\n"
        if self._windows and self._text[begin:end].endswith("\r"):
            self._newline = "\r\n"
            end -= 1
        return self._text[begin:end]

    def until(self, delimiter: str) -> str:
        begin = end = self._at
        while (line := self.next()) != delimiter:
            if line is None:
                raise BrokenFileError(f"matching delimiter not found: {delimiter!r}")
            if self._newline is None:
                raise BrokenFileError("the line of the end marker has no line break before it")
            end = self._at - len(self._newline)
        return self._text[begin:end]


@dataclass(frozen=True)
class LogCommand:
    """One command that the runner obeys."""

    name: str
    data: str
    properties: dict[str, str] = field(default_factory=dict)


def read_commands(log: str) -> list[LogCommand]:
    """Return the commands that the runner obeys, in order, `stop-commands` taken into account."""
    found: list[LogCommand] = []
    stopped_until = ""
    for line in log.split("\n"):
        # .NET takes both forms of a line's end away.
        command = _parse(line.removesuffix("\r"), stopped_until)
        if command is None:
            continue
        if stopped_until:
            stopped_until = "" if command.name == stopped_until.lower() else stopped_until
            continue
        if command.name == "stop-commands":
            stopped_until = command.data
        found.append(command)
    return found


def _parse(line: str, resume: str) -> LogCommand | None:
    known = REGISTERED | ({resume.lower()} if resume else set())
    return _parse_new(line.lstrip(), known) or _parse_old(line, known)


def _parse_new(line: str, known: frozenset[str] | set[str]) -> LogCommand | None:
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    return _command(
        line[2:end], line[end + 2 :], known, ",", (("%0D", "\r"), ("%0A", "\n")), (("%3A", ":"), ("%2C", ","))
    )


def _parse_old(line: str, known: frozenset[str] | set[str]) -> LogCommand | None:
    begin = line.find("##[")
    end = line.find("]", begin)
    if begin < 0 or end < 0:
        return None
    escapes = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"))
    return _command(line[begin + 3 : end], line[end + 1 :], known, ";", escapes, ())


def _command(
    head: str,
    data: str,
    known: frozenset[str] | set[str],
    separator: str,
    escapes: tuple[tuple[str, str], ...],
    of_properties: tuple[tuple[str, str], ...],
) -> LogCommand | None:
    name, _, rest = head.partition(" ")
    if name.lower() not in known:
        return None
    pairs = (part.partition("=") for part in rest.strip().split(separator) if part)
    properties = {
        key.lower(): _unescape(value, (*escapes, *of_properties)) for key, equals, value in pairs if equals and value
    }
    return LogCommand(name.lower(), _unescape(data, escapes), properties)


def _unescape(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for written, meant in (*escapes, ("%25", "%")):
        text = text.replace(written, meant)
    return text
