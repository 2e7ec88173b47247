"""What is remembered of a context of a commit from one delivery to the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chainloop_ci.api.record import from_dict, to_dict
from server.integrations.gitlab.words import Surface
from server.model.verdict_content import VerdictContent

MAX_PIPELINES = 10
"""The newest ones of a commit; a status that was left open in an older one stays so."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The last state that we put into a pipeline."""

    project_id: int
    pipeline_id: int
    state: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What GitLab shows of a context of a commit, as far as we put it there."""

    version: int = 0
    """Of the verdict that was told last."""
    digest: str = ""
    """Of everything that it said, and where."""
    pipelines: tuple[Posted, ...] = ()
    """Each in which there is a status of ours, the last written one last."""
    working: tuple[int, ...] = ()
    """Pipelines that are known to hold work of others."""
    status_check_id: int | None = None
    """Of the external status check that was answered last."""
    note_id: int | None = None
    """Of the note that was written since nothing else could show it."""

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

    def state_in(self, pipeline_id: int) -> str | None:
        """Return the state that we put into a pipeline; None: none."""
        return next((each.state for each in self.pipelines if each.pipeline_id == pipeline_id), None)

    def with_posted(self, posted: Posted) -> Memory:
        """Return it with what was put into a pipeline."""
        others = tuple(each for each in self.pipelines if each.pipeline_id != posted.pipeline_id)
        return replace(self, pipelines=(*others, posted)[-MAX_PIPELINES:])

    def with_work_in(self, pipeline_id: int) -> Memory:
        """Return it with a pipeline that holds work of others."""
        others = tuple(each for each in self.working if each != pipeline_id)
        return replace(self, working=(*others, pipeline_id)[-MAX_PIPELINES:])

    @property
    def is_shown(self) -> bool:
        """Tell whether people see anything of this context on this commit."""
        return bool(self.pipelines) or self.note_id is not None or self.status_check_id is not None


def digest_of(content: VerdictContent, surface: Surface, note: str) -> str:
    """Return the digest of what people see of a verdict on a surface."""
    seen = {name: value for name, value in content.to_facts().items() if name not in ("version", "isRepeat")}
    return hashlib.sha256(json.dumps([surface.value, note, seen], sort_keys=True).encode()).hexdigest()
