"""Fits texts into the places of a terminal: widths, folding, shortening.

A place is what a narrow character takes; wide ones take two (Unicode Standard Annex 11), combining ones none.
"""

from __future__ import annotations

from collections.abc import Sequence

_FEWEST = 2
"""Places of the narrowest column: one wide character."""
_LONGEST_WHOLE = 200
"""A word up to this length is an id, a digest, a reference: something to copy. Longer ones are content."""
_ELLIPSIS = "…"


def places(text: str) -> int:
    """Return how many places of a terminal `text` takes."""
    return len(text) if text.isascii() else sum(map(_places_of, text))


def _places_of(character: str) -> int:
    from unicodedata import combining, east_asian_width

    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def fold(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` places: broken at spaces, and inside of words that nobody copies.

    A word to copy that is longer than `width` stays whole, and its line is longer. Only a space at which a line ends is
    left out.
    """
    lines = []
    while places(text) > width:
        end, behind = _break_of(text, width)
        lines.append(text[:end])
        text = text[behind:]
    return [*lines, text] if text or not lines else lines


def _break_of(text: str, width: int) -> tuple[int, int]:
    """Return where the first line of `text` ends, and where the next one begins."""
    # One character at least, however narrow the column is.
    end = max(1, _fitting(text, width))
    # A space right behind the last place is a place to break too.
    space = text.rfind(" ", 0, end + 1)
    if space > 0 and text[:space].strip():
        return space, space + 1
    start = len(text) - len(text.lstrip(" "))
    stop = text.find(" ", start)
    stop = len(text) if stop < 0 else stop
    return (stop, stop + 1) if is_whole(text[start:stop]) else (end, end)


def is_whole(word: str) -> bool:
    """Tell whether a word is never broken: somebody may want to copy it. Scripts without spaces are no such words."""
    return len(word) <= _LONGEST_WHOLE and word.isascii()


def longest_word(text: str) -> int:
    """Return how many places the longest word of a text takes that is never broken."""
    return max((len(word) for word in text.split(" ") if is_whole(word)), default=0)


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


def shrink(widths: Sequence[int], room: int, floors: Sequence[int] = ()) -> list[int]:
    """Return widths that together have `room` at most: the widest give first, all of them down to the same width.

    None becomes narrower than its floor. Where even the narrowest columns have no room, the table stays wider than the
    terminal.
    """
    if sum(widths) <= room:
        return list(widths)
    floors = floors or [0] * len(widths)
    cap = max(widths)
    while cap > _FEWEST and sum(_narrowed(widths, floors, cap)) > room:
        cap -= 1
    shrunk = _narrowed(widths, floors, cap)
    spare = room - sum(shrunk)
    for index, width in enumerate(widths):
        if spare > 0 and width > shrunk[index]:
            shrunk[index] += 1
            spare -= 1
    return shrunk


def _narrowed(widths: Sequence[int], floors: Sequence[int], cap: int) -> list[int]:
    return [min(width, max(cap, floor)) for width, floor in zip(widths, floors, strict=True)]
