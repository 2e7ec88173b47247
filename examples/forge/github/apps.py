"""Accounts, Apps, installations and their tokens. Source: REST documentation, «Apps», «Users», «Rate limit»."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from examples.forge.exchange import Answer
from examples.forge.github.checks import app_document
from examples.forge.github.documents import full_repository, login_id, moment, user
from examples.forge.github.refusals import not_accessible, not_found, refusal
from examples.forge.github.tokens import has
from examples.forge.github.world import Installation, Repository
from examples.forge.server import Call, Route, pages

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

TOKEN_LIFE = timedelta(hours=1)


def get_user(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the account behind a token; an installation has none."""
    if call.who.kind in ("installation", "app"):
        raise not_accessible(call.who.kind)
    at = moment(forge.started_at)
    texts = ("bio", "blog", "company", "email", "hireable", "location", "name")
    counts = ["followers", "following", "public_gists", "public_repos", "collaborators", "disk_usage"]
    counts += ["owned_private_repos", "private_gists", "total_private_repos"]
    document = {**user(forge, call.who.login), **dict.fromkeys(texts), **dict.fromkeys(counts, 0)}
    return Answer(200, {**document, "two_factor_authentication": True, "created_at": at, "updated_at": at})


def rate_limit(forge: FakeGitHub, call: Call) -> Answer:
    """Answer how many requests are left; asking costs none."""
    reset = int((forge.clock() + timedelta(hours=1)).timestamp())
    used = call.who.used if call.who else 0
    limit = {"limit": forge.hourly_limit, "used": used, "remaining": max(forge.hourly_limit - used, 0), "reset": reset}
    return Answer(200, {"resources": {"core": limit, "search": limit}, "rate": limit})


def get_app(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the App that signed the request."""
    mine = [one for one in forge.installations.values() if one.app is call.who.app]
    return Answer(200, {**app_document(forge, call.who.app), "installations_count": len(mine)})


def list_installations(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the App's installations."""
    found = [one for one in forge.installations.values() if one.app is call.who.app]
    page, headers = pages(forge, call, found)
    return Answer(200, [installation_document(forge, one) for one in page], headers)


def _installation_of(forge: FakeGitHub, call: Call) -> Installation:
    found = forge.installations.get(call.number("installation_id"))
    if found is None or (call.who.kind == "app" and found.app is not call.who.app):
        raise not_found()
    return found


def get_installation(forge: FakeGitHub, call: Call) -> Answer:
    """Answer one installation of the App."""
    return Answer(200, installation_document(forge, _installation_of(forge, call)))


def installation_of_repository(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the App's installation that has a repository."""
    repository = forge.find_repository(f"{call.names['owner']}/{call.names['repo']}")
    for one in forge.installations.values():
        if repository is not None and one.app is call.who.app and covers(one, repository):
            return Answer(200, installation_document(forge, one))
    raise not_found()


def create_token(forge: FakeGitHub, call: Call) -> Answer:
    """Make a token of an installation for an hour, with some of its permissions and repositories or all."""
    installation = _installation_of(forge, call)
    if installation.suspended_at is not None:
        raise refusal(403, "This installation has been suspended")
    wanted = call.document.get("permissions") or installation.permissions
    levels = {None: 0, "read": 1, "write": 2, "admin": 3}
    if any(levels[level] > levels[installation.permissions.get(name)] for name, level in wanted.items()):
        raise refusal(422, "The permissions requested are not granted to this installation.")
    repositories = _chosen(forge, installation, call.document)
    expires_at = forge.clock() + TOKEN_LIFE
    token = forge.installation_token(installation, dict(wanted), repositories, expires_at)
    document = {
        "token": token.secret,
        "expires_at": moment(expires_at),
        "permissions": dict(wanted),
        "repository_selection": "all" if repositories is None else "selected",
    }
    return Answer(201, document)


def _chosen(forge: FakeGitHub, installation: Installation, document: dict[str, Any]) -> set[int] | None:
    names = {f"{installation.account}/{name}" for name in document.get("repositories") or []}
    numbers = set(document.get("repository_ids") or [])
    if not names and not numbers:
        return installation.repositories
    known = [one for one in forge.repositories.values() if covers(installation, one)]
    found = {one.id for one in known if one.full_name in names or one.id in numbers}
    if len(found) < len(names) + len(numbers):
        raise refusal(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    return found


def covers(installation: Installation, repository: Repository) -> bool:
    """Tell whether an installation has a repository."""
    if repository.owner != installation.account:
        return False
    return installation.repositories is None or repository.id in installation.repositories


def repositories_of_installation(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the repositories of the installation whose token asks."""
    if call.who is None or call.who.kind != "installation":
        raise refusal(403, "You must authenticate with an installation access token in order to list repositories")
    return _repositories(forge, call, forge.visible(call.who, only_own=True))


def repositories_of_account(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the repositories that a token's account may use; public ones of strangers are not among them."""
    if call.who.kind in ("installation", "app"):
        raise not_accessible(call.who.kind)
    found = [one for one in forge.visible(call.who) if has(call.who, one)]
    if call.request.query.get("sort") == "created":
        found.sort(key=lambda one: (one.created_at, one.id), reverse=call.request.query.get("direction") != "asc")
    page, headers = pages(forge, call, found)
    return Answer(200, [full_repository(forge, one) for one in page], headers)


def repositories_for_user(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the repositories of an installation that a person sees."""
    installation = _installation_of(forge, call)
    if call.who.login not in installation.users:
        raise not_found()
    return _repositories(forge, call, [one for one in forge.repositories.values() if covers(installation, one)])


def _repositories(forge: FakeGitHub, call: Call, found: list[Repository]) -> Answer:
    page, headers = pages(forge, call, found)
    documents = [full_repository(forge, one) for one in page]
    return Answer(200, {"total_count": len(found), "repositories": documents}, headers)


def installations_for_user(forge: FakeGitHub, call: Call) -> Answer:
    """Answer the installations of an App that a person sees, for the App's own token of that person."""
    if call.who.kind != "user":
        raise refusal(
            403,
            "You must authenticate with an access token authorized to a GitHub App in order to list installations",
        )
    found = [one for one in forge.installations.values() if one.app is call.who.app and call.who.login in one.users]
    page, headers = pages(forge, call, found)
    documents = [installation_document(forge, one) for one in page]
    return Answer(200, {"total_count": len(found), "installations": documents}, headers)


def installation_document(forge: FakeGitHub, one: Installation) -> dict[str, Any]:
    """Return an installation as the API has it."""
    return {**installation_event_document(forge, one), "client_id": f"Iv1.{one.app.id:016x}"}


def installation_event_document(forge: FakeGitHub, one: Installation) -> dict[str, Any]:
    """Return an installation as webhooks have it."""
    url = f"{forge.api_url}/app/installations/{one.id}"
    kind = "Organization" if one.account in forge.organizations else "User"
    return {
        "id": one.id,
        "account": user(forge, one.account),
        "repository_selection": "all" if one.repositories is None else "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{forge.api_url}/installation/repositories",
        "html_url": f"{forge.url}/organizations/{one.account}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "app_slug": one.app.slug,
        "target_id": login_id(one.account),
        "target_type": kind,
        "permissions": one.permissions,
        "events": one.app.events,
        "created_at": moment(one.at),
        "updated_at": moment(one.at),
        "single_file_name": None,
        "suspended_by": user(forge, "octocat") if one.suspended_at else None,
        "suspended_at": moment(one.suspended_at) if one.suspended_at else None,
    }


ROUTES = (
    Route("GET", "/user", get_user, "person"),
    Route("GET", "/rate_limit", rate_limit),
    Route("GET", "/app", get_app, "app"),
    Route("GET", "/app/installations", list_installations, "app"),
    Route("GET", "/app/installations/{installation_id}", get_installation, "app"),
    Route("POST", "/app/installations/{installation_id}/access_tokens", create_token, "app"),
    Route("GET", "/repos/{owner}/{repo}/installation", installation_of_repository, "app"),
    Route("GET", "/installation/repositories", repositories_of_installation),
    Route("GET", "/user/repos", repositories_of_account, "person"),
    Route("GET", "/user/installations", installations_for_user, "person"),
    Route("GET", "/user/installations/{installation_id}/repositories", repositories_for_user, "person"),
)
