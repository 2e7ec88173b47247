"""What a command writes: results on stdout, log lines on stderr.

Log lines are `INF|WRN|ERR|DBG message key=value` without a time (reference section 1.1). Colour only on a terminal and
never with `NO_COLOR` (no-color.org) or `TERM=dumb`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from chainloop_ci.errors import ChainloopError, Finding, OutputUnwritableError
from chainloop_ci.escaping import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from chainloop_ci.cli.dialect import Dialect
    from chainloop_ci.cli.table import Table

_COLOURS = {"INF": "32", "WRN": "33", "ERR": "31", "DBG": "90"}


class Output:
    """The two streams of one command.

    A result that cannot be written is an error (`OutputUnwritableError`). A log line that cannot be written is lost: it
    is never worth more than what the command does.
    """

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        env: Mapping[str, str],
        *,
        as_json: bool = False,
        debug: bool = False,
        dialect: Callable[[], Dialect | None] = lambda: None,
    ) -> None:
        """`dialect` returns how log lines are worded in this job; None: as they come."""
        self.stdout = stdout
        self.stderr = stderr
        self.as_json = as_json
        self.has_result = False
        """Whether something was already written to stdout."""
        self.on_warning: Callable[[str], None] = lambda line: None
        """Called with each warning as one harmless line, without its level."""
        self.on_phase: Callable[[str], None] = lambda title: None
        """Called with the title of each part of the log that may be folded away, and with nothing at its end."""
        self._find_dialect = dialect
        self._env = env
        self._debug = debug
        self._colour = stderr.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"

    @property
    def on_terminal(self) -> bool:
        """Tell whether a person watches the log lines."""
        return self.stderr.isatty()

    @property
    def columns(self) -> int | None:
        """Return how wide the terminal of the results is; None where there is none, or it does not say."""
        return self._columns(self.stdout)

    @property
    def log_columns(self) -> int | None:
        """Return how wide the terminal of the log lines is; None where there is none, or it does not say."""
        return self._columns(self.stderr)

    def table(self, *tables: Table) -> None:
        """Write tables for people: as wide as they are, but on a terminal no wider than it."""
        for table in tables:
            self._result(table.render(self.columns))

    def document(self, document: object) -> None:
        """Write a result as JSON: indented by three spaces, in the order that the caller gave it."""
        self._result(printable_json(json.dumps(document, indent=3, ensure_ascii=False)))

    def text(self, text: str) -> None:
        """Write lines of plain text as a result."""
        self._result(printable_lines(text))

    def raw(self, content: bytes) -> None:
        """Write exact bytes as a result."""
        self.has_result = True
        with _writing_result(self.stdout):
            self.stdout.flush()
            self.stdout.buffer.write(content)
            self.stdout.buffer.flush()

    def info(self, message: str, **facts: object) -> None:
        """Say what happened."""
        self._log("INF", *self._worded(message, facts))

    def warning(self, message: str, **facts: object) -> None:
        """Say what the user should look at."""
        message, facts = self._worded(message, facts)
        self.on_warning(_sentence_of(message, facts))
        self._log("WRN", message, facts)

    def phase(self, title: str) -> None:
        """Begin a part of the log that may be folded away; it ends at the next one, or where a result is shown."""
        self.on_phase(title)

    def command(self, line: str) -> None:
        """Write one line that the CI system obeys; the only way to do so, since every other line is made harmless."""
        self._to_log(line)

    def debug(self, message: str, **facts: object) -> None:
        """Say what helps to find a fault; only with `--debug`."""
        if self._debug:
            self._log("DBG", message, facts)

    def error(self, error: ChainloopError, status: int, *, level: str = "ERR") -> None:
        """Show an error with everything that was found and what to do; with `-o json` as a document on stdout too.

        `level` is WRN where it does not count as an error.
        """
        self.on_phase("")
        dialect = self._find_dialect()
        advice = dialect.advice if dialect else str
        self._log(level, dialect.message(error.message, error.code) if dialect else error.message, {})
        hints = {error.hint}
        # A single finding often stands in the message already; the same advice is given once.
        is_told = len(error.findings) == 1 and error.findings[0].message in error.message
        for finding in error.findings:
            if not is_told:
                self._line(f"  - {finding}")
            if finding.hint and finding.hint not in hints:
                hints.add(finding.hint)
                self._line(f"    hint: {advice(finding.hint)}")
        if error.hint:
            self._line(f"hint: {advice(error.hint)}")
        self._trace(error, status)
        if self.as_json and not self.has_result:
            with suppress(OutputUnwritableError):  # it stands on stderr already
                self.document(error_document(error, status))

    def _trace(self, error: ChainloopError, status: int) -> None:
        """With `--debug`: where the error was raised, and of what. No values: they may be secrets."""
        if not self._debug:
            return
        self.debug("raised", code=error.code, exit_status=status, at=_place_of(error))
        cause = error.__cause__ or error.__context__
        while cause is not None:
            # The system's own words hold no values; those of other libraries may.
            reason = {"reason": cause.strerror} if isinstance(cause, OSError) and cause.strerror else {}
            self.debug("caused by", type=type(cause).__name__, **reason, at=_place_of(cause))
            cause = cause.__cause__ or cause.__context__

    def _worded(self, message: str, facts: dict[str, object]) -> tuple[str, dict[str, object]]:
        dialect = self._find_dialect()
        if dialect is None:
            return message, facts
        return dialect.message(message), {name: dialect.fact(name, fact) for name, fact in facts.items()}

    def _log(self, level: str, message: str, facts: Mapping[str, object]) -> None:
        head = f"\x1b[{_COLOURS[level]}m{level}\x1b[0m" if self._colour else level
        self._to_log(f"{head} {_line_of(message, facts)}")

    def _line(self, text: str) -> None:
        self._to_log(printable(text))

    def _to_log(self, text: str) -> None:
        try:
            _write(self.stderr, text)
        except OSError:
            _silence(self.stderr)

    def _columns(self, stream: TextIO) -> int | None:
        if not stream.isatty():
            return None
        told = self._env.get("COLUMNS", "")
        if told.isascii() and told.isdigit() and int(told) > 0:
            return int(told)
        try:
            return os.get_terminal_size(stream.fileno()).columns or None
        except (OSError, ValueError):
            return None

    def _result(self, text: str) -> None:
        self.on_phase("")
        self.has_result = True
        with _writing_result(self.stdout):
            _write(self.stdout, text)


def error_document(error: ChainloopError, status: int) -> dict[str, object]:
    """Return an error as scripts read it."""
    fields: dict[str, object] = {"code": error.code, "message": error.message}
    if error.hint:
        fields["hint"] = error.hint
    if error.findings:
        fields["findings"] = [Finding.to_dict(finding) for finding in error.findings]
    return {"error": fields, "exitCode": status}


def _place_of(error: BaseException) -> str:
    """Return file and line at which an error was raised, the file from its package on."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{'/'.join(Path(trace.tb_frame.f_code.co_filename).parts[-3:])}:{trace.tb_lineno}"


@contextmanager
def _writing_result(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _silence(stream)
        if isinstance(error, BrokenPipeError):
            raise OutputUnwritableError("nobody reads it any more", abandoned=True) from error
        raise OutputUnwritableError(error.strerror or str(error)) from error


def _silence(stream: TextIO) -> None:
    """Let what is left in the stream's buffer go nowhere: Python would fail on it once more at its end."""
    with suppress(OSError):  # a stream of memory has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


def _sentence_of(message: str, facts: Mapping[str, object]) -> str:
    """Return a line of the log for a report: people read it, and no program."""
    told = "; ".join(
        f"{name.replace('_', ' ')}: {printable(str(value))}" for name, value in facts.items() if value != ""
    )
    return f"{printable(message)} ({told})" if told else printable(message)


def _line_of(message: str, facts: Mapping[str, object]) -> str:
    return " ".join([printable(message), *(f"{name}={_value(value)}" for name, value in facts.items())])


def _value(value: object) -> str:
    text = printable(str(value))
    return text if text and not any(character in text for character in ' "=') else json.dumps(text, ensure_ascii=False)
