"""The step's outputs as a dotenv report of GitLab, which other CI systems read as well.

Source: GitLab Docs, "artifacts:reports:dotenv"; GitLab's `ParseDotenvArtifactService`: one NAME=value in each line, the
value as it stands but without blanks around it, no comment, no empty line, no quotes that mean anything, below 5 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainloop_ci.records import record

MAX_BYTES = 5 * 1024 - 1
"""A larger file is refused whole."""


@record
class Dotenv:
    """The file, and what could not be said in it."""

    text: str
    left_empty: tuple[str, ...] = ()
    """Variables whose value has no form here."""


def render_dotenv(values: Mapping[str, str]) -> Dotenv:
    """Return the file. A value that has line breaks or control characters, or is too long, is left empty."""
    left = [name for name, value in values.items() if not _is_plain(value)]
    room = MAX_BYTES - sum(len(f"{name}=\n") for name in values)
    # The shortest first: one long value must not take the room of all others.
    for name in sorted(set(values) - set(left), key=lambda name: (len(values[name].encode()), name)):
        size = len(values[name].encode())
        if size > room:
            left.append(name)
        else:
            room -= size
    lines = (f"{name}={'' if name in left else value}\n" for name, value in values.items())
    return Dotenv("".join(lines), tuple(name for name in values if name in left))


def _is_plain(value: str) -> bool:
    return value == value.strip() and (value.isprintable() or not value)
