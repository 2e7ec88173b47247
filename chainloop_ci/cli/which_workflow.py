"""How a command is told which workflow it is about."""

from __future__ import annotations

from chainloop_ci.api.workflows import Workflow
from chainloop_ci.cli.options import Option
from chainloop_ci.client.operator import Operator
from chainloop_ci.errors import UsageError

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
