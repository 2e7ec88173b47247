"""Which commit and which pull request a job is about, by the word of GitHub or GitLab (R31).

Apart from those systems' own entries, since their variables reach other runners too: Dagger hands them on.
"""

from __future__ import annotations

from collections.abc import Mapping

from chainloop_ci.deferred import deferred_pattern
from chainloop_ci.runners.types import Env, EnvVar, HostFacts
from chainloop_ci.runners.values import commit, digits

GITHUB_PULL_REQUEST_EVENTS = frozenset(
    {"pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment"}
)
"""Events whose GITHUB_SHA is a test merge commit or the base branch (GitHub Docs, "Events that trigger workflows")."""
GITLAB_MERGE_REQUEST_VARIABLES = (
    EnvVar("CI_PIPELINE_SOURCE", required=False),
    EnvVar("CI_MERGE_REQUEST_IID", required=False),
    EnvVar("CI_MERGE_REQUEST_TITLE", required=False),
    EnvVar("CI_MERGE_REQUEST_DESCRIPTION", required=False),
    EnvVar("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", required=False),
    EnvVar("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", required=False),
    EnvVar("CI_MERGE_REQUEST_PROJECT_URL", required=False, address=True),
    EnvVar("CI_MERGE_REQUEST_PROJECT_PATH", required=False),
)
"""What is recorded of a merge request, and of what started the pipeline (reference 4.1)."""
_PULL_REQUEST_REF = deferred_pattern(r"refs/pull/([0-9]{1,9})/")
_MERGED_RESULTS = frozenset({"merged_result", "merge_train"})


def github_head(facts: HostFacts) -> str | None:
    """Return the head commit.

    In a pull request's events it stands in the event document alone: without it the head is unknown, and unknown is
    what is said. A merge queue's commit (`merge_group`) is a head of its own.
    """
    event = facts.env.get("GITHUB_EVENT_NAME")
    if event in GITHUB_PULL_REQUEST_EVENTS:
        return commit(_mapping(_mapping(facts.event, "pull_request"), "head").get("sha"))
    if event == "merge_group":
        return commit(_mapping(facts.event, "merge_group").get("head_sha"), facts.env.get("GITHUB_SHA"))
    return commit(facts.env.get("GITHUB_SHA"))


def head_source(facts: HostFacts, sha: str) -> str:
    """Return who says that `sha` is the head: GitHub's event document, or a variable of the CI system."""
    named = (
        _mapping(_mapping(facts.event, "pull_request"), "head").get("sha"),
        _mapping(facts.event, "merge_group").get("head_sha"),
    )
    return "event-document" if sha in named else "ci-variable"


def github_pull_request(facts: HostFacts) -> str | None:
    """Return the number of the pull request whose event this is."""
    if facts.env.get("GITHUB_EVENT_NAME") not in GITHUB_PULL_REQUEST_EVENTS:
        return None
    number = _mapping(facts.event, "pull_request").get("number")
    if isinstance(number, int) and not isinstance(number, bool):
        return digits(str(number))
    match = _PULL_REQUEST_REF.match(facts.env.get("GITHUB_REF", ""))
    return match[1] if match else None


def gitlab_head(env: Env) -> str | None:
    """Return the head commit.

    In merged-results pipelines and merge trains CI_COMMIT_SHA is a merge commit that no branch has; the source branch's
    head is set in these only.
    """
    merged = env.get("CI_MERGE_REQUEST_EVENT_TYPE") in _MERGED_RESULTS
    return commit(env.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"), None if merged else env.get("CI_COMMIT_SHA"))


def _mapping(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}
