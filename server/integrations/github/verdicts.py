"""Tell a verdict on the surface that was chosen, and never twice or out of order (R30, R40, R44)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from server.integrations.answers import refuse, require_repository
from server.integrations.github import check_runs, statuses
from server.integrations.github.access import ask, is_app, open_app
from server.integrations.github.check_runs import CheckRuns
from server.integrations.github.comments import NEED as COMMENT_NEED
from server.integrations.github.comments import put_comment
from server.integrations.github.memory import Memory, digest_of
from server.integrations.github.outcomes import is_limit
from server.integrations.github.words import Surface
from server.integrations.types import Message, Target, Tools
from server.model.deliveries import Outcome, OutcomeKind
from server.model.verdict_content import VerdictContent

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

_NEEDS = {Surface.STATUS: statuses.NEED, Surface.CHECK: check_runs.NEED}


def tell_verdict(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    content, memory = VerdictContent.from_facts(message.content), Memory.read(message.memory)
    surface = _surface(target, message)
    digest = digest_of(content, surface)
    if content.version < memory.version:
        return Outcome(OutcomeKind.SKIPPED, "older", "a newer verdict was told")
    # An operator who replays what was delivered wants it sent again.
    if digest == memory.digest and message.attempt == 1 and not content.is_repeat:
        return Outcome(OutcomeKind.SKIPPED, "unchanged", "GitHub shows this already")

    def work(client: Github) -> Outcome:
        repository = client.get_repo(require_repository(target, content.repository.host, content.repository.id))
        told = _tell(repository, target, content, memory, surface)
        told = replace(told, version=content.version, digest=digest)
        return Outcome(OutcomeKind.DELIVERED, "200", remember=told.write())

    return ask(target, tools, _NEEDS[surface], message.attempt, work)


def tell_comment(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try of the comment of a pull request."""
    content = VerdictContent.from_facts(message.content)

    def work(client: Github) -> Outcome:
        repository = client.get_repo(require_repository(target, content.repository.host, content.repository.id))
        return put_comment(repository, content, message, lambda: _login(client, target, tools))

    return ask(target, tools, COMMENT_NEED, message.attempt, work)


def _surface(target: Target, message: Message) -> Surface:
    chosen = message.settings.get("surface")
    return Surface(chosen) if chosen else Surface.CHECK if is_app(target) else Surface.STATUS


def _tell(repository: Repository, target: Target, content: VerdictContent, memory: Memory, surface: Surface) -> Memory:
    """Tell it where it belongs, and where this commit showed it before: a required check asks for both (R40)."""
    if surface is Surface.CHECK and not is_app(target):
        raise refuse("app-needed", "only a GitHub App makes check runs; choose the surface `status`")
    memory = _put(repository, target, content, memory, surface)
    shown = [surface]
    for older in map(Surface, memory.surfaces):
        if older is surface:
            continue
        kept = _follow(repository, target, content, memory, older)
        shown += [older] if kept else []
        memory = kept or memory
    for prior in content.prior_contexts:
        _put(repository, target, content, Memory(), surface, prior)
    return replace(memory, surfaces=tuple(place.value for place in shown))


def _put(
    repository: Repository,
    target: Target,
    content: VerdictContent,
    memory: Memory,
    surface: Surface,
    prior: str | None = None,
) -> Memory:
    if surface is Surface.CHECK:
        return CheckRuns(repository, int(target.settings["appId"])).put(content, memory, prior)
    statuses.put_status(repository, content, prior)
    return memory


def _follow(
    repository: Repository, target: Target, content: VerdictContent, memory: Memory, older: Surface
) -> Memory | None:
    """Tell it on a surface that is not the chosen one any more; None: nobody may write there now."""
    from github import GithubException

    if older is Surface.CHECK and not is_app(target):
        return None
    try:
        return _put(repository, target, content, memory, older)
    except GithubException as error:
        # The permission for what is not used any more may be gone, and that holds up nothing.
        if error.status not in (403, 404) or is_limit(error):
            raise
        return None


def _login(client: Github, target: Target, tools: Tools) -> str:
    """Return the login that our comments have."""
    return f"{open_app(target, tools).get_app().slug}[bot]" if is_app(target) else client.get_user().login
