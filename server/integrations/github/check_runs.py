"""Check runs of an App: made once, then changed in place. Source: GitHub Docs, REST page «Check runs».

A creation whose answer was lost must not become a second check run: what is not remembered is looked for by its
`external_id`. A completed one takes no other state than a conclusion; when there is something to wait for again, a new
one of the same name takes its place, as GitHub's own jobs do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from server.integrations.github.memory import Memory
from server.integrations.github.outcomes import unreadable
from server.integrations.github.texts import fit, title
from server.model.verdict_content import MAX_ANNOTATIONS, VerdictContent
from server.model.verdict_kinds import CheckStatus, is_passing

if TYPE_CHECKING:
    from github.CheckRun import CheckRun
    from github.Repository import Repository

NEED = "Checks: write"
PAGE_OF_ANNOTATIONS = 50
"""The most that GitHub takes in one request."""


@dataclass(frozen=True, slots=True)
class CheckRuns:
    """The check runs of one App in one repository."""

    repository: Repository
    app_id: int

    def put(self, content: VerdictContent, memory: Memory, context: str | None = None) -> Memory:
        """Let the check run of a context say what was judged, and return what is to be remembered of it.

        Raises:
            GithubException, EgressError, RefusedError: it was not taken, or that is not known.
        """
        name = context or content.context
        known = memory if memory.check_run_id is not None else self._found(name, content, memory)
        if known.check_completed and content.surfaces.check_status is not CheckStatus.COMPLETED:
            known = replace(known, check_run_id=None, check_completed=False, annotated=())
        fresh = _annotations(content, known) if content.surfaces.check_conclusion else []
        fields = _fields(content, fresh[:PAGE_OF_ANNOTATIONS])
        run = self._put(name, content, known, fields)
        for start in range(PAGE_OF_ANNOTATIONS, len(fresh), PAGE_OF_ANNOTATIONS):
            page = [item for item, _ in fresh[start : start + PAGE_OF_ANNOTATIONS]]
            run.edit(output={**fields["output"], "annotations": page})
        return replace(
            known,
            check_run_id=run.id,
            check_completed=content.surfaces.check_status is CheckStatus.COMPLETED,
            annotated=(*known.annotated, *(digest for _, digest in fresh)),
        )

    def _put(self, name: str, content: VerdictContent, known: Memory, fields: dict[str, Any]) -> CheckRun:
        from github import UnknownObjectException

        if known.check_run_id is not None:
            run = self.repository.get_check_run(known.check_run_id)
            try:
                run.edit(**fields)
            except UnknownObjectException:
                # GitHub takes away the oldest of a thousand.
                return self._create(name, content, fields)
            if run.status == fields["status"] and run.conclusion == fields.get("conclusion"):
                return run
        return self._create(name, content, fields)

    def _create(self, name: str, content: VerdictContent, fields: dict[str, Any]) -> CheckRun:
        made = self.repository.create_check_run(
            name=name, head_sha=content.sha, external_id=_external_id(name, content), **fields
        )
        if made.id is None:
            raise unreadable("the check run that was made")
        return made

    def _found(self, name: str, content: VerdictContent, memory: Memory) -> Memory:
        """Return what GitHub knows of a check run that was made and not remembered."""
        wanted = _external_id(name, content)
        runs = self.repository.get_commit(content.sha).get_check_runs(check_name=name, filter="all")
        ours = [run for run in runs if run.external_id == wanted and run.app.id == self.app_id]
        if not ours:
            return memory
        newest = max(ours, key=lambda run: run.id)
        digests = [_digest(item.path, item.start_line, item.message) for item in newest.get_annotations()]
        return replace(
            memory,
            check_run_id=newest.id,
            check_completed=newest.status == CheckStatus.COMPLETED.value,
            annotated=tuple(digests),
        )


def _fields(content: VerdictContent, annotations: Sequence[tuple[dict[str, Any], str]]) -> dict[str, Any]:
    surfaces = content.surfaces
    output: dict[str, Any] = {"title": title(content), "summary": fit(content.summary or content.description)}
    if annotations:
        output["annotations"] = [item for item, _ in annotations]
    fields: dict[str, Any] = {"status": surfaces.check_status.value, "output": output}
    if surfaces.check_conclusion is not None:
        fields["conclusion"] = surfaces.check_conclusion.value
    if content.target_url:
        fields["details_url"] = content.target_url
    return fields


def _annotations(content: VerdictContent, known: Memory) -> list[tuple[dict[str, Any], str]]:
    """Return the annotations that the check run has not yet, each with its digest."""
    level = "warning" if is_passing(content.kind) else "failure"
    found = {}
    for item in content.annotations[:MAX_ANNOTATIONS]:
        digest = _digest(item.path, item.line, item.message)
        if digest not in known.annotated:
            line = {"start_line": item.line, "end_line": item.line}
            found[digest] = {"path": item.path, **line, "annotation_level": level, "message": item.message}
    return [(item, digest) for digest, item in found.items()]


def _digest(path: str, line: int, message: str) -> str:
    return hashlib.sha256(json.dumps([path, line, message]).encode()).hexdigest()[:16]


def _external_id(name: str, content: VerdictContent) -> str:
    return f"{name}@{content.sha}"
