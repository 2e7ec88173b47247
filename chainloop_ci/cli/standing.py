"""Jobs without secrets: what the table of `runners.situations` means for the commands of `attestation` (R35).

Such a job checks what it can and is never red: whatever is found is a warning, and nothing is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainloop_ci.cli.options import find_option
from chainloop_ci.errors import ChainloopError, NotAuthenticatedError
from chainloop_ci.records import record
from chainloop_ci.runners.situations import Course, Situation, judge

if TYPE_CHECKING:
    from chainloop_ci.cli.wiring import World


_NEVER_RED = "A job without secrets is never red, whatever is found."
_WHY_DRY = (
    "This job is one without secrets ({name}), so it makes a dry run: what can be checked is checked, and nothing is "
    "stored or sent. The commit needs a maintainer's attested run."
)


@record
class Standing:
    """What a job is, and what its commands do therefore."""

    situation: Situation
    has_token: bool

    @property
    def course(self) -> Course:
        """Return the cell of the table."""
        return self.situation.course(has_token=self.has_token)


def find_standing(world: World) -> Standing:
    """Return where this job stands in the table."""
    from chainloop_ci.runners.types import Pod
    from chainloop_ci.workspace.facts import collect_facts

    # Nobody in the table is recognised by its pod: Kubernetes is not asked for it.
    facts = collect_facts(world.env, cwd=world.cwd, read_pod=lambda env, tell: Pod())
    return Standing(judge(facts), world.has_token())


def is_without_secrets(world: World) -> bool:
    """Tell whether a command that crafts is run by a job that must not be red."""
    return world.crafts and world.standing.course is Course.DRY_RUN


def explain(world: World) -> str:
    """Return what a job without secrets is told of itself, for people; empty in any other job."""
    return _WHY_DRY.format(name=world.standing.situation.name) if is_without_secrets(world) else ""


def begin_without_secrets(world: World, *, dry_run: bool) -> bool:
    """Tell whether `init` makes a dry run because the job is one without secrets, and say so.

    Raises:
        NotAuthenticatedError: the event is one that a contract has to allow, and there is no token to ask with.
    """
    standing = world.standing
    event = standing.situation.event
    if event and not standing.has_token and not dry_run:
        raise NotAuthenticatedError(
            f"this job was started by the event {event}, in which attestations are refused unless the contract allows "
            f"it; and the variable {find_option('token').env} is empty, so that nobody can be asked",
            hint="attest in another event (pull_request, push), or let the contract name this one in "
            "runner.privilegedEvents and give the step a token",
        )
    if not is_without_secrets(world):
        return False
    name = standing.situation.name
    if standing.has_token:
        world.output.warning("the token that this job was given is not used: it builds the commit of a fork", job=name)
    else:
        world.output.info(
            "this job has no secrets: a dry run checks what can be checked, and nothing is sent", job=name
        )
    return True


def tell_that_nothing_is_checked(world: World) -> None:
    """Say that there is no contract to check anything against."""
    world.output.warning(
        "nothing was checked: a job without secrets cannot ask for the contract",
        fix="give --contract (CHAINLOOP_CONTRACT) a file of the repository, or the address that an operator gets with "
        "`chainloop workflow update NAME --public-contract on`",
    )


def forgive(world: World, error: ChainloopError) -> None:
    """Show an error as what it is in a job without secrets: a warning."""
    if world.report:
        world.report.note_going_on(_NEVER_RED, tolerated=True)
    world.output.error(error, 0, level="WRN")
    world.output.info(
        "ended with 0: a job without secrets is never red; the commit needs a maintainer's attested run",
        job=world.standing.situation.name,
    )
