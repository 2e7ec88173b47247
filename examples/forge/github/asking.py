"""What the stand-in asks of Apps: to run a check again, to let a deployment through; and what it tells of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from examples.forge.github.apps import covers, installation_event_document
from examples.forge.github.checks import check_run_event_document, suite_document, suite_of
from examples.forge.github.documents import moment, node_id, repository_url, user
from examples.forge.github.pulls import full_pull
from examples.forge.github.world import App, CheckRun, Installation, Repository, WorkflowRun

if TYPE_CHECKING:
    from threading import RLock


class Asking:
    """Events that Apps answer; `forge.py` joins it to the server."""

    if TYPE_CHECKING:
        lock: RLock
        clock: Callable[[], datetime]
        url: str
        api_url: str
        repositories: dict[int, Repository]
        send: Callable[..., None]
        send_to: Callable[..., None]
        next_number: Callable[[], int]

    def tell_of_check_run(self, found: Repository, run: CheckRun, action: str) -> None:
        """Tell of a check run that was made or completed."""
        payload = {"check_run": check_run_event_document(self, found, run)}
        self.send(found, "check_run", action, payload, f"{run.app.slug}[bot]")

    def set_check_run(self, found: Repository, app: App, sha: str, name: str, conclusion: str) -> CheckRun:
        """Make a completed check run, as another App does on its own."""
        with self.lock:
            suite = suite_of(self, found, sha, app)
            run = CheckRun(self.next_number(), sha, name, app, suite, self.clock(), "completed", conclusion)
            run.started_at = run.completed_at = moment(self.clock())
            found.check_runs[run.id] = run
            self.tell_of_check_run(found, run, "created")
            self.tell_of_check_run(found, run, "completed")
            return run

    def rerequest(self, found: Repository, run: CheckRun, person: str = "octocat") -> None:
        """Press «Re-run» of a completed check run; only its App hears of it."""
        payload = {"action": "rerequested", "check_run": check_run_event_document(self, found, run)}
        self.send(found, "check_run", "rerequested", payload, person)

    def rerequest_suite(self, found: Repository, run: CheckRun, person: str = "octocat") -> None:
        """Press «Re-run all checks» of the suite that a check run is in; only its App hears of it."""
        document = suite_document(self, found, run.suite)
        document.pop("repository")
        self.send(found, "check_suite", "rerequested", {"action": "rerequested", "check_suite": document}, person)

    def ask_deployment(self, run: WorkflowRun, environment: str, callback: str | None = None) -> None:
        """Ask the Apps of a deployment protection rule; `callback` is what a forged payload would name."""
        with self.lock:
            run.waiting_for.add(environment)
            url = f"{repository_url(self, run.repository)}/actions/runs/{run.id}/deployment_protection_rule"
            payload = {
                "environment": environment,
                "event": run.event,
                "deployment_callback_url": callback or url,
                "deployment": self._deployment(run, environment),
                "pull_requests": [full_pull(self, run.repository, pull) for pull in run.pulls],
            }
            self.send(run.repository, "deployment_protection_rule", "requested", payload, run.actor)

    def decide_deployment(self, run: WorkflowRun, environment: str, state: str) -> None:
        """Let a deployment through, or end its run when it was rejected."""
        run.waiting_for.discard(environment)
        if state == "rejected" and run.last.status != "completed":
            self.finish_run(run, "failure")

    def _deployment(self, run: WorkflowRun, environment: str) -> dict[str, Any]:
        number, url = self.next_number(), f"{repository_url(self, run.repository)}/deployments"
        return {
            "url": f"{url}/{number}",
            "id": number,
            "node_id": node_id("Deployment", number),
            "sha": run.sha,
            "ref": run.branch or run.sha,
            "task": "deploy",
            "payload": {},
            "original_environment": environment,
            "environment": environment,
            "description": None,
            "creator": user(self, run.actor),
            "created_at": moment(self.clock()),
            "updated_at": moment(self.clock()),
            "statuses_url": f"{url}/{number}/statuses",
            "repository_url": repository_url(self, run.repository),
        }

    def tell_of_installation(self, one: Installation, action: str, person: str = "octocat") -> None:
        """Tell an App of an installation that was made, suspended or deleted."""
        if one.app.hook is None:
            return
        payload = {
            "action": action,
            "installation": installation_event_document(self, one),
            "repositories": [self._short(found) for found in self.repositories.values() if covers(one, found)],
            "sender": user(self, person),
        }
        self.send_to(one.app.hook, None, "installation", action, payload)

    def change_installation(self, one: Installation, added: list[Repository], removed: list[Repository]) -> None:
        """Give an installation other repositories; tells the App."""
        with self.lock:
            everything = {found.id for found in self.repositories.values() if covers(one, found)}
            kept = everything if one.repositories is None else one.repositories
            one.repositories = (kept | {found.id for found in added}) - {found.id for found in removed}
            if one.app.hook is None:
                return
            action = "added" if added else "removed"
            payload = {
                "action": action,
                "installation": installation_event_document(self, one),
                "repository_selection": "selected",
                "repositories_added": [self._short(found) for found in added],
                "repositories_removed": [self._short(found) for found in removed],
                "requester": None,
                "sender": user(self, "octocat"),
            }
            self.send_to(one.app.hook, None, "installation_repositories", action, payload)

    def suspend(self, one: Installation) -> None:
        """Suspend an installation; its tokens end."""
        one.suspended_at = self.clock()
        self.tell_of_installation(one, "suspend")

    def unsuspend(self, one: Installation) -> None:
        """Take an installation up again."""
        one.suspended_at = None
        self.tell_of_installation(one, "unsuspend")

    def uninstall(self, one: Installation) -> None:
        """Delete an installation; its tokens end."""
        with self.lock:
            del self.installations[one.id]
            for secret in [each for each, token in self.tokens.items() if token.installation is one]:
                del self.tokens[secret]
            self.tell_of_installation(one, "deleted")

    def _short(self, found: Repository) -> dict[str, Any]:
        return {
            "id": found.id,
            "node_id": node_id("Repository", found.id),
            "name": found.name,
            "full_name": found.full_name,
            "private": found.is_private,
        }
