"""An issue that tells the teams of a repository what a contract revision will ask of them (R38).

One issue for each revision; who has to be told later gets a comment of it. A hidden mark tells what was written whose
answer was lost. Source: GitHub Docs, REST pages «Issues», «Issue comments».
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING

from server.integrations.answers import refuse, require_repository
from server.integrations.github.access import PAGE, ask, is_app, open_app
from server.integrations.github.outcomes import unreadable
from server.integrations.github.texts import fit, plain
from server.integrations.notice_text import Quoting, mark_of, render_body, render_title
from server.integrations.types import Message, Target, Tools
from server.model.announcements import Announcement
from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from github import Github
    from github.Issue import Issue
    from github.Repository import Repository

NEED = "Issues: write"
QUOTING = Quoting(plain, lambda text: f"<code>{plain(text)}</code>")


def tell_notice(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    announced = Announcement.from_facts(message.content)

    def work(client: Github) -> Outcome:
        place = announced.repository
        if place is None:
            raise refuse("no-repository", "the notice is about no repository")
        repository = client.get_repo(require_repository(target, place.host, place.id))
        number = _tell(repository, announced, message, lambda: _login(client, target, tools))
        return Outcome(OutcomeKind.DELIVERED, "201", remember={"number": number})

    outcome = ask(target, tools, NEED, message.attempt, work)
    if outcome.code == "410":
        detail = "the repository has no issues: switch them on, or set `notices` to `off` and tell the team otherwise"
        return Outcome(OutcomeKind.REFUSED, "issues-off", detail)
    return outcome


def _body(announced: Announcement, mark: str) -> str:
    return fit(render_body(announced, mark, QUOTING))


def _tell(repository: Repository, announced: Announcement, message: Message, login: Callable[[], str]) -> int:
    """Write the issue, or a comment of the one that there is; return its number."""
    known = message.memory.get("number")
    if isinstance(known, int):
        mark = mark_of(message.delivery_id)
        issue = repository.get_issue(known)
        if not any((comment.body or "").startswith(mark) for comment in issue.get_comments()):
            issue.create_comment(_body(announced, mark))
        return known
    mark = mark_of(message.lane)
    found = _find(repository, mark, login())
    if found is not None:
        return found.number
    made = repository.create_issue(render_title(announced), body=_body(announced, mark))
    if made.number is None:
        raise unreadable("the issue that was made")
    return made.number


def _find(repository: Repository, mark: str, own: str) -> Issue | None:
    """Return the issue that was made and not remembered: it would be among the newest."""
    newest = islice(repository.get_issues(state="all"), PAGE)
    ours = (issue for issue in newest if issue.user.login == own and (issue.body or "").startswith(mark))
    return next(ours, None)


def _login(client: Github, target: Target, tools: Tools) -> str:
    """Return the login that our issues have."""
    return f"{open_app(target, tools).get_app().slug}[bot]" if is_app(target) else client.get_user().login
