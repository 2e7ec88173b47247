"""Problems: the one form of every refusal on the wire (RFC 9457, design decision 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from chainloop_ci.api.record import about

TYPE_PREFIX = "urn:chainloop:problem:"


@dataclass(frozen=True, slots=True)
class ProblemFinding:
    """One of the things that are wrong."""

    code: Annotated[str, about("Stable, kebab-case.")]
    message: Annotated[str, about("One sentence for a person.")]
    path: Annotated[str | None, about("JSON pointer or field of the statement.")] = None
    line: Annotated[int | None, about("From 1.")] = None
    column: Annotated[int | None, about("From 1.")] = None
    hint: Annotated[str | None, about("What to do.")] = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was refused, and what to do."""

    type: Annotated[str, about("`urn:chainloop:problem:<code>`.")]
    title: Annotated[str, about("The kind of problem, in words.")]
    status: Annotated[int, about("The HTTP status.")]
    detail: Annotated[str, about("What was expected, what was found.")]
    code: Annotated[str, about("Stable, kebab-case; the same as in the command's output.")]
    hint: Annotated[str | None, about("What to do.")] = None
    request_id: Annotated[str | None, about("Names this request in the server's log.")] = None
    findings: Annotated[tuple[ProblemFinding, ...], about("Everything that is wrong, at once.")] = ()
