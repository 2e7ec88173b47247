"""Fits texts into the places of a terminal: widths, folding, shortening.

A place is what a narrow character takes; wide ones take two (Unicode Standard Annex 11), combining ones none.
"""

from __future__ import annotations

from collections.abc import Sequence

_FEWEST = 2
"""Places of the narrowest column: one wide character."""
_ELLIPSIS = "…"


def places(text: str) -> int:
    """Return how many places of a terminal `text` takes."""
    return len(text) if text.isascii() else sum(map(_places_of, text))


def _places_of(character: str) -> int:
    from unicodedata import combining, east_asian_width

    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def fold(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` places: broken at spaces, and inside of what is longer than a line.

    Only a space at which a line ends is left out.
    """
    lines = []
    while places(text) > width:
        # One character at least, however narrow the column is.
        end = max(1, _fitting(text, width))
        # A space right behind the last place is a place to break too.
        space = text.rfind(" ", 0, end + 1)
        if text[:space].strip() and space > 0:
            lines.append(text[:space])
            text = text[space + 1 :]
        else:
            lines.append(text[:end])
            text = text[end:]
    return [*lines, text] if text or not lines else lines


def wrap(text: str, width: int) -> list[str]:
    """Return `text` in lines broken at spaces only: a word that is longer than `width` stays whole, to be copied."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if places(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def shorten(text: str, width: int) -> str:
    """Return `text` with its middle left out where it takes more than `width` places; for what is shown in passing."""
    if places(text) <= width:
        return text
    if width < 1:
        return ""
    head = _fitting(text, width // 2)
    tail = text[::-1][: _fitting(text[::-1], width - 1 - places(text[:head]))][::-1]
    return f"{text[:head]}{_ELLIPSIS}{tail}"


def _fitting(text: str, width: int) -> int:
    """Return how many characters of `text` fit."""
    taken = 0
    for index, character in enumerate(text):
        taken += _places_of(character)
        if taken > width:
            return index
    return len(text)


def shrink(widths: Sequence[int], room: int) -> list[int]:
    """Return widths that together have `room` at most: the widest give first, all of them down to the same width.

    Where even the narrowest columns have no room, the table stays wider than the terminal.
    """
    if sum(widths) <= room:
        return list(widths)
    cap = max(widths)
    while cap > _FEWEST and sum(min(width, cap) for width in widths) > room:
        cap -= 1
    shrunk = [min(width, cap) for width in widths]
    spare = room - sum(shrunk)
    for index, width in enumerate(widths):
        if spare > 0 and width > cap:
            shrunk[index] += 1
            spare -= 1
    return shrunk
