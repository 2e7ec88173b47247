"""A pull request on the demo's GitHub: its jobs, and the statuses on its head as its readers see them."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.demo.terminal import DemoError
from examples.forge.github import FakeGitHub
from examples.forge.github.life import MergeRefusedError
from examples.forge.github.world import PullRequest, Repository, Status, WorkflowRun

LOOK_SECONDS = 0.05
CI_FILE = ".github/workflows/build.yml"
JOB = "build"
DESCRIPTION_WIDTH = 44
"""Columns; what is longer goes on in the next line."""


@dataclass(frozen=True)
class Watched:
    """One pull request, and what is known of it on its forge."""

    forge: FakeGitHub
    repository: Repository
    pull: PullRequest
    wait_seconds: float = 30

    def start_job(self) -> WorkflowRun:
        """Let the forge start the CI run of the head."""
        head = self.pull.head_sha
        return self.forge.start_run(
            self.repository, CI_FILE, head, "pull_request", self.pull.head, pulls=[self.pull], jobs=[JOB]
        )

    def job_env(self, run: WorkflowRun, folder: Path) -> dict[str, str]:
        """Return what GitHub tells the job of this CI run; the event document is written to `folder`."""
        event = folder / f"event-{run.id}.json"
        head = {"ref": self.pull.head, "sha": run.sha}
        event.write_text(
            json.dumps({"number": self.pull.number, "pull_request": {"number": self.pull.number, "head": head}})
        )
        ref = f"refs/pull/{self.pull.number}/merge"
        return {
            "GITHUB_SERVER_URL": self.forge.url,
            "GITHUB_REPOSITORY": self.repository.full_name,
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_JOB": JOB,
            "GITHUB_REF": ref,
            "GITHUB_HEAD_REF": self.pull.head,
            "GITHUB_BASE_REF": self.pull.base,
            "GITHUB_RUN_ID": str(run.id),
            # Not the head: a job of a pull request runs on the commit of a merge on trial.
            "GITHUB_SHA": self.pull.merge_sha,
            "GITHUB_WORKFLOW_REF": f"{self.repository.full_name}/{CI_FILE}@{ref}",
            "RUNNER_NAME": "runner 1",
        }

    def expect(self, states: Mapping[str, str], words: str) -> None:
        """Wait until the head's statuses have these states (context → state), and print them all.

        `words` have to stand in the description of the first.

        Raises:
            DemoError: they do not come in time.
        """
        end = time.monotonic() + self.wait_seconds
        while not self._has(states, words):
            if time.monotonic() >= end:
                self.show()
                raise DemoError(f"expected the statuses {dict(states)} with {words!r} within {self.wait_seconds} s")
            time.sleep(LOOK_SECONDS)
        self.show()

    def _has(self, states: Mapping[str, str], words: str) -> bool:
        found = self._newest()
        first = found.get(next(iter(states)))
        as_expected = all(context in found and found[context].state == state for context, state in states.items())
        return as_expected and first is not None and words in (first.description or "")

    def _newest(self) -> dict[str, Status]:
        """Return of each context the status that counts, the last one set."""
        with self.forge.lock:
            return {status.context: status for status in self.forge.statuses(self.pull.head_sha)}

    def show(self) -> None:
        """Print the statuses of the head: state, context, description, link."""
        print(f"  Pull request #{self.pull.number}, {self.pull.title}; its head is {self.pull.head_sha[:12]}")
        found = sorted(self._newest().values(), key=lambda status: status.context, reverse=True)
        rows = [("State", "Context", "Description", "Link")]
        rows += [(one.state, one.context, one.description or "", one.target_url or "") for one in found]
        for line in _table(rows):
            print(f"  | {line}", flush=True)

    def try_to_merge(self) -> str | None:
        """Press the button; return the required checks that keep it from being merged, or None when it is merged."""
        try:
            merged = self.forge.merge(self.repository, self.pull)
        except MergeRefusedError as refused:
            print(f"  GitHub does not merge it: {refused}", flush=True)
            return ", ".join(refused.missing)
        print(f"  GitHub merges it: {self.pull.base} is {merged[:12]} now", flush=True)
        return None


def _table(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Return lines with columns as wide as they need; descriptions are folded."""
    state, context = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = []
    for row in rows:
        first, *more = textwrap.wrap(row[2], DESCRIPTION_WIDTH) or [""]
        lines.append(f"{row[0]:{state}}  {row[1]:{context}}  {first:{DESCRIPTION_WIDTH}}  {row[3]}")
        lines += [" " * (state + context + 4) + part for part in more]
    return lines
