"""What happens on the stand-in: pushes, pull requests, jobs, a merge queue; each tells the webhooks that listen.

Facts of payloads: GitHub Docs, «Webhook events and payloads». A job of `pull_request` runs on a test merge commit, but
its run names the pull request's head; a merge queue's job runs on a commit of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from examples.forge.git import ZERO, Commit, Network
from examples.forge.github.actions import job_document, run_event_document, workflow_document
from examples.forge.github.checks import suite_of
from examples.forge.github.documents import simple_commit
from examples.forge.github.pulls import full_pull
from examples.forge.github.requirements import unmet
from examples.forge.github.world import (
    App,
    Attempt,
    Issue,
    Job,
    Protection,
    PullRequest,
    Repository,
    Workflow,
    WorkflowRun,
)

if TYPE_CHECKING:
    from threading import RLock

Files = Mapping[str, str | bytes | None]


class MergeRefusedError(Exception):
    """A pull request lacks required checks; `missing` names them."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"required checks are not there: {', '.join(missing)}")


class Life:
    """The events of repositories; `forge.py` joins it to the server."""

    if TYPE_CHECKING:
        lock: RLock
        clock: Callable[[], datetime]
        url: str
        repositories: dict[int, Repository]
        organizations: set[str]
        actions_app: App
        send: Callable[..., None]
        next_number: Callable[[], int]

    def repository(
        self,
        full_name: str,
        files: Files | None = None,
        is_private: bool = False,
        default_branch: str = "main",
        fork_of: Repository | None = None,
        id: int | None = None,
    ) -> Repository:
        """Make a repository with one commit, or a fork with its parent's branches."""
        with self.lock:
            network = fork_of.network if fork_of else Network()
            number = id or 1000 + self.next_number()
            made = Repository(number, full_name, default_branch, is_private, network, self.clock(), fork_of)
            self.repositories[number] = made
            if fork_of is not None:
                made.branches = dict(fork_of.branches)
            else:
                self.organizations.add(made.owner)
                self.commit(made, default_branch, files or {"README.md": f"# {made.name}\n"}, "Begin")
            return made

    def commit(
        self, found: Repository, branch: str, files: Files, message: str = "Change", author: str = "octocat"
    ) -> str:
        """Add a commit to a branch, silently, and return its id; a file that is None is taken away.

        A branch that is not there begins at the default branch.
        """
        with self.lock:
            parent = found.branches.get(branch) or found.branches.get(found.default_branch)
            tree = dict(found.network.commits[parent].files) if parent else {}
            for path, content in files.items():
                if content is None:
                    tree.pop(path, None)
                else:
                    tree[path] = content.encode() if isinstance(content, str) else content
            parents = (parent,) if parent else ()
            made = found.network.add(parents, tree, message, author, self.clock())
            found.branches[branch] = made.sha
            return made.sha

    def push(
        self, found: Repository, branch: str, files: Files, message: str = "Change", author: str = "octocat"
    ) -> str:
        """Add a commit to a branch, tell of the push and of the pull requests that it changes; return its id."""
        with self.lock:
            before = found.branches.get(branch, ZERO)
            sha = self.commit(found, branch, files, message, author)
            self._tell_of_push(found, branch, before, sha, author)
            self._synchronize(found, branch, before, sha, author)
            return sha

    def reset(self, found: Repository, branch: str, sha: str, author: str = "octocat") -> None:
        """Point a branch at another commit, as a forced push does."""
        with self.lock:
            before, found.branches[branch] = found.branches.get(branch, ZERO), sha
            self._tell_of_push(found, branch, before, sha, author, is_forced=True)
            self._synchronize(found, branch, before, sha, author)

    def delete_branch(self, found: Repository, branch: str, author: str = "octocat") -> None:
        """Take a branch away."""
        with self.lock:
            self._tell_of_push(found, branch, found.branches.pop(branch), ZERO, author)

    def protect(
        self, found: Repository, branch: str, checks: Mapping[str, App | None], by_ruleset: bool = False
    ) -> None:
        """Require checks on a branch, each from an App or from any source."""
        numbers = {context: app.id if app else None for context, app in checks.items()}
        with self.lock:
            if by_ruleset:
                found.rules[branch] = numbers
            else:
                found.protections[branch] = Protection(numbers)

    def _synchronize(self, found: Repository, branch: str, before: str, sha: str, author: str) -> None:
        for target in self.repositories.values():
            for pull in target.pulls.values():
                if pull.head_repository is found and pull.head == branch and pull.state == "open":
                    pull.head_sha = sha
                    self._merge_on_trial(target, pull)
                    self._tell_of_pull(target, pull, "synchronize", author, before=before, after=sha)

    def _tell_of_push(
        self, found: Repository, branch: str, before: str, after: str, author: str, is_forced: bool = False
    ) -> None:
        base = before if before != ZERO else found.branches.get(found.default_branch, ZERO)
        commits = found.network.between(base, after) if after != ZERO else []
        listed = [self._pushed_commit(found, one) for one in commits]
        head = self._pushed_commit(found, found.network.commits[after]) if after != ZERO else None
        payload = {
            "ref": f"refs/heads/{branch}",
            "before": before,
            "after": after,
            "created": before == ZERO,
            "deleted": after == ZERO,
            "forced": is_forced,
            "base_ref": None,
            "compare": f"{self.url}/{found.full_name}/compare/{before[:12]}...{after[:12]}",
            "commits": listed,
            "head_commit": head,
            "pusher": {"name": author, "email": f"{author}@users.example"},
        }
        self.send(found, "push", None, payload, author)

    def _pushed_commit(self, found: Repository, one: Commit) -> dict[str, Any]:
        changes = found.network.changes(one.parents[0] if one.parents else "", one.sha)
        person = {"name": one.author, "email": one.email, "username": one.author}
        return {
            **simple_commit(one),
            "distinct": True,
            "url": f"{self.url}/{found.full_name}/commit/{one.sha}",
            "author": person,
            "committer": person,
            "added": [change.path for change in changes if change.status in ("added", "renamed")],
            "removed": [change.path for change in changes if change.status == "removed"]
            + [change.previous for change in changes if change.previous],
            "modified": [change.path for change in changes if change.status == "modified"],
        }

    def open_pull_request(
        self,
        found: Repository,
        head: str,
        base: str | None = None,
        head_repository: Repository | None = None,
        author: str = "octocat",
        title: str = "A change",
        is_draft: bool = False,
    ) -> PullRequest:
        """Open a pull request, from a branch of the repository or of a fork."""
        with self.lock:
            source, number = head_repository or found, found.next_number()
            branch = base or found.default_branch
            pull = PullRequest(
                self.next_number(), number, title, author, branch, head, source.branches[head], source, self.clock()
            )
            pull.is_draft = is_draft
            found.pulls[number] = pull
            found.issues[number] = Issue(pull.id, number, title, author, None, pull.at)
            self._merge_on_trial(found, pull)
            self._tell_of_pull(found, pull, "opened", author)
            return pull

    def _merge_on_trial(self, found: Repository, pull: PullRequest) -> None:
        pull.base_sha = found.branches[pull.base]
        files = found.network.merged(pull.base_sha, pull.head_sha)
        message = f"Merge {pull.head_sha} into {pull.base_sha}"
        parents = (pull.base_sha, pull.head_sha)
        pull.merge_sha = found.network.add(parents, files, message, pull.author, self.clock()).sha

    def close_pull_request(self, found: Repository, pull: PullRequest, author: str = "octocat") -> None:
        """Close a pull request without merging it."""
        with self.lock:
            pull.closed_at = self.clock()
            self._tell_of_pull(found, pull, "closed", author)

    def reopen_pull_request(self, found: Repository, pull: PullRequest, author: str = "octocat") -> None:
        """Open a closed pull request again."""
        with self.lock:
            pull.closed_at = None
            self._tell_of_pull(found, pull, "reopened", author)

    def merge(self, found: Repository, pull: PullRequest, author: str = "octocat") -> str:
        """Merge a pull request and return the base's new head.

        Raises:
            MergeRefusedError: A required check is not there.
        """
        with self.lock:
            if missing := unmet(found, pull.base, pull.head_sha):
                raise MergeRefusedError(missing)
            self._merge_on_trial(found, pull)
            before, found.branches[pull.base] = found.branches[pull.base], pull.merge_sha
            pull.closed_at = pull.merged_at = self.clock()
            self._tell_of_push(found, pull.base, before, pull.merge_sha, author)
            self._tell_of_pull(found, pull, "closed", author)
            return pull.merge_sha

    def _tell_of_pull(self, found: Repository, pull: PullRequest, action: str, author: str, **more: Any) -> None:
        document = full_pull(self, found, pull)
        payload = {"number": pull.number, "pull_request": document, **more}
        self.send(found, "pull_request", action, payload, author)

    def enqueue(self, found: Repository, pull: PullRequest, author: str = "octocat") -> str:
        """Put a pull request into the merge queue and return the queue's head commit."""
        with self.lock:
            self._merge_on_trial(found, pull)
            message = f"Merge pull request #{pull.number} in the queue"
            files = found.network.commits[pull.merge_sha].files
            head = found.network.add((pull.base_sha, pull.head_sha), files, message, author, self.clock())
            branch = f"gh-readonly-queue/{pull.base}/pr-{pull.number}-{pull.base_sha}"
            found.branches[branch] = head.sha
            group = {
                "head_sha": head.sha,
                "head_ref": f"refs/heads/{branch}",
                "base_ref": f"refs/heads/{pull.base}",
                "base_sha": pull.base_sha,
                "head_commit": simple_commit(head),
            }
            self.send(found, "merge_group", "checks_requested", {"merge_group": group}, author)
            return head.sha

    def workflow(self, found: Repository, path: str, name: str | None = None) -> Workflow:
        """Return the workflow of a file; it is made at the first need."""
        with self.lock:
            if path not in found.workflows:
                made = Workflow(self.next_number(), path, name or path.rpartition("/")[2], self.clock())
                found.workflows[path] = made
            return found.workflows[path]

    def start_run(
        self,
        found: Repository,
        path: str,
        sha: str,
        event: str = "push",
        branch: str | None = None,
        head_repository: Repository | None = None,
        pulls: Iterable[PullRequest] = (),
        jobs: Iterable[str] = ("attest",),
        actor: str = "octocat",
    ) -> WorkflowRun:
        """Start a run of a workflow file with its jobs; `sha` is the head, also for `pull_request`."""
        with self.lock:
            suite = suite_of(self, found, sha, self.actions_app)
            flow, at = self.workflow(found, path), self.clock()
            flow.runs += 1
            source = head_repository or found
            name = branch or next((one for one, head in source.branches.items() if head == sha), None)
            run = WorkflowRun(
                30_000_000 + self.next_number(), flow.runs, flow, event, sha, name, source, actor, suite.id, at
            )
            run.repository, run.pulls = found, list(pulls)
            found.runs[run.id] = run
            self._begin(run, list(jobs))
            return run

    def _begin(self, run: WorkflowRun, jobs: list[str]) -> None:
        at, number = self.clock(), len(run.attempts) + 1
        attempt = Attempt(number, at)
        made = [Job(40_000_000 + self.next_number(), name, number, created_at=at) for name in jobs]
        run.attempts.append(attempt)
        run.jobs += made
        self._tell_of_run(run, "requested")
        for job in self._current(run):
            self._tell_of_job(run, job, "queued")
            job.status, job.started_at = "in_progress", at
        attempt.status = "in_progress"
        self._tell_of_run(run, "in_progress")
        for job in self._current(run):
            self._tell_of_job(run, job, "in_progress")

    def _current(self, run: WorkflowRun) -> list[Job]:
        return [job for job in run.jobs if job.attempt == run.last.number]

    def finish_job(self, run: WorkflowRun, name: str, conclusion: str = "success") -> Job:
        """End one job of the newest attempt."""
        with self.lock:
            job = next(one for one in self._current(run) if one.name == name)
            job.status, job.conclusion, job.completed_at = "completed", conclusion, self.clock()
            self._tell_of_job(run, job, "completed")
            return job

    def finish_run(self, run: WorkflowRun, conclusion: str = "success") -> None:
        """End the newest attempt; jobs that still run end with it."""
        with self.lock:
            of_job = {"timed_out": "cancelled", "action_required": "skipped", "stale": "cancelled"}
            for job in self._current(run):
                if job.status != "completed":
                    self.finish_job(run, job.name, of_job.get(conclusion, conclusion))
            run.last.status, run.last.conclusion, run.last.updated_at = "completed", conclusion, self.clock()
            self._tell_of_run(run, "completed")

    def rerun(self, run: WorkflowRun, only_failed: bool = False) -> None:
        """Start the next attempt, with all jobs or with those that failed."""
        with self.lock:
            jobs = [job.name for job in self._current(run) if not only_failed or job.conclusion != "success"]
            self._begin(run, jobs)

    def _tell_of_run(self, run: WorkflowRun, action: str) -> None:
        payload = {
            "workflow_run": run_event_document(self, run.repository, run, run.last),
            "workflow": workflow_document(self, run.repository, run.workflow),
        }
        self.send(run.repository, "workflow_run", action, payload, run.actor)

    def _tell_of_job(self, run: WorkflowRun, job: Job, action: str) -> None:
        payload = {"workflow_job": job_document(self, run.repository, run, job)}
        self.send(run.repository, "workflow_job", action, payload, run.actor)
