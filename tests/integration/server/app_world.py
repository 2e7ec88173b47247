"""A server whose operator has a GitHub App at the forge of the tests; nothing is bound but by registering (R42)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient

from examples.forge.github import FakeGitHub
from examples.forge.github.world import App, Installation, Repository, WorkflowRun
from server.app import create_app
from server.config import ServerConfig
from server.wiring import Services, build_services
from tests.forges.checked import checked_github
from tests.forges.clients import PRIVATE_PEM, PUBLIC_PEM
from tests.integration.server.conftest import Clock
from tests.integration.server.forge_world import ForgeWorld

RIGHTS = {
    "actions": "read",
    "checks": "write",
    "contents": "read",
    "deployments": "write",
    "pull_requests": "write",
    "statuses": "write",
    "repository_hooks": "write",
    "issues": "write",
}
EVENTS = ("check_run", "check_suite", "deployment_protection_rule")
"""Of installations an App hears whether it wants to or not."""
DEPLOY = ".github/workflows/deploy.yml"
APP_SECRET = "the secret of the App's webhook"


@dataclass
class AppServer:
    """The server, its forge, and the App that the operator has there."""

    services: Services
    client: FlaskClient
    forge: FakeGitHub
    app: App

    def install(self, *repositories: Repository, account: str = "octo-org") -> Installation:
        """Install the App for repositories; GitHub tells of it, and nobody is there to hear it yet."""
        return self.forge.install(self.app, account, list(repositories))


@dataclass
class Deployments(ForgeWorld):
    """A repository whose environments have the App as their protection rule."""

    installation: Installation | None = None

    def push(self) -> None:
        """Push a commit that is to be deployed."""
        self.sha = self.forge.push(self.repository, "main", {"a.py": "2"})
        self.settle()

    def deploy(self, environment: str = "production", callback: str | None = None) -> WorkflowRun:
        """Begin a job that waits for the App's word."""
        run = self.forge.start_run(self.repository, DEPLOY, self.sha)
        self.forge.ask_deployment(run, environment, callback)
        self.settle()
        return run


@contextmanager
def app_server(config: ServerConfig, services: Services, clock: Clock) -> Iterator[AppServer]:
    """Run a forge, and a server whose one endpoint takes the webhooks of an App that is there."""
    # What an App says is signed by PyGithub, and with the time of the machine.
    clock.moment = datetime.now(UTC)
    with checked_github(clock=clock) as forge:
        own = build_services(
            replace(config, github_app_url=forge.url, github_app_webhook_secrets=(APP_SECRET,)), services.world
        )
        address = f"{config.public_url}/webhooks/github-app"
        app = forge.app("chainloop-app", PUBLIC_PEM, RIGHTS, list(EVENTS), address, APP_SECRET)
        yield AppServer(own, create_app(own).test_client(), forge, app)
        own.transport.close()
        own.database.engine.dispose()


def as_app(installation: Installation, repositories: Sequence[str], **settings: Any) -> dict[str, Any]:
    """Return settings and credentials of a registration that speaks as an installation, with the App's own key."""
    numbers = {"appId": installation.app.id, "installationId": installation.id}
    return {
        "settings": {"repositories": list(repositories), **numbers, **settings},
        "credentials": {"app-private-key": PRIVATE_PEM},
    }
