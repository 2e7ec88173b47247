"""The stand-in itself: who may ask for what, and the words for faults. What happens in its repositories: `life.py`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from examples.forge.exchange import Answer, Request
from examples.forge.git import Commit
from examples.forge.github import actions, apps, checks, contents, hooks, issues, pulls, sending, statuses
from examples.forge.github.asking import Asking
from examples.forge.github.documents import login_id
from examples.forge.github.life import Life
from examples.forge.github.refusals import DOCS, not_accessible, not_found, refusal
from examples.forge.github.tokens import find_token, read_app, require_right, secret_of, sees
from examples.forge.github.world import App, Hook, Installation, Repository, Status, Token
from examples.forge.server import Call, Forge, Route

_BY_NUMBER = re.compile(r"/repositories/(?P<number>[0-9]{1,18})/(?P<rest>.+)")
SERVER_ERRORS = {500: "Server Error", 502: "Server Error", 503: "Service Unavailable", 504: "Server Error"}


class FakeGitHub(Life, Asking, Forge):
    """A GitHub Enterprise Server on loopback: pages at `url`, the API at `api_url`, which a client takes as base."""

    api_path = "/api/v3"
    enterprise_version = "3.19.0"
    # Addresses with a long name at their end stand behind those that go on after it.
    routes = (
        *statuses.ROUTES,
        *checks.ROUTES,
        *pulls.ROUTES,
        *actions.ROUTES,
        *hooks.ROUTES,
        *issues.ROUTES,
        *apps.ROUTES,
        *contents.ROUTES,
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.repositories: dict[int, Repository] = {}
        self.organizations: set[str] = set()
        self.tokens: dict[str, Token] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.hourly_limit = 1_000_000
        super().__init__(*arguments, **options)
        self.started_at = self.clock()
        # The App that every job's check run belongs to; github.com's has this number.
        self.actions_app = App(15368, "github-actions", "github", b"", {}, [], self.started_at)

    def token(
        self,
        name: str,
        kind: str = "classic",
        login: str = "robot",
        scopes: tuple[str, ...] = ("repo",),
        permissions: Mapping[str, str] | None = None,
        repositories: list[Repository] | None = None,
        expires_at: datetime | None = None,
        can_push: bool = True,
        app: App | None = None,
    ) -> str:
        """Make a token and return its secret. `kind`: classic, fine-grained, or user (a person's, by way of an App)."""
        prefix = {"classic": "ghp_", "fine-grained": "github_pat_", "user": "ghu_"}[kind]
        chosen = None if repositories is None else {one.id for one in repositories}
        token = Token(
            name,
            prefix + secrets.token_hex(18),
            kind,
            login,
            scopes if kind == "classic" else (),
            permissions or {},
            chosen,
            expires_at,
            None,
            app,
            can_push,
        )
        self.tokens[token.secret] = token
        return token.secret

    def revoke(self, secret: str) -> None:
        """Make a token worthless."""
        del self.tokens[secret]

    def installation_token(
        self, one: Installation, permissions: dict[str, str], repositories: set[int] | None, expires_at: datetime
    ) -> Token:
        """Make a token of an installation."""
        name, login = f"{one.app.slug} installation {one.id}", f"{one.app.slug}[bot]"
        secret = "ghs_" + secrets.token_hex(18)
        token = Token(name, secret, "installation", login, (), permissions, repositories, expires_at, one, one.app)
        self.tokens[secret] = token
        return token

    def app(
        self,
        slug: str,
        public_key: bytes,
        permissions: Mapping[str, str],
        events: list[str] | None = None,
        webhook_url: str = "",
        webhook_secret: str = "",
        owner: str = "octo-org",
    ) -> App:
        """Register a GitHub App; `public_key` is PEM."""
        app = App(self.next_number(), slug, owner, public_key, dict(permissions), list(events or []), self.clock())
        if webhook_url:
            app.hook = Hook(self.next_number(), webhook_url, webhook_secret, app.events, self.clock(), app_id=app.id)
        self.apps[app.id] = app
        return app

    def install(
        self, app: App, account: str, repositories: list[Repository] | None = None, users: tuple[str, ...] = ()
    ) -> Installation:
        """Install an App in an account, for some repositories or all; tells the App."""
        chosen = None if repositories is None else {one.id for one in repositories}
        one = Installation(self.next_number(), app, account, chosen, dict(app.permissions), self.clock(), set(users))
        self.installations[one.id] = one
        self.tell_of_installation(one, "created")
        return one

    # What the handlers ask for.

    def visible(self, token: Token | None, only_own: bool = False) -> list[Repository]:
        """Return the repositories that a token sees, by number; `only_own` leaves out other accounts' public ones."""
        found = [one for one in self.repositories.values() if sees(token, one)]
        if only_own and token is not None and token.installation is not None:
            found = [one for one in found if apps.covers(token.installation, one)]
            found = [one for one in found if token.repositories is None or one.id in token.repositories]
        return found

    def find_repository(self, full_name: str) -> Repository | None:
        """Return a repository by name; case does not matter."""
        return next((one for one in self.repositories.values() if one.full_name.lower() == full_name.lower()), None)

    def repository_of(self, call: Call) -> Repository:
        """Return the repository that the path names.

        Raises:
            ApiError: 404 when it does not exist, or not for this caller.
        """
        if "repository_id" in call.names:
            found = self.repositories.get(call.number("repository_id"))
        else:
            found = self.find_repository(f"{call.names['owner']}/{call.names['repo']}")
        if found is None or not sees(call.who, found):
            raise not_found()
        return found

    def commit_of(self, call: Call, ref: str) -> Commit:
        """Return the commit that a sha or a branch names; GitHub answers 422 when there is none."""
        found = self.repository_of(call).find_commit(ref)
        if found is None:
            raise refusal(422, f"No commit found for SHA: {ref}")
        return found

    def statuses(self, sha: str, context: str | None = None) -> list[Status]:
        """Return all statuses of a commit in all repositories, oldest first."""
        return [
            status
            for one in self.repositories.values()
            for status in one.statuses.get(sha, [])
            if context in (None, status.context)
        ]

    def is_heard(self, found: Repository, event: str) -> bool:
        """Tell whether anybody would get an event of a repository."""
        return sending.is_heard(self, found, event)

    def send(
        self, found: Repository, event: str, action: str | None, payload: dict[str, Any], sender: str = "octocat"
    ) -> None:
        """Put an event of a repository into the queue for those who listen."""
        whole = sending.with_sender(self, found, payload, sender)
        sending.send(self, found, event, action, {**whole, "action": action} if action else whole)

    def send_to(
        self, hook: Hook, found: Repository | None, event: str, action: str | None, payload: dict[str, Any]
    ) -> None:
        """Put an event into the queue for one webhook."""
        self.outbox.add(sending.delivery(self, hook, found, event, action, payload))

    def with_sender(self, found: Repository, payload: dict[str, Any], sender: str) -> dict[str, Any]:
        """Return a payload with repository and sender."""
        return sending.with_sender(self, found, payload, sender)

    # What the server asks for.

    def serve(self, request: Request) -> Answer | None:
        """Answer a request; GitHub serves what it has below a repository's name also below its number."""
        found = _BY_NUMBER.fullmatch(request.path)
        if found is not None:
            repository = self.repositories.get(int(found["number"]))
            name = repository.full_name if repository else "nobody/nothing"
            request = replace(request, path=f"/repos/{name}/{found['rest']}")
        return super().serve(request)

    def authenticate(self, request: Request) -> Token | None:
        """Return the token of a request, None without one; an App's JSON web token counts as one."""
        header = request.headers.get("authorization", "")
        if not header:
            return None
        secret = secret_of(header)
        if secret.count(".") == 2:
            app = read_app(self.apps, secret, self.clock())
            return Token(f"{app.slug} as itself", "", "app", app.slug, app=app, permissions={})
        token = find_token(self, secret)
        token.used += 1
        return token

    def name_of(self, request: Request) -> str:
        """Return a token's name for the log."""
        header = request.headers.get("authorization", "")
        if not header:
            return "anonymous"
        secret = secret_of(header)
        if secret.count(".") == 2:
            return "JSON web token"
        return self.tokens[secret].name if secret in self.tokens else "unknown"

    def authorize(self, route: Route, call: Call) -> None:
        """Refuse what the caller's token may not do."""
        if call.who is not None and call.who.used > self.hourly_limit and route.template != "/rate_limit":
            raise refusal(403, f"API rate limit exceeded for user ID {login_id(call.who.login)}.")
        if route.right == "app":
            if call.who is None or call.who.kind != "app":
                raise refusal(401, "A JSON web token could not be decoded")
        elif route.right == "person":
            if call.who is None:
                raise refusal(401, "Requires authentication")
        elif route.right:
            repository = self.repository_of(call)
            if call.who is not None and call.who.kind == "app":
                raise not_accessible("app")
            require_right(call.who, repository, route.right)

    def refusal(self, fault: str, request: Request) -> Answer:
        """Return GitHub's words for a fault."""
        waits = {"Retry-After": str(self.faults.retry_after_seconds)}
        if fault == "redirect":
            document = {"message": "Moved Permanently", "url": self.faults.redirect_to, "documentation_url": DOCS}
            return Answer(307, document, {"Location": f"{self.faults.redirect_to}{self.api_path}{request.path}"})
        if fault in ("rate_limited", "secondary_limit"):
            text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
            document = {"message": text, "documentation_url": f"{DOCS}/overview/resources-in-the-rest-api"}
            return Answer(429 if fault == "rate_limited" else 403, document, waits)
        status = 502 if fault in ("lost_answer", "hang") else self.faults.server_status()
        return Answer(status, {"message": SERVER_ERRORS[status]})

    def common_headers(self, request: Request) -> Mapping[str, str]:
        """Return rate limit, request id, and what GitHub tells of a token: its scopes, its end."""
        token = self.tokens.get(secret_of(request.headers.get("authorization", "")))
        used = token.used if token else 0
        headers = {
            "X-GitHub-Enterprise-Version": self.enterprise_version,
            "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": str(self.hourly_limit),
            "X-RateLimit-Remaining": str(max(self.hourly_limit - used, 0)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int((self.clock() + timedelta(hours=1)).timestamp())),
        }
        if token is not None and token.kind == "classic":
            headers["X-OAuth-Scopes"] = ", ".join(token.scopes)
        if token is not None and token.kind in ("classic", "fine-grained") and token.expires_at is not None:
            headers["GitHub-Authentication-Token-Expiration"] = f"{token.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        return headers

    def unknown(self) -> Answer:
        """Return the answer to a path that the API does not have."""
        return Answer(404, {"message": "Not Found", "documentation_url": DOCS, "status": "404"})
