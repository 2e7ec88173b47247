"""What a command writes: results on stdout, log lines on stderr.

Log lines are `INF|WRN|ERR|DBG message key=value` without a time (reference section 1.1). Colour only on a terminal and
never with `NO_COLOR` (no-color.org) or `TERM=dumb`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from chainloop_ci.cli.escaping import printable, printable_json, printable_lines
from chainloop_ci.errors import ChainloopError, Finding

if TYPE_CHECKING:
    from chainloop_ci.cli.table import Table

_COLOURS = {"INF": "32", "WRN": "33", "ERR": "31", "DBG": "90"}


class Output:
    """The two streams of one command."""

    def __init__(
        self, stdout: TextIO, stderr: TextIO, env: Mapping[str, str], *, as_json: bool = False, debug: bool = False
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.as_json = as_json
        self.has_result = False
        """Whether something was already written to stdout."""
        self._debug = debug
        self._colour = stderr.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"

    @property
    def on_terminal(self) -> bool:
        """Tell whether a person watches the log lines."""
        return self.stderr.isatty()

    def table(self, *tables: Table) -> None:
        """Write tables for people."""
        for table in tables:
            self._result(table.render())

    def document(self, document: object) -> None:
        """Write a result as JSON: indented by three spaces, in the order that the caller gave it."""
        self._result(printable_json(json.dumps(document, indent=3, ensure_ascii=False)))

    def text(self, text: str) -> None:
        """Write lines of plain text as a result."""
        self._result(printable_lines(text))

    def raw(self, content: bytes) -> None:
        """Write exact bytes as a result."""
        self.has_result = True
        self.stdout.flush()
        self.stdout.buffer.write(content)
        self.stdout.buffer.flush()

    def info(self, message: str, **facts: object) -> None:
        """Say what happened."""
        self._log("INF", message, facts)

    def warning(self, message: str, **facts: object) -> None:
        """Say what the user should look at."""
        self._log("WRN", message, facts)

    def debug(self, message: str, **facts: object) -> None:
        """Say what helps to find a fault; only with `--debug`."""
        if self._debug:
            self._log("DBG", message, facts)

    def error(self, error: ChainloopError, status: int) -> None:
        """Show an error with everything that was found and what to do; with `-o json` as a document on stdout too."""
        self._log("ERR", error.message, {})
        hints = {error.hint}
        # A single finding often stands in the message already; the same advice is given once.
        is_told = len(error.findings) == 1 and error.findings[0].message in error.message
        for finding in error.findings:
            if not is_told:
                self._line(f"  - {finding}")
            if finding.hint and finding.hint not in hints:
                hints.add(finding.hint)
                self._line(f"    hint: {finding.hint}")
        if error.hint:
            self._line(f"hint: {error.hint}")
        if self.as_json and not self.has_result:
            self.document(error_document(error, status))

    def _log(self, level: str, message: str, facts: Mapping[str, object]) -> None:
        head = f"\x1b[{_COLOURS[level]}m{level}\x1b[0m" if self._colour else level
        words = [printable(message), *(f"{name}={_value(value)}" for name, value in facts.items())]
        _write(self.stderr, " ".join([head, *words]))

    def _line(self, text: str) -> None:
        _write(self.stderr, printable(text))

    def _result(self, text: str) -> None:
        self.has_result = True
        _write(self.stdout, text)


def error_document(error: ChainloopError, status: int) -> dict[str, object]:
    """Return an error as scripts read it."""
    fields: dict[str, object] = {"code": error.code, "message": error.message}
    if error.hint:
        fields["hint"] = error.hint
    if error.findings:
        fields["findings"] = [Finding.to_dict(finding) for finding in error.findings]
    return {"error": fields, "exitCode": status}


def _write(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


def _value(value: object) -> str:
    text = printable(str(value))
    return text if text and not any(character in text for character in ' "=') else json.dumps(text, ensure_ascii=False)
