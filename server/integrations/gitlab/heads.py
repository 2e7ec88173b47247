"""Ask what a head changes. Sources: GitLab Docs, "Merge requests API", «List merge request diffs»; "Repositories API",
«Compare»; "Repository files API"; "Diff limits administration".

A merge request's own copy of a CI file decides nothing (R34): both sides are read.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from chainloop_ci.api.record import from_dict, to_dict
from server.integrations.answers import require_repository
from server.integrations.gitlab.access import Access, ask
from server.integrations.questions import no_head, wait_for
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import FileAnswer, FileState, HeadAnswer, HeadQuestion

if TYPE_CHECKING:
    from gitlab.v4.objects import Project, ProjectMergeRequest

NEED = "the scope `api` (or `read_api`) and the role Reporter"
MAX_FILES = 3000
"""Of a merge request, whatever a GitLab is set to."""
MAX_COMPARED = 1000
"""Of a comparison, unless a GitLab is set to more."""
MAX_CI_FILES = 50

_UNKNOWN = ("404", "commit-unknown")


def ask_head(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    question = from_dict(HeadQuestion, message.content)

    def work(access: Access) -> Outcome:
        number = require_repository(target, question.repository.host, question.repository.id)
        answer = _Head(access, access.client.projects.get(number), question).read()
        return Outcome(OutcomeKind.DELIVERED, "200", answer=to_dict(answer))

    outcome = ask(target, tools, NEED, message.attempt, work)
    if outcome.code == "repository-not-bound":
        return replace(outcome, kind=OutcomeKind.SKIPPED)
    return wait_for(outcome, _UNKNOWN, message, tools, no_head("GitLab knows no such commit or merge request"))


@dataclass(frozen=True, slots=True)
class _Head:
    access: Access
    project: Project
    question: HeadQuestion

    def read(self) -> HeadAnswer:
        """Return what is asked.

        Raises:
            GitlabError, EgressError: the head is not known, or that is not known.
        """
        asked = self.question
        request = self.project.mergerequests.get(asked.pull_request) if asked.pull_request is not None else None
        source = self.project.get_id() if request is None else request.source_project_id
        is_fork = source != self.project.get_id()
        return HeadAnswer(
            changed_paths=self._changed_paths(request),
            ci_files={path: self._file(path) for path in asked.ci_files[:MAX_CI_FILES]},
            is_fork=is_fork,
            # The project of a fork may be gone.
            head_repository_id=None if source is None else str(source),
            is_protected=False if is_fork else self._is_protected(asked.branch),
            is_target_protected=self._is_target_protected(),
            # An internal project is read by whoever has an account there: not by anybody.
            is_public=self.project.visibility == "public",
            default_branch=self.project.attributes.get("default_branch"),
            author=None if request is None else (request.author or {}).get("username"),
        )

    def _changed_paths(self, request: ProjectMergeRequest | None) -> tuple[str, ...] | None:
        asked = self.question
        if request is not None and request.sha == asked.sha:
            return self._paths_of_request(request)
        base = self._base()
        if base is None:
            # Only whether it is known: a file that is not in an unknown commit is not missing.
            self.project.commits.get(asked.sha)
            return None
        # Of a push what it brought; of anything else what it has that the target has not.
        found: Any = self.project.repository_compare(base, asked.sha, straight=asked.base_branch is None)
        if found.get("compare_timeout") or len(found["diffs"]) >= MAX_COMPARED:
            return None
        return _paths(found["diffs"])

    def _paths_of_request(self, request: ProjectMergeRequest) -> tuple[str, ...] | None:
        """Return the changed files; None: GitLab does not list them all, and says so only by their number."""
        count = str(request.attributes.get("changes_count") or "")
        if not count.isdigit() or int(count) > MAX_FILES:
            return None
        path = f"/projects/{self.project.get_id()}/merge_requests/{request.iid}/diffs"
        # python-gitlab has no method for it.
        listed = [dict(item) for item in self.access.client.http_list(path, iterator=True)]
        return _paths(listed) if len(listed) == int(count) else None

    def _file(self, path: str) -> FileAnswer:
        asked = self.question
        head = self._text(path, asked.sha)
        before = self._base()
        base = self._text(path, before) if before else head
        return FileAnswer(base, head, self._state())

    def _base(self) -> str | None:
        """Return what the head is compared with: by its short name GitLab may take a tag, which others can push."""
        asked = self.question
        return f"refs/heads/{asked.base_branch}" if asked.base_branch else asked.before

    def _text(self, path: str, ref: str) -> str | None:
        from gitlab import GitlabError

        try:
            found = self.project.files.get(path, ref)
        except GitlabError as error:
            if error.response_code == 404:
                # The commit itself is known: its files were compared, or its merge request was read.
                return None
            raise
        return base64.b64decode(found.content).decode(errors="replace")

    def _state(self) -> FileState:
        """Return whether the project runs pipelines at all: GitLab disables no single file."""
        level = self.project.attributes.get("builds_access_level")
        if level == "disabled" or self.project.attributes.get("jobs_enabled") is False:
            return FileState.DISABLED
        return FileState.ACTIVE

    def _is_target_protected(self) -> bool | None:
        target = self.question.base_branch
        return None if target == self.project.attributes.get("default_branch") else self._is_protected(target)

    def _is_protected(self, branch: str | None) -> bool | None:
        from gitlab import GitlabError

        if branch is None:
            return None
        try:
            return bool(self.project.branches.get(branch).protected)
        except GitlabError as error:
            if error.response_code == 404:
                return None
            raise


def _paths(diffs: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what files are named now, and what those were named that were renamed."""
    return tuple(sorted({item[name] for item in diffs for name in ("old_path", "new_path") if item.get(name)}))
