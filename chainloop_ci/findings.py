"""Findings: what checks that go on list, each with its stable code; `chainloop_ci.errors` has them too."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from chainloop_ci.records import record


@record
class Finding:
    """One thing that is wrong, found by a check that goes on and lists all of them."""

    code: str
    """Stable, kebab-case: `missing-material`, `unknown-field`."""
    message: str
    """One sentence for a person: what was expected, what was found."""
    path: str | None = None
    """Where: a JSON pointer (`/materials/0/type`), or the name of a field of the statement."""
    line: int | None = None
    """Counted from 1, as is the column."""
    column: int | None = None
    hint: str | None = None
    """What to do about it."""

    def to_dict(self) -> dict[str, str | int]:
        """Return the wire form; absent facts are left out."""
        pairs: tuple[tuple[str, str | int | None], ...] = (
            ("code", self.code),
            ("message", self.message),
            ("path", self.path),
            ("line", self.line),
            ("column", self.column),
            ("hint", self.hint),
        )
        return {name: value for name, value in pairs if value is not None}

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.line, self.column) if part is not None)
        head = " ".join(part for part in (f"line {place}" if place else "", self.path or "") if part)
        return f"{head}: {self.message}" if head else self.message


MAX_FINDINGS = 50
"""How many findings about a document of somebody else's are kept; one more then says that there are others (T30)."""


def limit_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the first `MAX_FINDINGS`, and one that says so when there are more; looks no further than it must."""
    first = tuple(islice(findings, MAX_FINDINGS + 1))
    return first if len(first) <= MAX_FINDINGS else (*first[:MAX_FINDINGS], _MORE_FINDINGS)


_MORE_FINDINGS = Finding("more-findings", f"more than these {MAX_FINDINGS} things are wrong; the others are not listed")


class Findings(list[Finding]):
    """Findings that are appended one by one: like `limit_findings`, it holds no more than it must (T30)."""

    def append(self, finding: Finding) -> None:
        """Keep a finding, unless there are enough."""
        if len(self) < MAX_FINDINGS:
            super().append(finding)
        elif len(self) == MAX_FINDINGS:
            super().append(_MORE_FINDINGS)
