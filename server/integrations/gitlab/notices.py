"""An issue that tells the teams of a project what a contract revision will ask of them (R38).

One issue for each revision; who has to be told later gets a note of it. A hidden mark tells what was written whose
answer was lost. Source: GitLab Docs, "Issues API", "Notes API".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from server.integrations.gitlab.access import Access, ask, require_repository
from server.integrations.gitlab.notes import code
from server.integrations.gitlab.outcomes import refuse
from server.integrations.types import Message, Target, Tools
from server.model.announcements import AnnouncedWorkflow, Announcement
from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from gitlab.v4.objects import Project

NEED = "the scope `api` and the role Reporter"
MAX_TITLE = 250
MAX_BODY = 900_000
"""GitLab takes a description of 1 048 576 characters."""


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


def render_title(announced: Announcement) -> str:
    """Return the title of the issue."""
    day = f"{announced.enforced_from:%Y-%m-%d}"
    return f"Contract {announced.name} asks for more from {day} on (revision {announced.revision})"[:MAX_TITLE]


def render_body(announced: Announcement, mark: str) -> str:
    """Return the Markdown: texts of others stand in code spans, where GitLab carries out nothing."""
    lines = [
        mark,
        f"From {announced.enforced_from:%Y-%m-%d %H:%M} UTC on, runs are held to revision {announced.revision} of the "
        f"contract {code(announced.name)}. Until then nothing fails for it.",
        "",
        "The last attestations of these workflows lack something of it:",
        "",
    ]
    for workflow in announced.workflows:
        lines += _workflow(workflow)
    lines += ["", "`chainloop attestation status` in the job says the same, and `push` warns."]
    return "\n".join(lines)[:MAX_BODY]


def _workflow(workflow: AnnouncedWorkflow) -> Iterator[str]:
    team = f" (team {code(workflow.team)})" if workflow.team else ""
    yield f"- {code(f'{workflow.project}/{workflow.name}')}{team}"
    for asked in workflow.requirements:
        yield f"  - {code(asked.message)}" + (f": {code(asked.hint)}" if asked.hint else "")


def _tell(project: Project, announced: Announcement, message: Message) -> int:
    """Write the issue, or a note of the one that there is; return its number."""
    known = message.memory.get("iid")
    if isinstance(known, int):
        issue, mark = project.issues.get(known, lazy=True), _mark(message.delivery_id)
        if not any(str(note.body).startswith(mark) for note in issue.notes.list(iterator=True)):
            issue.notes.create({"body": render_body(announced, mark)})
        return known
    mark = _mark(message.lane)
    title = render_title(announced)
    wanted = {"search": title, "in": "title", "scope": "created_by_me"}
    for found in project.issues.list(query_parameters=wanted):
        if str(found.description).startswith(mark):
            return int(found.iid)
    return int(project.issues.create({"title": title, "description": render_body(announced, mark)}).iid)


def _mark(what: str) -> str:
    return f"<!-- chainloop: notice {hashlib.sha256(what.encode()).hexdigest()[:16]} -->"
