"""How a command is told which workflow it is about."""

from __future__ import annotations

from chainloop_ci.api.sources import WorkflowSource
from chainloop_ci.api.workflows import Workflow
from chainloop_ci.cli.options import Option
from chainloop_ci.client.operator import Operator
from chainloop_ci.errors import NotFoundError, UsageError

WHICH: tuple[Option, ...] = (
    Option("name", ("--name", "--id"), "Name or id of the workflow.", metavar="NAME|ID"),
    Option("project", ("--project",), "Its project, where several have one of this name."),
)


def find_workflow(operator: Operator, named: str | None, project: str | None) -> Workflow:
    """Return the workflow that was named: by its id, its name, or PROJECT/NAME.

    Raises:
        UsageError: nothing was named, or several have the name.
        NotFoundError: there is none.
    """
    if not named:
        raise UsageError("say which workflow: its name or its id", hint="`chainloop workflow list` shows both")
    owner, slash, name = named.partition("/")
    return operator.find_workflow(name, owner) if slash else operator.find_workflow(named, project)


def find_registered_source(operator: Operator, named: str | None, project: str | None) -> tuple[str, WorkflowSource]:
    """Return the id of the source that is registered for the workflow that was named, and the source.

    Raises:
        UsageError, NotFoundError: as `find_workflow`, or none is registered.
    """
    workflow = find_workflow(operator, named, project)
    found = operator.get_source(workflow.id)
    if found.source_id is None:
        raise NotFoundError(
            f"workflow {workflow.project}/{workflow.name} has no registered source, only a claimed one",
            hint="accept it first: `chainloop workflow source accept`",
        )
    return found.source_id, found
