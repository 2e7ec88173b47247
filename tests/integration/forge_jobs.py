"""Jobs on a GitHub or a GitLab of our own, whose forge is connected to a control plane by its API alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from examples.demo.pull_request import CI_FILE, JOB, Watched
from examples.demo.statuses import BUILD_FILE
from examples.forge.github import FakeGitHub
from examples.forge.gitlab import FakeGitLab
from examples.forge.outbox import Delivery, Reply
from examples.forge.server import Forge
from tests.integration.live import Tenant

NAME = "acme/app"
JOBS = (JOB, "deploy")
"""Of a CI run: it goes on when the first has ended."""

Shown = tuple[str, str]
"""State and description of a status."""


class ForgeJobs(ABC):
    """A repository with an open pull request whose CI run has a job that attests."""

    kind: str
    ci_file: str
    pending: str
    """The state that a forge shows of a commit that waits."""
    begun: str
    """Words of its description when an attestation was begun."""
    begun_together: str
    """The same where jobs share its state, so that the server knows how much is there."""
    canceled: str
    """The state that a forge shows of a run that was cancelled."""
    overdue: str
    """Of one that has expired."""

    def __init__(self, forge: Forge) -> None:
        self.forge = forge

    def connect(self, tenant: Tenant, workflow_id: str) -> None:
        """Register the forge, let the workflow come from the repository, and ask for its webhook."""
        body = {
            "kind": self.kind,
            "name": "forge",
            "url": self.forge.url,
            "settings": {"repositories": [NAME]},
            "credentials": {"token": self.token()},
        }
        tenant.call("POST", "/registrations", body)
        tenant.call("POST", "/attachments", {"registration": "forge"})
        source = {"source": f"{self.kind}:{self.forge.url}/{NAME}", "ciFile": self.ci_file}
        tenant.call("PUT", f"/workflows/{workflow_id}/source", source)
        tenant.call("POST", "/source-hooks", {"mode": "sync"})

    def lose_webhooks(self) -> None:
        """Let nothing come through any more."""
        self.forge.outbox.post = lambda url, headers, body: Reply(0, {}, "failed to connect to host")

    def told_of_ended_job(self) -> str | None:
        """Return the id of the webhook that told of the end of a job, once it was sent."""
        with self.forge.lock:
            found = [sent.guid for sent in list(self.forge.outbox.sent) if self.is_ended_job(sent)]
        return found[-1] if found else None

    @abstractmethod
    def token(self) -> str:
        """Make a token that may set statuses and make webhooks."""

    @abstractmethod
    def has_hook(self) -> bool:
        """Tell whether the repository has a webhook."""

    @abstractmethod
    def propose(self) -> None:
        """Open a pull request."""

    @abstractmethod
    def start(self, folder: Path) -> Mapping[str, str]:
        """Start its CI run, and return the environment of the job."""

    @abstractmethod
    def cancel_job(self) -> None:
        """End the job; the CI run goes on."""

    @abstractmethod
    def cancel_run(self) -> None:
        """End the CI run."""

    @abstractmethod
    def is_ended_job(self, sent: Delivery) -> bool:
        """Tell whether a webhook is about the end of a job."""

    @abstractmethod
    def shown(self, context: str) -> Shown:
        """Return what is shown of a context; empty texts: nothing is."""


class GitHubJobs(ForgeJobs):
    """GitHub's."""

    kind, ci_file = "github", CI_FILE
    pending, begun, canceled, overdue = "pending", "attestation begun", "error", "error"
    begun_together = "2 of 2 materials missing"
    forge: FakeGitHub

    def token(self) -> str:
        return self.forge.token("statuses", login="chainloop-bot", scopes=("repo", "admin:repo_hook"))

    def has_hook(self) -> bool:
        return bool(self._repository.hooks)

    def connect(self, tenant: Tenant, workflow_id: str) -> None:
        files = {CI_FILE: BUILD_FILE, "main.c": "int main;"}
        self._repository = self.forge.repository(NAME, files, is_private=True)
        super().connect(tenant, workflow_id)

    def propose(self) -> None:
        self.forge.push(self._repository, "feature", {"main.c": "int main(void);"})
        pull = self.forge.open_pull_request(self._repository, "feature")
        self._watched = Watched(self.forge, self._repository, pull)

    def start(self, folder: Path) -> Mapping[str, str]:
        head, pull = self._watched.pull.head_sha, self._watched.pull
        self._run = self.forge.start_run(
            self._repository, CI_FILE, head, "pull_request", pull.head, pulls=[pull], jobs=JOBS
        )
        known = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "octocat", "GITHUB_WORKFLOW": "build"}
        known |= {"GITHUB_RUN_ATTEMPT": "1", "GITHUB_REPOSITORY_OWNER": "acme", "RUNNER_OS": "Linux"}
        return {**known, **self._watched.job_env(self._run, folder)}

    def cancel_job(self) -> None:
        self.forge.finish_job(self._run, JOB, "cancelled")

    def cancel_run(self) -> None:
        self.forge.finish_run(self._run, "cancelled")

    def is_ended_job(self, sent: Delivery) -> bool:
        return (sent.event, sent.action) == ("workflow_job", "completed")

    def shown(self, context: str) -> Shown:
        with self.forge.lock:
            found = self.forge.statuses(self._watched.pull.head_sha, context)
        return (found[-1].state, found[-1].description or "") if found else ("", "")


class GitLabJobs(ForgeJobs):
    """GitLab's."""

    kind, ci_file = "gitlab", ".gitlab-ci.yml"
    # GitLab refuses a status in the state that it has, so the first description stays.
    pending, begun, canceled, overdue = "running", "waiting for an attestation", "canceled", "failed"
    begun_together = begun
    forge: FakeGitLab

    def token(self) -> str:
        return self.forge.token("statuses")

    def has_hook(self) -> bool:
        return bool(self._project.hooks)

    def connect(self, tenant: Tenant, workflow_id: str) -> None:
        self._project = self.forge.project(NAME, {self.ci_file: "build:\n  script: [make]\n"}, is_private=True)
        super().connect(tenant, workflow_id)

    def propose(self) -> None:
        self.forge.push(self._project, "feature", {"main.c": "int main;"})
        self._request = self.forge.open_merge_request(self._project, "feature")

    def start(self, folder: Path) -> Mapping[str, str]:
        request = self._request
        ref = f"refs/merge-requests/{request.iid}/head"
        self._pipeline = self.forge.start_pipeline(
            self._project, request.sha, ref, "merge_request_event", jobs=JOBS, request=request
        )
        [job] = [each for each in self._pipeline.jobs if each.name == JOB]
        url = f"{self.forge.url}/{NAME}"
        return {
            "CI": "true",
            "GITLAB_CI": "true",
            "GITLAB_USER_LOGIN": "tanuki",
            "CI_SERVER_URL": self.forge.url,
            "CI_PROJECT_URL": url,
            "CI_PROJECT_PATH": NAME,
            "CI_PIPELINE_ID": str(self._pipeline.id),
            "CI_PIPELINE_URL": f"{url}/-/pipelines/{self._pipeline.id}",
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_JOB_ID": str(job.id),
            "CI_JOB_URL": f"{url}/-/jobs/{job.id}",
            "CI_COMMIT_SHA": request.sha,
            "CI_COMMIT_REF_NAME": request.source_branch,
            "CI_MERGE_REQUEST_IID": str(request.iid),
        }

    def cancel_job(self) -> None:
        self.forge.finish_job(self._pipeline, JOB, "canceled")

    def cancel_run(self) -> None:
        self.forge.finish_pipeline(self._pipeline, "canceled")

    def is_ended_job(self, sent: Delivery) -> bool:
        return sent.event == "build" and sent.document["build_status"] == "canceled"

    def shown(self, context: str) -> Shown:
        with self.forge.lock:
            found = self.forge.statuses(self._request.sha, context)
        return (found[-1].status, found[-1].description or "") if found else ("", "")
