"""What is remembered of a context of a commit from one delivery to the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.integrations.github.words import Surface
from server.model.verdict_content import VerdictContent


@dataclass(frozen=True, slots=True)
class Memory:
    """What GitHub shows of a context of a commit, as far as we put it there."""

    version: int = 0
    """Of the verdict that was told last."""
    digest: str = ""
    """Of everything that it said, and where."""
    surfaces: tuple[str, ...] = ()
    """All that this context was ever shown on, of this commit."""
    check_run_id: int | None = None
    check_completed: bool = False
    annotated: tuple[str, ...] = ()
    """Digests of the annotations that the check run has: GitHub adds what is sent, and takes none away."""

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Memory:
        """Return what was remembered; nothing, where another version of the server wrote something else."""
        try:
            return from_dict(cls, kept)
        except ValueError:
            return cls()

    def write(self) -> dict[str, Any]:
        """Return the form in which it is kept."""
        return to_dict(self)


def digest_of(content: VerdictContent, surface: Surface) -> str:
    """Return the digest of what people see of a verdict on a surface."""
    seen = {name: value for name, value in content.to_facts().items() if name not in ("version", "isRepeat")}
    return hashlib.sha256(json.dumps([surface.value, seen], sort_keys=True).encode()).hexdigest()
