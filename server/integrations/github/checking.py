"""Ask GitHub whether a registration will do: who its credential is, what it may, whether a verdict is enforced (R40).

Sources: GitHub Docs, "Permissions required for GitHub Apps", "Permissions required for fine-grained personal access
tokens", "Scopes for OAuth apps", REST pages «Apps», «Rules», «Branch protection»; the header
`github-authentication-token-expiration`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from server.egress.github_addresses import web_address
from server.errors import EgressError
from server.integrations.answers import RefusedError
from server.integrations.check_notes import CheckNotes
from server.integrations.github.access import is_app, open_app, with_client
from server.integrations.github.outcomes import outcome_of, words
from server.integrations.github.patience import Patience
from server.integrations.types import Checked, Target, Tools
from server.model.app_installations import Installation
from server.model.integrations import BoundRepository

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository

CONTEXTS = "chainloop/"
"""How the names of our statuses and check runs begin."""
APP_PERMISSIONS = {"actions": "read", "checks": "write", "contents": "read", "pull_requests": "read"}
"""What an App cannot do without. `statuses: write` is for the surface `status`, `pull_requests: write` for comments,
`repository_hooks: write` for webhooks of repositories, `deployments: write` for deployment protection rules."""
MAX_LOOKED_AT = 20
"""Repositories whose rights and rules are looked at; all are resolved."""
ADVISORY = (
    "advisory: anybody with write access can set the same status; only a GitHub App that a required check names as its "
    "expected source is enforced"
)
_LEVELS = {"read": 1, "write": 2, "admin": 3}


def check(target: Target, tools: Tools) -> Checked:
    """Return what GitHub says of a registration; what it does not answer is a finding."""
    from github import BadAttributeException, GithubException

    notes = CheckNotes()
    patience = Patience(tools.now)
    if target.host != web_address(target.host):
        # Two spellings would be two forges, and one repository or installation could have two organizations.
        return Checked((f"give the forge's address as {web_address(target.host)}",))
    try:
        if is_app(target):
            _check_app(target, tools, notes)
        with_client(target, tools, lambda client: _check_client(client, target, notes, patience))
    except GithubException as error:
        notes.findings.append(outcome_of(error, "access to the repositories", 1, tools.now()).detail)
    except (EgressError, RefusedError) as error:
        notes.findings.append(error.message if isinstance(error, EgressError) else error.outcome.detail)
    except (BadAttributeException, KeyError, TypeError, AttributeError):
        # Whatever a wrong address answers with 200: a page for people, say.
        notes.findings.append("what answers there is no API of GitHub: give the forge's base address")
    return notes.checked()


def _check_app(target: Target, tools: Tools, notes: CheckNotes) -> None:
    app = open_app(target, tools)
    notes.facts["app"] = app.get_app().slug
    _, found = app.requester.requestJsonAndCheck("GET", f"/app/installations/{target.settings['installationId']}")
    notes.facts |= {"account": found["account"]["login"], "permissions": found["permissions"]}
    if str(found["id"]) != str(target.settings["installationId"]):
        notes.findings.append("what answers there shows another installation than the one that was asked for")
    elif found.get("suspended_at"):
        notes.findings.append("the App's installation is suspended; take it up again where it is installed")
    else:
        notes.installation = Installation(str(found["id"]), found["account"]["login"])
    notes.facts["enforcement"] = (
        f"enforced where a required check names the App {notes.facts['app']} as its expected source; else {ADVISORY}"
    )
    gates = {"deployments": "write"} if target.settings.get("environments") else {}
    for name, level in {**APP_PERMISSIONS, **gates}.items():
        if _LEVELS.get(found["permissions"].get(name), 0) < _LEVELS[level]:
            notes.findings.append(
                f"give the App the permission «{_shown(name)}: {level}» and accept it where it is installed"
            )


def _check_client(client: Github, target: Target, notes: CheckNotes, patience: Patience) -> None:
    if not is_app(target):
        _check_token(client, notes)
    wanted: list[str] = list(target.settings.get("repositories", ()))
    found = _installed(client, patience) if is_app(target) else {}
    for name in wanted:
        patience.require()
        repository = found.get(name.lower()) or _find(client, target, name)
        if repository is None:
            notes.findings.append(
                f"{name}: the credential shows no such repository; give it access, or correct the name"
            )
            continue
        notes.repositories.append(BoundRepository(target.host, str(repository.id), repository.full_name))
        notes.visibility[str(repository.id)] = not repository.private
        if len(notes.repositories) <= MAX_LOOKED_AT:
            _check_rights(repository, target, notes)
            _check_rules(repository, target, notes, patience)


def _check_token(client: Github, notes: CheckNotes) -> None:
    headers, found = client.requester.requestJsonAndCheck("GET", "/user")
    notes.facts |= {"login": found["login"], "enforcement": ADVISORY}
    notes.expires_at = parse_expiry(str(headers.get("github-authentication-token-expiration", "")))
    scopes = headers.get("x-oauth-scopes")
    if scopes is None:
        notes.facts["tokenKind"] = "fine-grained"
        return
    granted = {scope.strip() for scope in str(scopes).split(",") if scope.strip()}
    notes.facts |= {"tokenKind": "classic", "scopes": sorted(granted)}
    if "repo" not in granted:
        notes.findings.append("give the token the scope «repo»: statuses, CI runs and files of private repositories")


def _installed(client: Github, patience: Patience) -> dict[str, Repository]:
    from github.PaginatedList import PaginatedList
    from github.Repository import Repository

    listed = PaginatedList(Repository, client.requester, "/installation/repositories", None, list_item="repositories")
    return {item.full_name.lower(): item for item in patience.each(listed)}


def _find(client: Github, target: Target, name: str) -> Repository | None:
    from github import UnknownObjectException

    if is_app(target):
        # What is public can be read, but nothing can be written to it.
        return None
    try:
        return client.get_repo(name).complete()
    except UnknownObjectException:
        return None


def _check_rights(repository: Repository, target: Target, notes: CheckNotes) -> None:
    from github import GithubException

    name = repository.full_name
    if not is_app(target) and not (repository.raw_data.get("permissions") or {}).get("push"):
        notes.findings.append(f"{name}: a status takes write access, which the token has not")
    for need, path in (("Actions: read", "actions/runs"), ("Pull requests: read", "pulls")):
        if is_app(target):
            continue
        try:
            repository.requester.requestJsonAndCheck("GET", f"{repository.url}/{path}", {"per_page": 1})
        except GithubException as error:
            if error.status not in (403, 404):
                raise
            notes.findings.append(f"{name}: give the token «{need}»: {words(error)}")


def _check_rules(repository: Repository, target: Target, notes: CheckNotes, patience: Patience) -> None:
    """Report required checks of ours that any source may satisfy, where the rules can be read (R40)."""
    branch = repository.default_branch
    patience.require()
    required = {**_by_protection(repository, branch), **_by_rulesets(repository, branch)}
    ours = {context: source for context, source in required.items() if context.startswith(CONTEXTS)}
    for context, source in sorted(ours.items()):
        if source is None:
            notes.warnings.append(
                f"{repository.full_name}: the required check {context} of {branch} is taken from any source; "
                f"choose your GitHub App as its expected source"
            )
        elif source != target.settings.get("appId"):
            notes.warnings.append(
                f"{repository.full_name}: the required check {context} of {branch} is expected from another App "
                f"({source}): what this registration tells does not count"
            )


def _by_rulesets(repository: Repository, branch: str) -> dict[str, int | None]:
    return {
        check["context"]: check.get("integration_id")
        for rule in _read(repository, f"rules/branches/{branch}") or ()
        if rule["type"] == "required_status_checks"
        for check in rule["parameters"]["required_status_checks"]
    }


def _by_protection(repository: Repository, branch: str) -> dict[str, int | None]:
    # Only an administrator's credential may read it.
    found: Mapping[str, Any] = _read(repository, f"branches/{branch}/protection/required_status_checks") or {}
    return {check["context"]: check.get("app_id") for check in found.get("checks") or ()}


def _read(repository: Repository, path: str) -> Any:
    from urllib.parse import quote

    from github import GithubException

    try:
        return repository.requester.requestJsonAndCheck("GET", f"{repository.url}/{quote(path)}")[1]
    except GithubException as error:
        if error.status not in (403, 404):
            raise
        return None


def parse_expiry(text: str) -> datetime | None:
    """Return when a token ends, as GitHub's header writes it: `2026-12-30 10:00:00 UTC`, or with an offset."""
    with suppress(ValueError):
        return datetime.strptime(text.replace(" UTC", " +0000"), "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    return None


def _shown(name: str) -> str:
    return name.replace("_", " ").capitalize()
