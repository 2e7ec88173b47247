"""THE table «event × token → attest, dry run, refuse»: whose commit a job builds, and what follows from it (R35, T04).

Read off the environment, so all of it is a claim (R30): it decides what the job tries and whether it is red. What
counts is decided by the control plane. Sources: GitHub Docs, "Events that trigger workflows", "Troubleshooting
Dependabot on GitHub Actions"; GitLab Docs, "Merge request pipelines", "Predefined CI/CD variables reference"; Azure
DevOps docs, "Use predefined variables"; CircleCI docs, "Project values and variables"; Jenkins Branch API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from chainloop_ci.contract.types import PrivilegedEvent, RunnerType
from chainloop_ci.records import record
from chainloop_ci.runners.registry import get_runner
from chainloop_ci.runners.types import HostFacts

DEPENDABOT = "dependabot[bot]"
_FORK_EVENTS = frozenset({"pull_request", "pull_request_review", "pull_request_review_comment"})
"""Events in which a fork's commit is built, without the secrets of the repository that it wants to be merged into."""


class Course(StrEnum):
    """What the attestation commands of a job do."""

    ATTEST = "attest"
    DRY_RUN = "dry run"
    """The same checks; nothing is sent and nothing is red."""
    REFUSE = "refuse"
    """An error: the token is missing (exit 5), or the contract does not allow the event (exit 3)."""


@record
class Situation:
    """One row of the table."""

    name: str
    """For people, and for the table of docs/jobs-without-secrets.md."""
    runner: RunnerType | None
    """None: any."""
    applies: Callable[[HostFacts], bool]
    recognised_by: str
    """For that table."""
    with_token: Course
    without_token: Course
    event: PrivilegedEvent | None = None
    """Set: `with_token` holds unless the contract allows this event."""

    def course(self, *, has_token: bool) -> Course:
        """Return the cell of the table."""
        return self.with_token if has_token else self.without_token


def judge(facts: HostFacts) -> Situation:
    """Return the first row that a job is in; the last one takes every job."""
    return next(row for row in SITUATIONS if _is_on(row.runner, facts) and row.applies(facts))


def _is_on(runner: RunnerType | None, facts: HostFacts) -> bool:
    # Not the discovered runner alone: a pipeline of Dagger that a fork's job begins is a fork's too.
    return runner is None or get_runner(runner).detect(facts)


# --- GitHub ----------------------------------------------------------------------------------------------------------


def _has_event(event: PrivilegedEvent) -> Callable[[HostFacts], bool]:
    return lambda facts: facts.env.get("GITHUB_EVENT_NAME") == event


def _is_github_fork(facts: HostFacts) -> bool:
    if facts.env.get("GITHUB_EVENT_NAME") not in _FORK_EVENTS:
        return False
    head = _mapping(_mapping(facts.event, "pull_request"), "head")
    if "repo" not in head:
        return False  # the event document could not be read: not known is not «a fork»
    name = _mapping(head, "repo").get("full_name")
    # Null: the fork was deleted meanwhile.
    return not isinstance(name, str) or name.lower() != facts.env.get("GITHUB_REPOSITORY", "").lower()


def _is_dependabot(facts: HostFacts) -> bool:
    # A run that somebody else repeats keeps its first actor and that actor's secrets.
    return DEPENDABOT in (facts.env.get("GITHUB_ACTOR"), facts.env.get("GITHUB_TRIGGERING_ACTOR"))


def _is_in_github_fork(facts: HostFacts) -> bool:
    return _mapping(facts.event, "repository").get("fork") is True


# --- GitLab ----------------------------------------------------------------------------------------------------------


def _is_parent_pipeline(facts: HostFacts) -> bool:
    return _differs(facts, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "CI_PROJECT_ID") or _differs(
        facts, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "CI_PROJECT_PATH"
    )


def _is_in_gitlab_fork(facts: HostFacts) -> bool:
    return _differs(facts, "CI_MERGE_REQUEST_PROJECT_ID", "CI_PROJECT_ID")


def _is_unprotected(facts: HostFacts) -> bool:
    return facts.env.get("CI_COMMIT_REF_PROTECTED") == "false"


# --- others ----------------------------------------------------------------------------------------------------------


def _is_azure_fork(facts: HostFacts) -> bool:
    return facts.env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true"


def _is_circleci_fork(facts: HostFacts) -> bool:
    # Both are set for pull requests from forks only.
    return bool(facts.env.get("CIRCLE_PR_NUMBER") or facts.env.get("CIRCLE_PR_REPONAME"))


def _is_jenkins_fork(facts: HostFacts) -> bool:
    return bool(facts.env.get("CHANGE_FORK"))


def _differs(facts: HostFacts, name: str, other: str) -> bool:
    """Tell whether both variables are set, and differently."""
    found, expected = facts.env.get(name), facts.env.get(other)
    return bool(found and expected and found != expected)


def _mapping(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


SITUATIONS: tuple[Situation, ...] = (
    *(
        Situation(
            f"event `{event}`",
            RunnerType.GITHUB_ACTION,
            _has_event(event),
            f"`GITHUB_EVENT_NAME` is `{event}`",
            with_token=Course.REFUSE,
            without_token=Course.REFUSE,
            event=event,
        )
        for event in PrivilegedEvent
    ),
    Situation(
        "pull request from a fork",
        RunnerType.GITHUB_ACTION,
        _is_github_fork,
        "`pull_request.head.repo.full_name` of the event document is not `GITHUB_REPOSITORY`, or `head.repo` is null",
        with_token=Course.DRY_RUN,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "Dependabot",
        RunnerType.GITHUB_ACTION,
        _is_dependabot,
        f"`GITHUB_ACTOR` or `GITHUB_TRIGGERING_ACTOR` is `{DEPENDABOT}`",
        with_token=Course.ATTEST,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "repository that is a fork",
        RunnerType.GITHUB_ACTION,
        _is_in_github_fork,
        "`repository.fork` of the event document is true",
        with_token=Course.ATTEST,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "pipeline of a fork's merge request in the parent project",
        RunnerType.GITLAB_PIPELINE,
        _is_parent_pipeline,
        "`CI_MERGE_REQUEST_SOURCE_PROJECT_ID` is not `CI_PROJECT_ID`, or `CI_MERGE_REQUEST_SOURCE_PROJECT_PATH` is not "
        "`CI_PROJECT_PATH`",
        with_token=Course.DRY_RUN,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "pipeline of a merge request in the fork itself",
        RunnerType.GITLAB_PIPELINE,
        _is_in_gitlab_fork,
        "`CI_MERGE_REQUEST_PROJECT_ID` is not `CI_PROJECT_ID`",
        with_token=Course.ATTEST,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "ref that is not protected",
        RunnerType.GITLAB_PIPELINE,
        _is_unprotected,
        "`CI_COMMIT_REF_PROTECTED` is `false`",
        with_token=Course.ATTEST,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "pull request from a fork",
        RunnerType.AZURE_PIPELINE,
        _is_azure_fork,
        "`SYSTEM_PULLREQUEST_ISFORK` is `True`",
        with_token=Course.DRY_RUN,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "pull request from a fork",
        RunnerType.CIRCLECI_BUILD,
        _is_circleci_fork,
        "`CIRCLE_PR_NUMBER` or `CIRCLE_PR_REPONAME` is set",
        with_token=Course.DRY_RUN,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "change from a fork",
        RunnerType.JENKINS_JOB,
        _is_jenkins_fork,
        "`CHANGE_FORK` is set",
        # Jenkins gives an author whom it does not trust the target's pipeline, and decides itself about credentials.
        with_token=Course.ATTEST,
        without_token=Course.DRY_RUN,
    ),
    Situation(
        "any other job",
        None,
        lambda facts: True,
        "none of the above",
        with_token=Course.ATTEST,
        without_token=Course.REFUSE,
    ),
)
"""The first row that applies counts: an event that the contract has to allow is refused for forks too."""
