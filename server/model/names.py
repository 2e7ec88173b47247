"""Names of things: DNS-1123 labels (RFC 1123 section 2.1), checked where a name stands in an address."""

from __future__ import annotations

import re

from chainloop_ci.api.limits import MAX_NAME, NAME_PATTERN
from chainloop_ci.errors import Finding, RequestInvalidError

_LABEL = re.compile(NAME_PATTERN.removesuffix("$"))


def require_name(noun: str, name: str, max_length: int = MAX_NAME) -> None:
    """Refuse a name that is not a label.

    Raises:
        RequestInvalidError: says the form and the limit.
    """
    if len(name) <= max_length and _LABEL.fullmatch(name):
        return
    message = (
        f"the name of a {noun} has lower-case letters, digits and hyphens, begins and ends with a letter or digit, "
        f"and is at most {max_length} characters long; found {name[:80]!r}"
    )
    raise RequestInvalidError(message, findings=[Finding("invalid-name", message, path="/name")])
