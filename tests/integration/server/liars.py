"""Whoever lies to the control plane, on one live scene: tokens and tenants are real, only what they say is not true."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from examples.forge.github.world import PullRequest, WorkflowRun
from tests.forges.clients import PUBLIC_PEM, github_client
from tests.integration.server.app_world import RIGHTS, Deployments, as_app
from tests.integration.server.conftest import Api, Clock, Tenant
from tests.integration.server.forge_world import CONTEXT, NAME, ForgeJob, job_of
from tests.integration.server.jobs import CONTRACT, Job, Key, MaterialType, digest, put_contract, register_key
from tests.integration.server.judged import CI_FILE
from tests.integration.server.webhooks import make_hook

SECRET = "octo-org/secret"  # a repository that the App's installation has, and nobody registered
OWN_FILE = ".github/workflows/throw-away.yml"
OWN_CONTRACT = CONTRACT.replace(b"name: app-build", b"name: app-deploy")
OWN_BINARY = b"\x7fELF what nobody built"
Said = tuple[str, str]
"""State and description of a status."""

_OF_STATEMENT = {
    "headSha": "head_sha",
    "pullRequest": "pull_request",
    "runAttempt": "run_attempt",
    "repository": "repository",
    "serverUrl": "server_url",
}
"""What a claim says on the wire, and where the statement says it again."""


@dataclass
class Liars(Deployments):
    """A victim's pull request, mallory's beside it, another tenant, and a host of the liars' own."""

    template: Job = field(kw_only=True)
    rival: Tenant = field(kw_only=True)
    foreign: str = field(kw_only=True)
    """Its URL."""

    def open_two(self) -> None:
        """Open the victim's pull request and mallory's, whose CI run goes on."""
        self.victim = self.propose()
        self.mallorys_sha = self.forge.push(self.repository, "mallory", {"b.py": "1"})
        self.mallory = self.forge.open_pull_request(self.repository, "mallory")
        self.mallorys_run = self.forge.start_run(
            self.repository, CI_FILE, self.mallorys_sha, "pull_request", pulls=[self.mallory]
        )
        self.settle()

    def said(self, sha: str) -> Said:
        """Return what is shown of our context."""
        status = self.forge.statuses(sha, CONTEXT)[-1]
        return status.state, status.description

    def attest_honestly(self) -> WorkflowRun:
        """Let the victim's own job attest."""
        return self.attest(self.template, self.sha, "pull_request", self.victim)

    def attest_again(self, run: WorkflowRun) -> None:
        """Let the next attempt of the victim's CI run attest."""
        self.forge.rerun(run)
        self.settle()
        job = self._begin(job_of(self.template, self.forge.url, run, self.sha, "pull_request", self.victim))
        self._push(job)
        self.forge.finish_run(run)
        self.settle()

    def claim_head_of_victim(self) -> ForgeJob:
        """From mallory's CI run, say that it is of the victim's head."""
        return self._claim(headSha=self.sha, pullRequest=str(self.victim.number))

    def claim_attempt(self, run: WorkflowRun, attempt: int) -> ForgeJob:
        """Say of the victim's CI run that it has been run so often."""
        return self._lie(run, self.sha, self.victim, runAttempt=attempt)

    def claim_repository(self, name: str, server: str | None = None) -> ForgeJob:
        """Say of mallory's CI run that it is another repository's, or another forge's."""
        return self._claim(repository=name, serverUrl=server or self.forge.url)

    def succeed(self, job: ForgeJob) -> None:
        """Attest everything, signed with the key that CI has."""
        self._push(job)

    def fail(self, job: ForgeJob) -> None:
        """End the run as one that failed."""
        assert job.end("failure").status_code == 200
        self.settle()

    def asked_about(self, words: str) -> list[str]:
        """Return the requests to the forge with those words in their path."""
        return [f"{seen.method} {seen.path}" for seen in self.forge.log if words in seen.path]

    def register_as_rival(self, *, own_app: bool) -> tuple[int, str]:
        """Let the other tenant register the App's installation, with a key of its own or with the App's that leaked."""
        assert self.installation is not None
        other = self.forge.app("rival-app", PUBLIC_PEM, RIGHTS) if own_app else self.installation.app
        body = as_app(replace(self.installation, app=other), [SECRET])
        admin = Api(self.client, self.rival.token("admin"))
        answer = admin.post("/registrations", json={"kind": "github", "name": "f", "url": self.forge.url, **body})
        return answer.status_code, answer.json["code"]

    def speak_as_installation(self, clock: Clock) -> str:
        """Let the other tenant sign a deployment of our installation with the secret of its own source."""
        source = f"github:{self.forge.url}/{NAME}"
        hook = make_hook(lambda secret: Api(self.client, secret), self.client, clock, self.rival, source)
        assert self.installation is not None
        payload = {
            "action": "requested", "environment": "production", "event": "push",
            "deployment_callback_url": f"{self.foreign}/actions/runs/1/deployment_protection_rule",
            "deployment": {"id": 5, "sha": self.sha, "ref": "main"}, "installation": {"id": self.installation.id},
            "repository": {"id": self.repository.id, "full_name": NAME},
        }  # fmt: skip
        answer = hook.github("deployment_protection_rule", payload)
        assert answer.status_code == 200, answer.text
        return str(answer.json["status"])

    def deploy_with_foreign_callback(self) -> WorkflowRun:
        """Let a signed question name an address of the liars' own for its answer."""
        run = self.forge.start_run(self.repository, ".github/workflows/deploy.yml", self.sha)
        callback = f"{self.foreign}/repos/{NAME}/actions/runs/{run.id}/deployment_protection_rule"
        self.forge.ask_deployment(run, "production", callback)
        self.settle()
        return run

    def attest_by_throw_away_workflow(self) -> None:
        """Push a commit that only a workflow of mallory's attests, honestly: its own source, contract, key, binary."""
        self.sha = self.forge.push(self.repository, "main", {"a.py": "3", OWN_FILE: "on: push\njobs: {}\n"})
        self.bind("app/deploy", OWN_FILE)
        self.settle()
        api, key = lambda secret: Api(self.client, secret), Key()
        put_contract(api, self.tenant, OWN_CONTRACT, "app-deploy")
        register_key(api, self.tenant, key, "throw-away", workflows=["app/deploy"])
        token = self.tenant.token("attest", "organization")
        own = replace(
            self.template, api=api(token), key=key, contract=OWN_CONTRACT, workflow="app/deploy", materials={}
        )
        run = self.forge.start_run(self.repository, OWN_FILE, self.sha, "push")
        self.settle()
        job = self._begin(job_of(own, self.forge.url, run, self.sha, "push", None))
        self._push(job, OWN_BINARY)
        self.forge.finish_run(run)
        self.settle()

    def ask_gate(self, **body: Any) -> tuple[bool, list[str]]:
        """Return whether a gate is open, and the code of each reason."""
        answer = Api(self.client, self.tenant.token("read")).post("/gate", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json["approved"], [reason["code"] for reason in answer.json["reasons"]]

    def forge_status(self, sha: str) -> None:
        """Write success under our name, as everybody with write access can."""
        commit = github_client(self.forge, self.forge.token("mallory", login="mallory")).get_repo(NAME).get_commit(sha)
        commit.create_status("success", description="all is well", context=CONTEXT)
        self.settle()

    def _claim(self, **claim: Any) -> ForgeJob:
        return self._lie(self.mallorys_run, self.mallorys_sha, self.mallory, **claim)

    def _lie(self, run: WorkflowRun, sha: str, pull: PullRequest, **claim: Any) -> ForgeJob:
        made = job_of(self.template, self.forge.url, run, sha, "pull_request", pull)
        made.ci_claim = {**made.ci_claim, **claim}
        made.ci = replace(made.ci, **{_OF_STATEMENT[name]: value for name, value in claim.items()})
        return self._begin(made)

    def _begin(self, job: ForgeJob) -> ForgeJob:
        begun = job.begin(ci=job.ci_claim)
        assert begun.status_code == 201, begun.text
        self.settle()
        return job

    def _push(self, job: ForgeJob, binary: bytes | None = None) -> None:
        job.add_everything()
        if binary is not None:
            job.add_file("binary", MaterialType.ARTIFACT, binary, "app.bin", output=True)
        answer = job.push()
        assert answer.status_code in (200, 201), answer.text
        self.settle()


OWN_DIGEST = digest(OWN_BINARY)
