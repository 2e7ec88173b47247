"""Commit statuses: appended, never changed; the newest of a context counts.

Source: REST documentation, «Commit statuses»; limits: 1 000 of a commit and context, descriptions of 140 characters
without those that need four bytes (answers quoted in public issues).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.github.documents import commit, moment, node_id, repository, repository_url, small_repository, user
from examples.forge.github.refusals import invalid, invalid_request, not_found, refusal
from examples.forge.github.world import Repository, Status
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

STATES = ("error", "failure", "pending", "success")
LARGEST_DESCRIPTION = 140
MOST_OF_A_CONTEXT = 1000


def create(forge: FakeGitHub, call: Call) -> Answer:
    """Append a status."""
    repository, sha = forge.repository_of(call), call.names["sha"]
    if sha not in repository.network.commits:
        raise refusal(422, f"No commit found for SHA: {sha}")
    _require_valid(call.document)
    context = call.document.get("context") or "default"
    of_commit = repository.statuses.setdefault(sha, [])
    if sum(1 for one in of_commit if one.context == context) >= MOST_OF_A_CONTEXT:
        raise invalid("Status", "This SHA and context has reached the maximum number of statuses.")
    status = Status(
        forge.next_number(),
        sha,
        call.document["state"],
        context,
        call.document.get("description"),
        call.document.get("target_url") or None,
        call.who.login,
        forge.clock(),
        call.who.app.id if call.who.app else None,
    )
    of_commit.append(status)
    if forge.is_heard(repository, "status"):
        forge.send(repository, "status", None, status_event(forge, repository, status), sender=call.who.login)
    url = f"{repository_url(forge, repository)}/statuses/{sha}"
    return Answer(201, status_document(forge, repository, status), {"Location": url})


def _require_valid(document: Any) -> None:
    if not isinstance(document, dict) or document.get("state") not in STATES:
        raise invalid("Status", "state is not included in the list", "state")
    description = document.get("description") or ""
    if not isinstance(description, str):
        raise invalid_request(f"For 'properties/description', {description} is not a string.")
    if len(description) > LARGEST_DESCRIPTION:
        raise invalid("Status", f"description is too long (maximum is {LARGEST_DESCRIPTION} characters)", "description")
    if any(ord(character) > 0xFFFF for character in description):
        raise invalid("Status", "description doesn't accept 4-byte Unicode", "description")
    target = document.get("target_url") or ""
    if target and not target.startswith(("http://", "https://")):
        raise invalid("Status", "target_url must use http(s) scheme", "target_url")


def newest(repository: Repository, sha: str) -> list[Status]:
    """Return the newest status of each context of a commit, newest first."""
    found: dict[str, Status] = {}
    for status in reversed(repository.statuses.get(sha, [])):
        found.setdefault(status.context, status)
    return list(found.values())


def combined_state(statuses: list[Status]) -> str:
    """Return the state of a commit: failure for any error or failure, pending for none or any pending."""
    states = {status.state for status in statuses}
    if states & {"error", "failure"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def combined(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the newest status of each context."""
    repository = forge.repository_of(call)
    one = forge.commit_of(call, call.names["ref"])
    found = newest(repository, one.sha)
    page, headers = pages(forge, call, found)
    url = f"{repository_url(forge, repository)}/commits/{one.sha}"
    document = {
        "state": combined_state(found),
        "sha": one.sha,
        "total_count": len(found),
        "statuses": [_simple(forge, repository, status) for status in page],
        "repository": small_repository(forge, repository),
        "commit_url": url,
        "url": f"{url}/status",
    }
    return Answer(200, document, headers)


def listed(forge: FakeGitHub, call: Call) -> Answer:
    """Answer all statuses of a commit, newest first."""
    repository = forge.repository_of(call)
    one = repository.find_commit(call.names["ref"])
    if one is None:
        raise not_found()
    found = repository.statuses.get(one.sha, [])[::-1]
    page, headers = pages(forge, call, found)
    return Answer(200, [status_document(forge, repository, status) for status in page], headers)


def _simple(forge: FakeGitHub, repository: Repository, status: Status) -> dict[str, Any]:
    return {
        "url": f"{repository_url(forge, repository)}/statuses/{status.sha}",
        "avatar_url": user(forge, status.creator)["avatar_url"],
        "id": status.id,
        "node_id": node_id("StatusContext", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": moment(status.at),
        "updated_at": moment(status.at),
    }


def status_document(forge: FakeGitHub, repository: Repository, status: Status) -> dict[str, Any]:
    """Return a status with its creator."""
    return {**_simple(forge, repository, status), "creator": user(forge, status.creator)}


def status_event(forge: FakeGitHub, found: Repository, status: Status) -> dict[str, Any]:
    """Return the payload of the `status` webhook."""
    one = found.network.commits[status.sha]
    branches = [name for name, sha in found.branches.items() if sha == status.sha]
    url = repository_url(forge, found)
    document = commit(forge, found, one)
    # The API knows more of a verification than the webhook does.
    del document["commit"]["verification"]["verified_at"]
    return {
        "id": status.id,
        "sha": status.sha,
        "name": found.full_name,
        "avatar_url": user(forge, status.creator)["avatar_url"],
        "target_url": status.target_url,
        "context": status.context,
        "description": status.description,
        "state": status.state,
        "commit": document,
        "branches": [
            {
                "name": name,
                "commit": {"sha": status.sha, "url": f"{url}/commits/{status.sha}"},
                "protected": name in found.protections,
            }
            for name in branches
        ],
        "created_at": moment(status.at),
        "updated_at": moment(status.at),
        "repository": repository(forge, found),
    }


BASE = "/repos/{owner}/{repo}"
ROUTES = (
    Route("POST", f"{BASE}/statuses/{{sha}}", create, "statuses:write"),
    Route("GET", f"{BASE}/commits/{{ref}}/status", combined, "statuses:read"),
    Route("GET", f"{BASE}/commits/{{ref}}/statuses", listed, "statuses:read"),
    # An older address of the same list, not described any more; PyGithub asks there.
    Route("GET", f"{BASE}/statuses/{{ref}}", listed, "statuses:read"),
)
