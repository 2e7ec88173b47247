"""What happens on the stand-in for GitLab: pushes, merge requests, pipelines; each tells the webhooks that listen."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from examples.forge.git import ZERO, Network
from examples.forge.gitlab import events, hooks
from examples.forge.gitlab.requests import detailed_status
from examples.forge.gitlab.world import (
    FINISHED,
    MAINTAINER,
    Job,
    MergeRequest,
    Pipeline,
    Project,
    StatusCheck,
)
from examples.forge.outbox import Delivery

if TYPE_CHECKING:
    from threading import RLock

    from examples.forge.outbox import Outbox

Files = Mapping[str, str | bytes | None]


class MergeRefusedError(Exception):
    """A merge request cannot be merged; `reason` is its detailed merge status."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not mergeable: {reason}")


class Life:
    """The events of projects; `forge.py` joins it to the server."""

    if TYPE_CHECKING:
        lock: RLock
        clock: Callable[[], datetime]
        outbox: Outbox
        projects: dict[int, Project]
        next_number: Callable[[], int]

    def project(
        self,
        path: str,
        files: Files | None = None,
        is_private: bool = False,
        default_branch: str = "main",
        fork_of: Project | None = None,
        id: int | None = None,
    ) -> Project:
        """Make a project with one commit and a protected default branch, or a fork with its parent's branches."""
        with self.lock:
            network = fork_of.network if fork_of else Network()
            number = id or 2000 + self.next_number()
            made = Project(number, path, default_branch, is_private, network, self.clock(), fork_of)
            self.projects[number] = made
            made.protected[default_branch] = MAINTAINER
            if fork_of is not None:
                made.branches = dict(fork_of.branches)
            else:
                self.commit(made, default_branch, files or {"README.md": f"# {made.name}\n"}, "Begin")
            return made

    def commit(self, found: Project, branch: str, files: Files, message: str = "Change", author: str = "tanuki") -> str:
        """Add a commit to a branch, silently, and return its id; a file that is None is taken away."""
        with self.lock:
            parent = found.branches.get(branch) or found.branches.get(found.default_branch)
            tree = dict(found.network.commits[parent].files) if parent else {}
            for path, content in files.items():
                if content is None:
                    tree.pop(path, None)
                else:
                    tree[path] = content.encode() if isinstance(content, str) else content
            made = found.network.add((parent,) if parent else (), tree, message, author, self.clock())
            found.branches[branch] = made.sha
            return made.sha

    def push(self, found: Project, branch: str, files: Files, message: str = "Change", author: str = "tanuki") -> str:
        """Add a commit to a branch, tell of the push and of the merge requests that it changes; return its id."""
        with self.lock:
            before = found.branches.get(branch, ZERO)
            sha = self.commit(found, branch, files, message, author)
            hooks.send(self, found, events.push(self, found, f"refs/heads/{branch}", before, sha, author))
            for target in self.projects.values():
                for one in target.merge_requests.values():
                    if one.source is found and one.source_branch == branch and one.state == "opened":
                        one.sha = sha
                        self._merge_on_trial(one)
                        self._tell_of_request(one, "update", author, oldrev=before)
            return sha

    def delete_branch(self, found: Project, branch: str, author: str = "tanuki") -> None:
        """Take a branch away."""
        with self.lock:
            before = found.branches.pop(branch)
            hooks.send(self, found, events.push(self, found, f"refs/heads/{branch}", before, ZERO, author))

    def tag(self, found: Project, name: str, sha: str, author: str = "tanuki") -> None:
        """Make a tag."""
        with self.lock:
            found.tags[name] = sha
            payload = events.push(self, found, f"refs/tags/{name}", ZERO, sha, author, is_tag=True)
            hooks.send(self, found, payload)

    def protect(self, found: Project, branch: str, level: int = MAINTAINER) -> None:
        """Protect a branch: only this level may push or merge there."""
        found.protected[branch] = level

    def status_check(self, found: Project, name: str, url: str, secret: str = "") -> StatusCheck:
        """Make an external status check that GitLab asks at every change of a merge request."""
        with self.lock:
            made = StatusCheck(self.next_number(), name, url, secret)
            found.status_checks[made.id] = made
            return made

    def open_merge_request(
        self,
        target: Project,
        source_branch: str,
        target_branch: str | None = None,
        source: Project | None = None,
        author: str = "tanuki",
        title: str = "A change",
        is_draft: bool = False,
    ) -> MergeRequest:
        """Open a merge request, from a branch of the project or of a fork."""
        with self.lock:
            place, branch = source or target, target_branch or target.default_branch
            iid, sha = len(target.merge_requests) + 1, place.branches[source_branch]
            one = MergeRequest(
                self.next_number(), iid, title, author, place, target, source_branch, branch, sha, self.clock()
            )
            one.is_draft = is_draft
            target.merge_requests[iid] = one
            self._merge_on_trial(one)
            self._tell_of_request(one, "open", author)
            return one

    def _merge_on_trial(self, one: MergeRequest) -> None:
        network = one.target.network
        one.base_sha = one.target.branches[one.target_branch]
        files = network.merged(one.base_sha, one.sha)
        message = f"Merge branch '{one.source_branch}' into '{one.target_branch}'"
        one.merge_sha = network.add((one.base_sha, one.sha), files, message, one.author, self.clock()).sha

    def close_merge_request(self, one: MergeRequest, author: str = "tanuki") -> None:
        """Close a merge request without merging it."""
        with self.lock:
            one.state, one.closed_at = "closed", self.clock()
            self._tell_of_request(one, "close", author)

    def merge(self, one: MergeRequest, author: str = "tanuki") -> str:
        """Merge a merge request and return the target's new head.

        Raises:
            MergeRefusedError: Pipeline or status checks are not as the project asks.
        """
        with self.lock:
            reason = detailed_status(self, one)
            if reason != "mergeable":
                raise MergeRefusedError(reason)
            self._merge_on_trial(one)
            before, one.target.branches[one.target_branch] = one.base_sha, one.merge_sha
            one.state, one.merged_at = "merged", self.clock()
            ref = f"refs/heads/{one.target_branch}"
            hooks.send(self, one.target, events.push(self, one.target, ref, before, one.merge_sha, author))
            self._tell_of_request(one, "merge", author)
            return one.merge_sha

    def _tell_of_request(self, one: MergeRequest, action: str, author: str, **more: Any) -> None:
        payload = events.merge_request(self, one, action, detailed_status(self, one), author, **more)
        hooks.send(self, one.target, payload)
        for check in one.target.status_checks.values():
            one.asked_at[check.id, one.sha] = self.clock()
            self._ask(one, check, payload)

    def _ask(self, one: MergeRequest, check: StatusCheck, payload: dict[str, Any]) -> None:
        rule = {"id": check.id, "name": check.name, "external_url": check.url}
        whole = {**payload, "external_approval_rule": rule}
        body = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if check.secret:
            headers["X-Gitlab-Signature"] = hmac.new(check.secret.encode(), body, hashlib.sha256).hexdigest()
        action = payload["object_attributes"]["action"]
        self.outbox.add(
            Delivery(
                self.outbox.next_id(),
                check.id,
                "",
                "status_check",
                action,
                check.url,
                headers,
                body,
                whole,
                one.target.id,
            )
        )

    def new_pipeline(
        self, found: Project, sha: str, ref: str, source: str, user: str, request: MergeRequest | None = None
    ) -> Pipeline:
        """Make a pipeline without jobs."""
        number, iid = 60_000 + self.next_number(), len(found.pipelines) + 1
        made = Pipeline(number, iid, found, sha, ref, source, user, self.clock(), merge_request=request)
        made.is_tag = ref in found.tags
        found.pipelines[number] = made
        return made

    def start_pipeline(
        self,
        found: Project,
        sha: str,
        ref: str,
        source: str = "push",
        jobs: Iterable[str] = ("attest",),
        request: MergeRequest | None = None,
        user: str = "tanuki",
    ) -> Pipeline:
        """Start a pipeline with jobs that run at once; `sha` of a merged-results pipeline is the request's merge."""
        with self.lock:
            made = self.new_pipeline(found, sha, ref, source, user, request)
            for name in jobs:
                made.jobs.append(Job(70_000 + self.next_number(), name, "test", user, ref, self.clock(), "pending"))
            self.settle(made)
            for job in made.jobs:
                hooks.send(self, found, events.build(self, made, job))
                self._run(made, job)
            return made

    def _run(self, one: Pipeline, job: Job) -> None:
        job.status, job.started_at = "running", self.clock()
        self.settle(one)
        hooks.send(self, one.project, events.build(self, one, job))

    def finish_job(self, one: Pipeline, name: str, status: str = "success") -> Job:
        """End one job, and the pipeline with its last one."""
        with self.lock:
            job = next(each for each in one.current if each.name == name and not each.is_status)
            job.status, job.finished_at = status, self.clock()
            job.failure_reason = "script_failure" if status == "failed" else None
            hooks.send(self, one.project, events.build(self, one, job))
            self.settle(one)
            return job

    def finish_pipeline(self, one: Pipeline, status: str = "success") -> None:
        """End all jobs that still run."""
        with self.lock:
            for job in [each for each in one.current if not each.is_status and each.status not in FINISHED]:
                self.finish_job(one, job.name, status)

    def retry_job(self, one: Pipeline, name: str) -> Job:
        """Run a finished job again; a new one takes its place."""
        with self.lock:
            old = next(each for each in one.current if each.name == name and not each.is_status)
            old.is_retried = True
            again = Job(70_000 + self.next_number(), name, old.stage, old.user, old.ref, self.clock(), "pending")
            one.jobs.append(again)
            self._run(one, again)
            return again

    def settle(self, one: Pipeline) -> None:
        """Compute a pipeline's status from its jobs; tells of it when it changed."""
        before, one.status = one.status, one.computed_status()
        now = self.clock()
        if one.status != "pending":
            one.started_at = one.started_at or now
        one.finished_at = now if one.status in FINISHED else None
        if one.status != before:
            hooks.send(self, one.project, events.pipeline(self, one))
