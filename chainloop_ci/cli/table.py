"""Tables with light box drawing, in the form that users of the 2022 commands know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chainloop_ci.cli.escaping import printable

Row = Sequence[str]

RULE: tuple[str, ...] = ()
"""A row that is a line across the table."""


@dataclass(frozen=True)
class Table:
    """Rows of texts; all have as many cells as the header, or as the longest row."""

    rows: Sequence[Row]
    title: str | None = None
    """A line across the whole table, above everything."""
    header: Row = ()
    """Column heads; written in capitals."""
    right: frozenset[int] = field(default_factory=frozenset)
    """Columns that are aligned to the right, from 0."""

    def render(self) -> str:
        """Return the table as lines without the last line break."""
        heads = [tuple(head.upper() for head in self.header)] if self.header else []
        rows = [*heads, *(tuple(printable(cell) for cell in row) for row in self.rows)]
        columns = max((len(row) for row in rows), default=1) or 1
        widths = [max((_width(row[i]) for row in rows if i < len(row)), default=0) for i in range(columns)]
        if self.title is not None:
            # The title needs the room of all columns: the last one gives what is missing.
            widths[-1] += max(0, _width(self.title) - sum(widths) - 3 * (columns - 1))
        return "\n".join(self._lines(rows, widths))

    def _lines(self, rows: Sequence[Row], widths: Sequence[int]) -> Iterable[str]:
        if self.title is None:
            yield _rule("┌┬┐", widths)
        else:
            whole = [sum(widths) + 3 * (len(widths) - 1)]
            yield _rule("┌┬┐", whole)
            yield _line([printable(self.title)], whole)
            yield _rule("├┬┤", widths)
        for index, row in enumerate(rows):
            yield _line(row, widths, self.right) if row else _rule("├┼┤", widths)
            if index == 0 and self.header:
                yield _rule("├┼┤", widths)
        yield _rule("└┴┘", widths)


def _rule(corners: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join("─" * (width + 2) for width in widths) + corners[2]


def _line(row: Row, widths: Sequence[int], right: frozenset[int] = frozenset()) -> str:
    cells = [row[index] if index < len(row) else "" for index in range(len(widths))]
    return "│" + "│".join(_cell(cell, widths[index], index in right) for index, cell in enumerate(cells)) + "│"


def _cell(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return f" {space}{text} " if right else f" {text}{space} "


def _width(text: str) -> int:
    """Return how many places of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)
