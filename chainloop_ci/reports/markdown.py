"""Foreign texts inside of Markdown, and documents that are no longer than somebody takes.

Source: GitHub Flavored Markdown Spec, 2.4 (backslash escapes), 2.5 (character references have no structural meaning),
4.10 (tables), 6.1 (code spans), 6.9 (autolinks). What GitHub and GitLab make of `@name`, `:word:` and `$…$` is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainloop_ci.escaping import printable

MAX_VALUE_CHARACTERS = 300
"""Of a value in a table."""
MAX_SENTENCE_CHARACTERS = 2000
"""Of a message."""
TRUNCATED = "… cut here: the rest is longer than this place takes, and stands in the job's log."

# What begins or ends something, or is made a link, a mention or a picture. Anything else is a letter like others.
_ACTIVE = re.compile(r"[\\`*{}\[\]<>#+|~!&$@]|(?<![^\W_])_|_(?![^\W_])|:(?=\S)|www\.|^[-0-9]", re.IGNORECASE)
# In a code span of one backtick everything else is literal, in a table's cell too.
_NOT_IN_CODE = re.compile(r"[`|\\$]")
_COMMAND = "chainloop "


def sentence(text: str) -> str:
    """Return a text of somebody else's as plain words on one line: no markup, no HTML, no link, no mention."""
    return _ACTIVE.sub(_reference, _cut(printable(text).strip(), MAX_SENTENCE_CHARACTERS))


def prose(text: str) -> str:
    """Return a message as our messages are written: what stands in backticks, and a command alone, is code."""
    shown = _cut(printable(text).strip(), MAX_SENTENCE_CHARACTERS)
    if shown.startswith(_COMMAND) and "`" not in shown:
        return code(shown, MAX_SENTENCE_CHARACTERS)
    parts = shown.split("`")
    if len(parts) % 2 == 0 or not all(part.strip() for part in parts[1::2]):
        return sentence(shown)
    return "".join(code(part, MAX_SENTENCE_CHARACTERS) if at % 2 else _inner(part) for at, part in enumerate(parts))


def _inner(text: str) -> str:
    return _ACTIVE.sub(_reference, text)


def code(text: str, limit: int = MAX_VALUE_CHARACTERS) -> str:
    """Return a value as code, also for a table's cell; empty stays empty."""
    shown = _cut(printable(text), limit)
    if not shown.strip():
        return f"<code>{len(shown)} blanks</code>" if shown else ""
    if not _NOT_IN_CODE.search(shown):
        return f"`{shown}`"
    return f"<code>{_ACTIVE.sub(_reference, shown)}</code>"


def link(text: str, url: str) -> str:
    """Return a link to an http(s) address; any other address is shown and leads nowhere (T43)."""
    if not re.fullmatch(r"https?://[^\s<>()\[\]\"'`|\\]{1,2000}", url):
        return f"{sentence(text)}: {code(url)}" if url else sentence(text)
    return f"[{sentence(text)}](<{url}>)"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; cells are Markdown already."""
    return [_row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]


def cut_lines(lines: Sequence[str], limit_bytes: int) -> str:
    """Return the document, or as many whole lines as have room together with a note that it was cut.

    Nothing that spans lines is open between two of them, so what is left means what it meant.
    """
    whole = "".join(f"{line}\n" for line in lines)
    if len(whole.encode()) <= limit_bytes:
        return whole
    note = f"\n{TRUNCATED}\n"
    room, kept = limit_bytes - len(note.encode()), []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(f"{line}\n")
    return "".join(kept) + note if kept else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _reference(match: re.Match[str]) -> str:
    found = match[0]
    if found == "@":
        # A mention is looked for in the finished page: the comment keeps its parts apart.
        return "&#64;<!-- -->"
    if found.lower() == "www.":
        return f"{found[:3]}&#46;"
    return f"&#{ord(found)};"
