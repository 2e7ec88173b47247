"""Ask what a head changes. Sources: GitHub Docs, REST pages «Pull requests», «Commits», «Repository contents».

A pull request's own copy of a CI file decides nothing (R34): both sides are read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from chainloop_ci.api.record import from_dict, to_dict
from server.integrations.answers import require_repository
from server.integrations.github.access import ask
from server.integrations.github.patience import Patience
from server.integrations.questions import no_head, wait_for
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.forge_answers import FileAnswer, FileState, HeadAnswer, HeadQuestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from github import Github
    from github.File import File
    from github.PullRequest import PullRequest
    from github.Repository import Repository

NEED = "Contents: read, Pull requests: read, Actions: read"
MAX_FILES = 3000
"""Of a pull request; GitHub lists no more."""
MAX_COMPARED = 300
"""Of a comparison."""
MAX_CI_FILES = 50
WORKFLOWS = ".github/workflows/"

_UNKNOWN = ("404", "commit-unknown")


def ask_head(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    question = from_dict(HeadQuestion, message.content)

    def work(client: Github) -> Outcome:
        number = require_repository(target, question.repository.host, question.repository.id)
        answer = _Head(client.get_repo(number), question, Patience(tools.now)).read()
        return Outcome(OutcomeKind.DELIVERED, "200", answer=to_dict(answer))

    outcome = ask(target, tools, NEED, message.attempt, work)
    if outcome.code == "repository-not-bound":
        return replace(outcome, kind=OutcomeKind.SKIPPED)
    return wait_for(outcome, _UNKNOWN, message, tools, no_head("GitHub knows no such commit or pull request"))


@dataclass(frozen=True, slots=True)
class _Head:
    repository: Repository
    question: HeadQuestion
    patience: Patience

    def read(self) -> HeadAnswer:
        asked = self.question
        pull = self.repository.get_pull(asked.pull_request).complete() if asked.pull_request is not None else None
        head_id = self._head_repository(pull)
        is_fork = head_id != asked.repository.id
        return HeadAnswer(
            changed_paths=self._changed_paths(pull),
            ci_files={path: self._file(path) for path in asked.ci_files[:MAX_CI_FILES]},
            is_fork=is_fork,
            head_repository_id=head_id,
            is_protected=None if is_fork else self._is_protected(asked.branch),
            is_target_protected=self._is_target_protected(),
            is_public=not self.repository.private,
            default_branch=self.repository.default_branch,
            author=pull.user.login if pull is not None else None,
        )

    def _head_repository(self, pull: PullRequest | None) -> str | None:
        if pull is None:
            return self.question.repository.id
        # The repository of a fork may be gone.
        found: Any = pull.raw_data["head"].get("repo")
        return str(found["id"]) if found else None

    def _changed_paths(self, pull: PullRequest | None) -> tuple[str, ...] | None:
        asked = self.question
        if pull is not None and pull.head.sha == asked.sha:
            if pull.changed_files > MAX_FILES:
                return None
            return _paths(self.patience.each(pull.get_files()))
        base = asked.base_branch or asked.before
        self.patience.require()
        if base is None:
            # Only whether it is known: a file that is not in an unknown commit is not missing.
            self.repository.get_commit(asked.sha).complete()
            return None
        found = self.repository.compare(base, asked.sha)
        files = list(self.patience.each(found.files))
        return _paths(files) if len(files) < MAX_COMPARED else None

    def _file(self, path: str) -> FileAnswer:
        asked = self.question
        head = self._text(path, asked.sha)
        before = asked.base_branch or asked.before
        base = self._text(path, before) if before else head
        return FileAnswer(base, head, self._state(path))

    def _text(self, path: str, ref: str) -> str | None:
        from github import UnknownObjectException

        self.patience.require()
        try:
            found = self.repository.get_contents(path, ref)
        except UnknownObjectException:
            # The commit itself is known: its files were compared, or its pull request was read.
            return None
        if isinstance(found, list) or found.type != "file" or found.encoding != "base64":
            # A folder, a link to elsewhere, or more than a megabyte: nothing that GitHub would run.
            return None
        return found.decoded_content.decode(errors="replace")

    def _state(self, path: str) -> FileState:
        from github import UnknownObjectException

        name = path.removeprefix(WORKFLOWS)
        if not path.startswith(WORKFLOWS) or "/" in name:
            return FileState.UNKNOWN
        self.patience.require()
        try:
            state = self.repository.get_workflow(name).state
        except UnknownObjectException:
            return FileState.UNKNOWN
        if state == "active":
            return FileState.ACTIVE
        return FileState.DISABLED if state.startswith("disabled") else FileState.UNKNOWN

    def _is_target_protected(self) -> bool | None:
        target = self.question.base_branch
        return None if target == self.repository.default_branch else self._is_protected(target)

    def _is_protected(self, branch: str | None) -> bool | None:
        from github import UnknownObjectException

        if branch is None:
            return None
        self.patience.require()
        try:
            return self.repository.get_branch(branch).protected
        except UnknownObjectException:
            return None


def _paths(files: Iterable[File]) -> tuple[str, ...]:
    """Return what files are named now, and what those were named that were renamed."""
    names: set[str] = set()
    for item in files:
        names.add(item.filename)
        if item.previous_filename:
            names.add(item.previous_filename)
    return tuple(sorted(names))
