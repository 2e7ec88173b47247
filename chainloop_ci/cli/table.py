"""Tables with light box drawing, in the form that users of the 2022 commands know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from itertools import zip_longest

from chainloop_ci.cli.folding import fold, longest_word, places, shrink, wrap
from chainloop_ci.escaping import printable
from chainloop_ci.records import record

Row = Sequence[str]

_READABLE = 20
"""Places that the last column of a titled list has at least."""

RULE: tuple[str, ...] = ()
"""A row that is a line across the table."""


@record
class Table:
    """Rows of texts; all have as many cells as the header, or as the longest row."""

    rows: Sequence[Row]
    title: str | None = None
    """A line across the whole table, above everything."""
    header: Row = ()
    """Column heads; written in capitals."""
    right: frozenset[int] = field(default_factory=frozenset)
    """Columns that are aligned to the right, from 0."""
    whole: frozenset[int] = field(default_factory=frozenset)
    """Columns whose cells stay on one line, from 0: commands to type."""

    def render(self, limit: int | None = None) -> str:
        """Return the table as lines without the last line break, each of at most `limit` places.

        A table that is wider is folded inside its cells: no character of it is lost, and what may be copied (ids,
        digests, commands) stays whole, where it must beyond the border. A list that has no room for such words
        becomes a block of lines for each entry.
        """
        heads = [tuple(head.upper() for head in self.header)] if self.header else []
        rows = [*heads, *(tuple(printable(cell) for cell in row) for row in self.rows)]
        columns = max((len(row) for row in rows), default=1) or 1
        widths = _longest(rows, columns, places)
        if self.title is not None:
            # The title needs the room of all columns: the last one gives what is missing.
            widths[-1] += max(0, places(self.title) - sum(widths) - 3 * (columns - 1))
        if limit is not None:
            room = limit - 3 * columns - 1
            floors = self._floors(rows, widths) if heads else [0] * columns
            if heads and sum(widths) > room and sum(floors) > room:
                return self._blocks(rows[1:], limit)
            widths = shrink(widths, room, floors)
        return "\n".join(self._lines(rows, widths))

    def _floors(self, rows: Sequence[Row], widths: Sequence[int]) -> list[int]:
        """Return the widths that columns of a list keep. In the last one of a titled list a word may stick out."""
        floors = _longest(rows, len(widths), longest_word)
        if self.title is not None:
            floors[-1] = min(floors[-1], _READABLE)
        return [widths[index] if index in self.whole else floor for index, floor in enumerate(floors)]

    def _blocks(self, rows: Sequence[Row], limit: int) -> str:
        title = "" if self.title is None else Table([(self.title,)]).render(limit)
        blocks = (_block(self.header, row, limit, self.whole) for row in rows if row)
        return "\n".join(filter(None, (title, "\n\n".join(blocks))))

    def _lines(self, rows: Sequence[Row], widths: Sequence[int]) -> Iterable[str]:
        if self.title is None:
            yield _rule("┌┬┐", widths)
        else:
            whole = [sum(widths) + 3 * (len(widths) - 1)]
            yield _rule("┌┬┐", whole)
            yield from _row([printable(self.title)], whole)
            yield _rule("├┬┤", widths)
        # Where first cells take several lines, nothing else would show at which one the next row begins.
        apart = any(len(fold(row[0], widths[0])) > 1 for row in rows if row)
        for index, (row, following) in enumerate(zip_longest(rows, rows[1:], fillvalue=RULE)):
            yield from _row(row, widths, self.right) if row else [_rule("├┼┤", widths)]
            if (index == 0 and self.header) or (apart and row and following):
                yield _rule("├┼┤", widths)
        yield _rule("└┴┘", widths)


def _longest(rows: Sequence[Row], columns: int, measure: Callable[[str], int]) -> list[int]:
    return [max((measure(row[i]) for row in rows if i < len(row)), default=0) for i in range(columns)]


def _block(header: Row, row: Row, limit: int, whole: frozenset[int]) -> str:
    """Return an entry as lines `head  cell`, without those cells that are empty."""
    indent = max(map(places, header)) + 2
    lines = []
    for index, (head, cell) in enumerate(zip(header, row, strict=False)):
        if cell:
            first, *further = [cell] if index in whole else wrap(cell, limit - indent)
            lines += [f"{head}{' ' * (indent - places(head))}{first}", *(f"{' ' * indent}{piece}" for piece in further)]
    return "\n".join(lines)


def _rule(corners: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join("─" * (width + 2) for width in widths) + corners[2]


def _row(row: Row, widths: Sequence[int], right: frozenset[int] = frozenset()) -> Iterable[str]:
    """Return the lines of a row: as many as its tallest cell has."""
    folded = [fold(row[index] if index < len(row) else "", width) for index, width in enumerate(widths)]
    for pieces in zip_longest(*folded, fillvalue=""):
        cells = (_cell(piece, widths[index], index in right) for index, piece in enumerate(pieces))
        yield "│" + "│".join(cells) + "│"


def _cell(text: str, width: int, right: bool) -> str:
    space = " " * (width - places(text))
    return f" {space}{text} " if right else f" {text}{space} "
