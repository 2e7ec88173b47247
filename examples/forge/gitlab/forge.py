"""The stand-in itself: who may ask for what, and the words for faults. What happens in its projects: `life.py`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from examples.forge.exchange import Answer, Request
from examples.forge.gitlab import hooks, pipelines, repository, requests, statuses
from examples.forge.gitlab.life import Life
from examples.forge.gitlab.refusals import bad_token, forbidden, insufficient_scope, not_found, unauthorized
from examples.forge.gitlab.world import (
    DEVELOPER,
    GUEST,
    MAINTAINER,
    REPORTER,
    Job,
    Pipeline,
    Project,
    Token,
)
from examples.forge.outbox import Delivery
from examples.forge.server import Call, Forge, Route

LEVELS = {"guest": GUEST, "reporter": REPORTER, "developer": DEVELOPER, "maintainer": MAINTAINER}


class FakeGitLab(Life, Forge):
    """A GitLab on loopback: `url` is what a client takes as its address."""

    api_path = "/api/v4"
    version = "19.5.0"
    routes = (
        *statuses.ROUTES,
        *requests.ROUTES,
        *hooks.ROUTES,
        *pipelines.ROUTES,
        *repository.ROUTES,
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.projects: dict[int, Project] = {}
        self.tokens: dict[str, Token] = {}
        self.locked: set[str | int] = set()
        """Commits and projects whose statuses are locked: 409."""
        super().__init__(*arguments, **options)
        self.outbox.on_reply = self._count

    @property
    def host(self) -> str:
        """Return host and port."""
        return urlsplit(self.url).netloc

    def token(
        self,
        name: str,
        user: str = "robot",
        scopes: tuple[str, ...] = ("api",),
        level: int = MAINTAINER,
        levels: Iterable[tuple[Project, int]] = (),
        expires_at: datetime | None = None,
    ) -> str:
        """Make a token and return its secret. `level` is the role in all projects but those of `levels`."""
        chosen = {project.id: each for project, each in levels}
        secret = "glpat-" + secrets.token_hex(10)
        made = Token(self.next_number(), name, secret, user, scopes, chosen, level, self.clock(), expires_at)
        self.tokens[secret] = made
        return secret

    def revoke(self, secret: str) -> None:
        """Make a token worthless."""
        self.tokens[secret].is_revoked = True

    def _count(self, sent: Delivery) -> None:
        with self.lock:
            if sent.event != "status_check":
                hooks.count(self, sent)

    def repeat(self, sent: Delivery) -> Delivery:
        """Send a webhook again, with the same idempotency key."""
        return hooks.repeat(self, sent)

    # What the handlers ask for.

    def sees(self, token: Token | None, project: Project) -> bool:
        """Tell whether a project exists for this caller: public ones do for everybody."""
        return not project.is_private or (token is not None and token.level(project) > 0)

    def project_of(self, call: Call) -> Project:
        """Return the project that the path names, by number or by path.

        Raises:
            ApiError: 404 when it does not exist, or not for this caller.
        """
        name = call.names["id"]
        found = self.projects.get(int(name)) if name.isdigit() else None
        if found is None:
            found = next((one for one in self.projects.values() if one.path.lower() == name.lower()), None)
        if found is None or not self.sees(call.who, found):
            raise not_found("Project")
        return found

    def statuses(self, sha: str, name: str | None = None) -> list[Job]:
        """Return all statuses that were set for a commit in all projects, oldest first, retried ones among them."""
        return [
            job
            for project in self.projects.values()
            for pipeline in project.pipelines.values()
            if pipeline.sha == sha
            for job in pipeline.jobs
            if job.is_status and name in (None, job.name)
        ]

    def pipelines(self, sha: str) -> list[Pipeline]:
        """Return the pipelines of a commit in all projects."""
        return [one for each in self.projects.values() for one in each.pipelines.values() if one.sha == sha]

    # What the server asks for.

    def _secret(self, request: Request) -> str:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return request.headers.get("private-token") or bearer

    def authenticate(self, request: Request) -> Token | None:
        """Return the token of a request, None without one."""
        secret = self._secret(request)
        if not secret:
            return None
        token = self.tokens.get(secret)
        if token is None:
            raise unauthorized()
        if token.is_revoked:
            raise bad_token("Token was revoked. You have to re-authorize from the user.")
        if token.expires_at is not None and token.expires_at <= self.clock():
            raise bad_token("Token is expired. You can either do re-authorization or token refresh.")
        token.used_at = self.clock()
        return token

    def name_of(self, request: Request) -> str:
        """Return a token's name for the log."""
        secret = self._secret(request)
        if not secret:
            return "anonymous"
        return self.tokens[secret].name if secret in self.tokens else "unknown"

    def authorize(self, route: Route, call: Call) -> None:
        """Refuse what token or role do not allow."""
        if not route.right:
            return
        if call.who is None and (route.right != "read" or call.request.method != "GET"):
            raise unauthorized()
        self._require_scope(route, call)
        if "id" not in call.names or route.right in ("any-scope", "person"):
            return
        project = self.project_of(call)
        if route.right != "read" and call.who.level(project) < LEVELS[route.right]:
            raise forbidden()

    def _require_scope(self, route: Route, call: Call) -> None:
        if call.who is None or route.right == "any-scope" or "api" in call.who.scopes:
            return
        if call.request.method != "GET":
            raise insufficient_scope("api")
        wanted = {"read_api", "read_user"} if route.right == "person" else {"read_api"}
        if "/repository/" in route.template:
            wanted.add("read_repository")
        if not wanted & set(call.who.scopes):
            raise insufficient_scope("api read_api")

    def refusal(self, fault: str, request: Request) -> Answer:
        """Return GitLab's words for a fault."""
        if fault == "redirect":
            return Answer(307, None, {"Location": f"{self.faults.redirect_to}{self.api_path}{request.path}"})
        if fault in ("rate_limited", "secondary_limit"):
            text = "This endpoint has been requested too many times. Try again later."
            headers = {"Retry-After": str(self.faults.retry_after_seconds), "RateLimit-Remaining": "0"}
            return Answer(429, {"message": {"error": text}}, headers)
        status = 502 if fault in ("lost_answer", "hang") else self.faults.server_status()
        return Answer(status, {"message": f"{status} Internal Server Error"})

    def common_headers(self, request: Request) -> Mapping[str, str]:
        """Return what every answer carries."""
        return {"X-Request-Id": secrets.token_hex(13).upper(), "X-Gitlab-Meta": '{"version":"1"}'}

    def unknown(self) -> Answer:
        """Return the answer to a path that the API does not have."""
        return Answer(404, {"error": "404 Not Found"})
