"""List the repositories that a registration's credential shows.

An installation lists what it was given; a token lists what its account may use, of whomever: only the accounts are of
concern whose repositories an administrator has listed. Sources: GitHub Docs, REST pages «Repositories» («List
repositories for the authenticated user») and «Installations» («List repositories accessible to the app installation»).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from server.errors import EgressError
from server.integrations.answers import RefusedError
from server.integrations.github.access import PAGE, is_app, with_client
from server.integrations.github.outcomes import outcome_of
from server.integrations.types import Target, Tools
from server.model.inventories import ForgeRepository, RepositoryPage

if TYPE_CHECKING:
    from github import Github

NEED = "Metadata: read"
# New ones come at the end, so that no page moves while pages are read.
_OF_TOKEN = {"affiliation": "owner,collaborator,organization_member", "sort": "created", "direction": "asc"}


def list_repositories(target: Target, after: str, tools: Tools) -> RepositoryPage:
    """Return one page; `after` is its number, empty for the first one."""
    from github import GithubException

    number = int(after) if after.isdecimal() else 1
    try:
        return with_client(target, tools, lambda client: _read(client, target, number))
    except GithubException as error:
        return RepositoryPage(finding=outcome_of(error, NEED, 1, tools.now()).detail)
    except EgressError as error:
        return RepositoryPage(finding=error.message)
    except RefusedError as error:
        return RepositoryPage(finding=error.outcome.detail)
    except (KeyError, TypeError, AttributeError, ValueError):
        return RepositoryPage(finding="expected a list of repositories, found something else; is it GitHub's address?")


def _read(client: Github, target: Target, number: int) -> RepositoryPage:
    page = {"per_page": PAGE, "page": number}
    if is_app(target):
        headers, found = client.requester.requestJsonAndCheck("GET", "/installation/repositories", page)
        listed: list[Mapping[str, Any]] = found["repositories"]
    else:
        headers, listed = client.requester.requestJsonAndCheck("GET", "/user/repos", {**_OF_TOKEN, **page})
    accounts = target.accounts
    found_here = (_repository(item) for item in listed)
    return RepositoryPage(
        tuple(item for item in found_here if item.name.partition("/")[0].lower() in accounts),
        # Where it leads to is none of our concern (R45): only that there is more.
        str(number + 1) if 'rel="next"' in str(headers.get("link", "")) else None,
    )


def _repository(item: Mapping[str, Any]) -> ForgeRepository:
    return ForgeRepository(str(item["id"]), item["full_name"], bool(item["archived"]), bool(item["fork"]))
