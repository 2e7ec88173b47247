"""What an answer of a third party, or none, means for a delivery; integrations share this reading of HTTP.

Source: RFC 9110 sections 10.2.3 (Retry-After) and 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from server.errors import EgressError
from server.integrations.types import Target
from server.model.deliveries import Outcome, OutcomeKind

_TOO_EARLY = frozenset({408, 425, 429})


class RefusedError(Exception):
    """What stops a try before or between its requests; it holds the outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.code)


def refuse(code: str, detail: str) -> RefusedError:
    """Return what ends a delivery that would be refused again."""
    return RefusedError(Outcome(OutcomeKind.REFUSED, code, detail))


def require_repository(target: Target, host: str, number: str) -> int:
    """Return the forge's number of a repository that an administrator has listed (R44).

    Raises:
        RefusedError: it is not listed, or the credential is for another host.
    """
    if host != target.host or not target.speaks_for(host, number) or not number.isdigit():
        raise refuse("repository-not-bound", "the registration does not list this repository; an administrator adds it")
    return int(number)


def no_answer(error: EgressError) -> Outcome:
    """Return what it means that there was no answer: it is tried again, and the target is left alone for a while.

    An address that is refused is tried again too: what it resolves to, and what the operator opens, may change.
    """
    return Outcome(OutcomeKind.RETRY, error.code, error.message, blames_target=True)


def is_transient(status: int) -> bool:
    """Tell whether a status says that the same request may be taken later."""
    return status >= 500 or status in _TOO_EARLY


def try_later(status: int, detail: str, headers: Mapping[str, str], now: datetime) -> Outcome:
    """Return the outcome of an answer that asks for patience; names of headers are in lower case."""
    wished = parse_retry_after(headers.get("retry-after", ""), now)
    # A target that says when it wants to be asked again is not down.
    is_down = status >= 500 and wished is None
    return Outcome(OutcomeKind.RETRY, str(status), detail, retry_after=wished, blames_target=is_down)


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """Return how long a `Retry-After` asks to wait, in seconds or until a date; None: it says nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        # The parser of the standard library is surprised by some texts that are no dates.
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(until - now, timedelta())
