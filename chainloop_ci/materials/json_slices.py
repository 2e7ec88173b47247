"""Pieces of a JSON document that are small enough to have every fault in them listed.

The checker of schemas makes an object of some kilobytes for each violation, and all of them before it hands out the
first: a megabyte of `{}` would take gigabytes and ten seconds. So a large document is listed piece by piece. What a
piece leaves out can hide a violation or, in a contrived document, feign one: pieces say where, never whether.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chainloop_ci.records import record

MAX_VALUES = 10_000
"""Values in a piece: members, items and what they hold."""
_MAX_MEMBERS = 256
"""No schema here names more members of one object than this."""
_FEW = 50

Path = tuple[str | int, ...]


@record
class Slice:
    """A piece of a document: the way to one array of it, and some items of that array."""

    document: Any
    way: Path = ()
    """Leads to the array in the whole document; empty: the piece is the beginning of everything."""
    start: int = 0
    """Index of the first item that the piece holds."""

    def locate(self, path: Path) -> Path | None:
        """Return where a place in the piece lies in the whole document; None: outside the items of this piece."""
        depth = len(self.way)
        if not depth:
            return path
        way = tuple(0 if isinstance(step, int) else step for step in self.way)
        if len(path) <= depth or path[:depth] != way:
            return None
        return (*self.way, int(path[depth]) + self.start, *path[depth + 1 :])


def is_small(document: Any) -> bool:
    """Tell whether a document has at most `MAX_VALUES` values."""
    return _is_within(document, MAX_VALUES)


def slices(document: Any) -> Iterator[Slice]:
    """Yield the beginning of everything, then the items of each long array, a piece at a time.

    Arrays inside the items of a long array are cut when they are long themselves.
    """
    yield Slice(_cut(document, _Budget(MAX_VALUES)))
    for way, array in _long_arrays(document, ()):
        start = 0
        while start < len(array):
            items, budget = [], _Budget(MAX_VALUES)
            for item in array[start : start + MAX_VALUES]:
                items.append(_cut(item, budget))
                if budget.left <= 0:
                    break
            yield Slice(_frame(document, way, items), way, start)
            start += len(items)


@dataclass(slots=True)
class _Budget:
    """How many values may still be read."""

    left: int


def _is_within(document: Any, count: int) -> bool:
    waiting, left = [document], count
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list)):
            left -= len(value)
            if left < 0:
                return False
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return True


def _cut(value: Any, budget: _Budget) -> Any:
    """Copy `value`; when the budget is used up, arrays end after one item and objects after `_MAX_MEMBERS`."""
    budget.left -= 1
    if not isinstance(value, (dict, list)):
        return value
    least = _MAX_MEMBERS if isinstance(value, dict) else 1
    kept: list[Any] = []
    for entry in value.items() if isinstance(value, dict) else value:
        if budget.left <= 0 and (len(kept) >= least or budget.left < -MAX_VALUES):
            break
        kept.append((entry[0], _cut(entry[1], budget)) if isinstance(value, dict) else _cut(entry, budget))
    return dict(kept) if isinstance(value, dict) else kept


def _long_arrays(value: Any, way: Path) -> Iterator[tuple[Path, list[Any]]]:
    """Yield the outermost arrays with more than a few items, and the way to each."""
    if isinstance(value, list) and len(value) > _FEW:
        yield way, value
    elif isinstance(value, (dict, list)):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _long_arrays(inner, (*way, step))


def _frame(value: Any, way: Path, items: list[Any]) -> Any:
    """Return the objects on the way to an array with `items` in its place, and little of everything beside it."""
    if not way:
        return items
    if isinstance(value, list):
        return [_frame(value[int(way[0])], way[1:], items)]
    return {
        name: _frame(inner, way[1:], items) if name == way[0] else _cut(inner, _Budget(_FEW))
        for name, inner in value.items()
    }
