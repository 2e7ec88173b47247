"""An issue that tells the teams of a project what a contract revision will ask of them (R38).

One issue for each revision; who has to be told later gets a note of it. A hidden mark tells what was written whose
answer was lost. Source: GitLab Docs, "Issues API", "Notes API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.integrations.answers import refuse, require_repository
from server.integrations.gitlab.access import Access, ask
from server.integrations.gitlab.notes import code
from server.integrations.notice_text import Quoting, mark_of, render_body, render_title
from server.integrations.types import Message, Target, Tools
from server.model.announcements import Announcement
from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from gitlab.v4.objects import Project

NEED = "the scope `api` and the role Reporter"
MAX_BODY = 900_000
"""GitLab takes a description of 1 048 576 characters."""
QUOTING = Quoting(code, code)
"""In code spans GitLab carries out nothing."""


def tell_notice(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    announced = Announcement.from_facts(message.content)

    def work(access: Access) -> Outcome:
        place = announced.repository
        if place is None:
            raise refuse("no-repository", "the notice is about no project")
        project = access.project(require_repository(target, place.host, place.id))
        return Outcome(OutcomeKind.DELIVERED, "201", remember={"iid": _tell(project, announced, message)})

    return ask(target, tools, NEED, message.attempt, work)


def _body(announced: Announcement, mark: str) -> str:
    return render_body(announced, mark, QUOTING)[:MAX_BODY]


def _tell(project: Project, announced: Announcement, message: Message) -> int:
    """Write the issue, or a note of the one that there is; return its number."""
    known = message.memory.get("iid")
    if isinstance(known, int):
        issue, mark = project.issues.get(known, lazy=True), mark_of(message.delivery_id)
        if not any(str(note.body).startswith(mark) for note in issue.notes.list(iterator=True)):
            issue.notes.create({"body": _body(announced, mark)})
        return known
    mark = mark_of(message.lane)
    title = render_title(announced)
    wanted = {"search": title, "in": "title", "scope": "created_by_me"}
    for found in project.issues.list(query_parameters=wanted):
        if str(found.description).startswith(mark):
            return int(found.iid)
    return int(project.issues.create({"title": title, "description": _body(announced, mark)}).iid)
