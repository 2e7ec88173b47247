"""Where a commit is, for people: its repository, branches and open pull requests (R43)."""

from __future__ import annotations

from server.model.forge_links import commit_url, pull_request_url, repository_url
from server.model.page_facts import CommitPlace, PullRequestLink
from server.model.sources import StoredSource
from server.services.corroborating import Told


def describe_place(source: StoredSource, sha: str, told: Told) -> CommitPlace:
    """Return where a commit is; nothing of a payload is an address."""
    address = source.address
    numbers = dict.fromkeys(head.pull_request for head in told.heads if head.pull_request and head.is_open)
    return CommitPlace(
        sha=sha,
        repository=address.repository,
        repository_url=repository_url(address),
        url=commit_url(address, sha),
        branches=tuple(dict.fromkeys(head.branch for head in told.heads)),
        pull_requests=tuple(PullRequestLink(number, pull_request_url(address, number)) for number in numbers),
    )
