"""List the projects that a registration's token is a member of, by itself or by a group.

Only the top-level groups are of concern whose projects an administrator has listed. Source: GitLab Docs, "Projects
API", «List all projects» (`membership`, `id_after`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.errors import EgressError
from server.integrations.gitlab.access import PAGE, UNREADABLE, Access, open_access, unreadable
from server.integrations.gitlab.outcomes import outcome_of
from server.integrations.types import Target, Tools
from server.model.inventories import ForgeRepository, RepositoryPage

NEED = "the scope `api` (or `read_api`)"


def list_repositories(target: Target, after: str, tools: Tools) -> RepositoryPage:
    """Return one page; `after` is the number of the last project before it, empty for the first one."""
    from gitlab import GitlabError

    try:
        access = open_access(target, tools)
        try:
            return _read(access, int(after) if after.isdecimal() else 0)
        except GitlabError as error:
            return RepositoryPage(finding=outcome_of(error, NEED, 1, access.headers).detail)
        except UNREADABLE as error:
            return RepositoryPage(finding=unreadable(error).detail)
    except EgressError as error:
        return RepositoryPage(finding=error.message)


def _read(access: Access, after: int) -> RepositoryPage:
    wanted = {"membership": "true", "order_by": "id", "sort": "asc", "id_after": after, "per_page": PAGE}
    # By numbers and not by pages: nothing moves while they are read.
    found: Any = access.client.http_get("/projects", query_data=wanted)
    listed: list[Mapping[str, Any]] = [dict(item) for item in found]
    last = max((int(item["id"]) for item in listed), default=None)
    accounts = access.target.accounts
    found_here = (_repository(item) for item in listed if not item.get("marked_for_deletion_on"))
    return RepositoryPage(
        tuple(item for item in found_here if item.name.partition("/")[0].lower() in accounts),
        # Who may not see some of a page gets a shorter one: only an empty one is the last.
        str(last) if last is not None and last > after else None,
    )


def _repository(item: Mapping[str, Any]) -> ForgeRepository:
    is_fork = item.get("forked_from_project") is not None
    return ForgeRepository(str(item["id"]), item["path_with_namespace"], bool(item["archived"]), is_fork)
