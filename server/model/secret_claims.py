"""Find secrets of Chainloop itself in what a statement records: others read it, and it is kept for good (R24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chainloop_ci.attestation.view import StatementView
from chainloop_ci.errors import Finding

_HINT = "take it out of the attestation and rotate it: whatever was recorded has been seen"


def check_secrets(view: StatementView, is_secret: Callable[[str], bool]) -> tuple[Finding, ...]:
    """Return a finding for each variable, annotation or STRING that holds a secret: the place, never the value."""
    return tuple(
        Finding(
            "secret-value", "the value is an API token or the handle of this run; it is not kept", path=path, hint=_HINT
        )
        for path in _places(view, is_secret)
    )


def _places(view: StatementView, is_secret: Callable[[str], bool]) -> Iterator[str]:
    yield from _in_map("/predicate/env", view.env, is_secret)
    yield from _in_map("/predicate/annotations", view.annotations, is_secret)
    for index, material in enumerate(view.materials):
        path = f"/predicate/materials/{index}"
        yield from _in_map(f"{path}/annotations", material.annotations, is_secret)
        if is_secret(material.value or ""):
            yield f"{path}/content"
    for index, subject in enumerate(view.subjects):
        # The commit's annotations are in the repository for everybody to read already.
        if subject.material_name is not None:
            yield from _in_map(f"/subject/{index}/annotations", subject.annotations, is_secret)


def _in_map(path: str, entries: Mapping[str, str], is_secret: Callable[[str], bool]) -> Iterator[str]:
    for name, value in entries.items():
        if is_secret(name):
            yield path
        elif is_secret(value):
            yield f"{path}/{name[:80]}"
