"""The event document that GitHub writes for a job (`GITHUB_EVENT_PATH`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from chainloop_ci.errors import ChainloopError
from chainloop_ci.records import record
from chainloop_ci.workspace.paths import open_material

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""Largest event document that is read, in bytes."""


@record
class EventDocument:
    """The parsed document, or why there is none."""

    document: Mapping[str, object] = field(default_factory=dict)
    notice: str | None = None
    """For people: why the document could not be used. A job is never stopped by it."""


def read_event(path: Path) -> EventDocument:
    """Return the event document at `path`; one that is missing, broken or too large is empty and has a notice."""
    try:
        with open_material(path) as file:
            raw = file.read(MAX_EVENT_BYTES + 1)
    except ChainloopError as error:
        return _unusable(error.message)
    except OSError as error:
        return _unusable(error.strerror or str(error))
    if len(raw) > MAX_EVENT_BYTES:
        return _unusable(f"it is larger than {MAX_EVENT_BYTES // (1024 * 1024)} MiB")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or nested thousands of levels deep
        return _unusable(f"it is no JSON: {error}")
    if not isinstance(document, dict):
        return _unusable(f"expected a JSON object, found {type(document).__name__}")
    return EventDocument(document)


def _unusable(reason: str) -> EventDocument:
    return EventDocument(
        notice=f"the event document (GITHUB_EVENT_PATH) is not used: {reason}; a pull request's head commit is unknown"
    )
