"""The form of a reference to a policy or policy group. Source: reference section 2.2, "Policy ref validation"."""

from __future__ import annotations

from chainloop_ci.deferred import deferred_pattern

_DIGEST = deferred_pattern(r"@sha256:[0-9a-f]{64}\Z")
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAMED = deferred_pattern(rf"(?:{_LABEL}:)?(?:{_LABEL}/)?{_LABEL}\Z")


def find_reference_problem(reference: str) -> str | None:
    """Return what is wrong with the form of a policy reference; None when nothing is. It is not resolved."""
    place = _DIGEST.sub("", reference)
    scheme, separator, rest = place.partition("://")
    if not separator:
        scheme, rest = "chainloop", place
    if scheme == "chainloop":
        return (
            None if _NAMED.match(rest) else "expected [provider:][organization/]name[@sha256:<64 hexadecimal digits>]"
        )
    if scheme not in ("file", "http", "https"):
        return "expected the protocol file, http, https or chainloop"
    path = rest if scheme == "file" else rest.partition("/")[2].partition("?")[0]
    stem, _, extension = path.rpartition("/")[2].rpartition(".")
    return None if stem and extension.isalnum() else "expected a path to a file with an extension such as .yaml"
