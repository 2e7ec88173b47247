"""What is asked of a forge because of an event, and what it answers: records of questions to integrations (R30, R34).

A question is a delivery whose outcome carries an answer. Every integration of a forge takes the same facts and gives
the same answers; words of CI systems are brought to those below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chainloop_ci.api.source_hooks import HookMode as HookMode
from chainloop_ci.api.source_hooks import HookState as HookState
from server.model.forge_facts import CiConclusion, CiStatus
from server.model.verdict_content import ForgeRepository

CI_RUN = "ci-run"
"""The part that asks for the CI run that a run claims; answered by `CiRunAnswer`."""
HEAD = "head"
"""The part that asks what a head changes; answered by `HeadAnswer`."""
HOOK = "hook"
"""The part that looks after our webhook of a repository; answered by `HookAnswer`."""


class FileState(StrEnum):
    """Whether the CI system would run a file."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """By a person, or by the forge since nothing happened for long."""
    UNKNOWN = "unknown"
    """The forge knows of none, or may not tell."""


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A job of a CI run."""

    id: str
    name: str
    """As the forge shows it: with the values of its matrix."""
    status: CiStatus
    conclusion: CiConclusion | None = None
    """Of an ended one."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    runner_name: str | None = None


@dataclass(frozen=True, slots=True)
class CiRunAnswer:
    """A CI run and attempt as the forge knows it, read with our own credential."""

    ci_run_id: str
    unknown: bool = False
    """The forge knows of no such run or attempt; nothing else is said then."""
    attempt: int | None = None
    """None where the CI system counts none."""
    path: str | None = None
    """The workflow file."""
    head_sha: str | None = None
    """Of a pull request its head, never the test merge commit (R31)."""
    head_branch: str | None = None
    repository_id: str | None = None
    """The forge's own number of the repository that the CI run belongs to."""
    head_repository_id: str | None = None
    """Of the repository that the head lies in; another one, or None: a fork's (R35)."""
    event: str | None = None
    status: CiStatus | None = None
    conclusion: CiConclusion | None = None
    """As of `JobAnswer`."""
    started_at: datetime | None = None
    """Of this attempt."""
    ended_at: datetime | None = None
    """None: not known yet."""
    pull_requests: tuple[int, ...] = ()
    """Those that the forge names; none of forks."""
    is_protected: bool | None = None
    """Whether its ref is protected; None: not known."""
    jobs: tuple[JobAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadQuestion:
    """The facts of a `head.seen` event that a forge is asked by."""

    source_id: str
    repository: ForgeRepository
    sha: str
    branch: str | None = None
    base_branch: str | None = None
    """Where it is to go: of a pull request and a merge queue."""
    before: str | None = None
    """The commit that the branch had before a push."""
    pull_request: int | None = None
    event: str | None = None
    ci_files: tuple[str, ...] = ()
    """The files whose workflows are registered."""


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """A CI file in two places. A side that has no such file is None."""

    base: str | None = None
    """Text in the branch where the change is to go; of a push the branch itself, as it was."""
    head: str | None = None
    """Text in the commit."""
    state: FileState = FileState.UNKNOWN


@dataclass(frozen=True, slots=True)
class HeadAnswer:
    """What a head changes."""

    unknown: bool = False
    """The forge does not know the commit or the pull request; nothing else is said then."""
    changed_paths: tuple[str, ...] | None = None
    """Old and new names of renamed files, both; None: not known, or too many."""
    ci_files: Mapping[str, FileAnswer] = field(default_factory=dict)
    """By the paths that were asked for."""
    is_fork: bool | None = None
    head_repository_id: str | None = None
    is_protected: bool | None = None
    """Whether the branch of the head is protected."""
    is_target_protected: bool | None = None
    """Whether the branch that it is proposed for is protected; None: not asked, it is the default branch or none."""
    is_public: bool | None = None
    """Whether anybody may read the repository: then a status names nothing unless that is allowed (R47)."""
    default_branch: str | None = None
    author: str | None = None
    """Login of who opened the pull request: a bot of the forge has no secrets (R35)."""


@dataclass(frozen=True, slots=True)
class HookQuestion:
    """The facts of a `hook.asked` event; the secret is no part of them, it is opened when it is needed."""

    source_id: str
    repository: ForgeRepository
    url: str
    """Where our webhooks of this source are to be sent."""
    mode: HookMode
    hook_id: str | None = None
    """The forge's number of the webhook that we know of."""


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """Our webhook of a repository."""

    state: HookState
    hook_id: str | None = None
    differences: tuple[str, ...] = ()
    """In words: what was not as it should be."""
    failed: int = 0
    """Deliveries of the last days that never came through."""
    asked_again: int = 0
    """Of those, how many the forge was asked to send again."""
