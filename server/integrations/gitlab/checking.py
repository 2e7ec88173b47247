"""Ask GitLab whether a registration will do: who its token is, what it may, and that a verdict advises only (R40, R41).

Sources: GitLab Docs, "Personal access tokens API", «Get details on the token itself»; "Projects API"; "Roles and
permissions".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from server.errors import EgressError
from server.integrations.check_notes import CheckNotes
from server.integrations.gitlab.access import UNREADABLE, Access, open_access, unreadable
from server.integrations.gitlab.outcomes import outcome_of
from server.integrations.types import Checked, Target, Tools
from server.model.integrations import BoundRepository

DEVELOPER, MAINTAINER = 30, 40
"""Access levels. Source: GitLab Docs, "Members API", «Roles»."""
ADVISORY = (
    "advisory: any Developer can set the same status, and GitLab cannot ask for one of ours; a verdict stops a merge "
    "only where «Pipelines must succeed» is on, and an external status check (Ultimate) where «Status checks must "
    "succeed» is"
)
CHECK_SECONDS = 60.0
"""For all that is asked, which grows with the number of projects."""


def check(target: Target, tools: Tools) -> Checked:
    """Return what GitLab says of a registration; what it does not answer is a finding."""
    from gitlab import GitlabError

    notes = CheckNotes(facts={"enforcement": ADVISORY})
    try:
        access = open_access(target, tools, CHECK_SECONDS)
        try:
            _check_token(access, notes)
            _check_projects(access, notes)
        except GitlabError as error:
            notes.findings.append(outcome_of(error, "the scope `api`", 1, access.headers).detail)
        except UNREADABLE as error:
            notes.findings.append(unreadable(error).detail)
    except EgressError as error:
        notes.findings.append(error.message)
    return notes.checked()


def _check_token(access: Access, notes: CheckNotes) -> None:
    found = access.client.personal_access_tokens.get("self")
    access.client.auth()
    scopes = sorted(found.scopes)
    notes.facts |= {"tokenName": found.name, "scopes": scopes}
    if access.client.user is not None:
        notes.facts["login"] = access.client.user.username
    notes.expires_at = parse_expiry(found.attributes.get("expires_at"))
    if "api" not in scopes:
        notes.findings.append(f"give the token the scope «api»: it has {', '.join(scopes) or 'none'}")


def _check_projects(access: Access, notes: CheckNotes) -> None:
    target, details = access.target, {}
    for name in _wanted(target):
        found = _find(access, name)
        if found is None:
            notes.findings.append(f"{name}: the token shows no such project; give it access, or correct the path")
            continue
        notes.repositories.append(BoundRepository(target.host, str(found["id"]), found["path_with_namespace"]))
        if found.get("visibility"):
            notes.visibility[str(found["id"])] = found["visibility"] == "public"
        level = role_of(found.get("permissions"))
        if level == 0:
            notes.warnings.append(f"{name}: a status takes the role Developer; GitLab does not say which the token has")
        elif level < DEVELOPER:
            notes.findings.append(f"{name}: a status takes the role Developer; the token has {_role(level)}")
        details[found["path_with_namespace"]] = {
            "pipelinesMustSucceed": bool(found.get("only_allow_merge_if_pipeline_succeeds")),
            "statusChecksMustSucceed": bool(found.get("only_allow_merge_if_all_status_checks_passed")),
            "mayManageWebhooks": level >= MAINTAINER,
        }
    notes.facts["projects"] = details


def _wanted(target: Target) -> list[str]:
    named = target.settings.get("repositories")
    return list(named) if named else [item.name for item in target.repositories]


def _find(access: Access, name: str) -> Mapping[str, Any] | None:
    from gitlab import GitlabError

    try:
        found: Any = access.client.http_get(f"/projects/{quote(name, safe='')}")
    except GitlabError as error:
        if error.response_code == 404:
            return None
        raise
    return dict(found)


def role_of(permissions: Mapping[str, Any] | None) -> int:
    """Return the access level that a project's document says the caller has, by the project or by its group.

    0: it does not say. So it is for administrators, and for members of a group that the project is shared with.
    """
    parts = [(permissions or {}).get(name) or {} for name in ("project_access", "group_access")]
    return max(int(part.get("access_level") or 0) for part in parts)


def parse_expiry(text: object) -> datetime | None:
    """Return when a token ends: at the beginning of its day, in UTC."""
    if not isinstance(text, str) or not text:
        return None
    day = date.fromisoformat(text[:10])
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _role(level: int) -> str:
    return {5: "Minimal Access", 10: "Guest", 15: "Planner", 20: "Reporter"}.get(level, f"level {level}")
