"""Whether what is known of a CI run confirms what a run says of its CI job (R30)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from chainloop_ci.runners.types import CiIdentity
from server.model.forge_facts import ForgeRun, build_key
from server.model.runs import Run
from server.model.sources import StoredWorkflowSource, is_at
from server.model.verdict_facts import Corroboration

CLOCK_SKEW = timedelta(minutes=2)
"""How far the forge's clock may differ from the server's. Compared with differences, which no time is too late for."""

_REMOTE = re.compile(
    r"(?:https?://|(?:git\+)?ssh(?:\+git)?://)(?:[^/@]*@)?(?P<url>[^/]+/.+)|(?:[^/@:]*@)?(?P<host>[^/:]+):(?P<path>.+)"
)
_SSH_PORT = re.compile(r":22(?=/)")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client said of its CI job, and when the server heard it."""

    ci: CiIdentity
    began_at: datetime
    """When the server received the init."""
    ended_at: datetime | None = None
    """When it received the store; None: it did not, or there was none."""
    late: bool = False
    """R20: begun after the job on purpose."""
    attested_commit: str | None = None

    @classmethod
    def of(cls, run: Run) -> Claim:
        """Return the claim of a run; only a store is a request of the job that has to lie in its time."""
        stored_at = run.finished_at if run.attestation_digest else None
        return cls(run.ci, run.created_at, stored_at, run.late, run.attested_commit)

    @property
    def ci_run_id(self) -> str | None:
        """Return the name of its CI run among those that were told of."""
        if self.ci.provider == SourceKind.JENKINS.value and self.ci.job and self.ci.run_id:
            return build_key(self.ci.job, self.ci.run_id)
        return self.ci.run_id

    @property
    def last_heard_at(self) -> datetime:
        """Return when the server heard of the job for the last time."""
        return self.ended_at or self.began_at


@dataclass(frozen=True, slots=True)
class CodeHead:
    """Where a forge has a commit, told by its own source: Jenkins knows of builds, and of no branches."""

    address: SourceAddress
    is_fork: bool
    closed_at: datetime | None
    """By the forge's clock, since when it is head of that branch or pull request no more; None: it is."""


def is_about(ci: CiIdentity, bound: StoredWorkflowSource) -> bool:
    """Tell whether a job says that it ran in the repository, or the Jenkins job, registered for its workflow."""
    return is_at(ci, bound.source.address)


def corroborate(
    claim: Claim, bound: StoredWorkflowSource, told: ForgeRun | None, heads: Sequence[CodeHead] = ()
) -> Corroboration:
    """Return how far a claim is proven by what was told of the CI run and attempt that it names.

    The forge's record of that attempt must be of the registered file, of the claimed commit, not of a fork, and its
    times must enclose those of the server. Jenkins keeps no such record: there the signed word of the build must be of
    that commit and come last, and `heads`, told by the organization's forges, must have the commit.
    """
    if not is_about(claim.ci, bound):
        return Corroboration.CONTRADICTED
    if told is None:
        return Corroboration.CLAIMED
    if bound.source.address.kind is SourceKind.JENKINS:
        return _corroborate_build(claim, told, heads)
    if told.is_fork or told.head_sha != claim.ci.head_sha or not _is_of_file(told, bound):
        return Corroboration.CONTRADICTED
    return Corroboration.CORROBORATED if _encloses(told, claim) else _out_of_time(claim)


def _corroborate_build(claim: Claim, told: ForgeRun, heads: Sequence[CodeHead]) -> Corroboration:
    """The build's source is the job, bound to this workflow alone (R46): there is no other file that it could be of."""
    commit = claim.ci.head_sha or claim.attested_commit
    if not told.head_sha or commit is None:
        # A build that names no commit says nothing of any.
        return Corroboration.CLAIMED
    if told.head_sha != commit:
        return Corroboration.CONTRADICTED
    if claim.last_heard_at - max(told.seen_at, told.ended_at or told.seen_at) > CLOCK_SKEW:
        return _out_of_time(claim)
    # Scripted pipelines have no variable that names the repository.
    remote = claim.ci.repository
    own = [head for head in heads if remote is None or is_remote_of(remote, head.address)]
    if own and all(head.is_fork for head in own):
        return Corroboration.CONTRADICTED
    was_head = any(not head.is_fork and _was_head(head, claim) for head in own)
    return Corroboration.CORROBORATED if was_head else Corroboration.CLAIMED


def is_remote_of(remote: str, address: SourceAddress) -> bool:
    """Tell whether a git remote, by http or ssh, is the repository at an address."""
    match = _REMOTE.fullmatch(remote)
    if match is None:
        return False
    path = match["url"] or f"{match['host']}/{match['path'].lstrip('/')}"
    return _SSH_PORT.sub("", path, count=1).rstrip("/").removesuffix(".git").lower() == address.key


def _was_head(head: CodeHead, claim: Claim) -> bool:
    """A branch goes on while it is built: what counts is the moment at which the job began."""
    return head.closed_at is None or claim.began_at - head.closed_at <= CLOCK_SKEW


def _out_of_time(claim: Claim) -> Corroboration:
    # R20: that it came late is said; it is no lie.
    return Corroboration.CLAIMED if claim.late else Corroboration.CONTRADICTED


def _is_of_file(told: ForgeRun, bound: StoredWorkflowSource) -> bool:
    return told.ci_file is not None and told.ci_file == bound.expected.ci_file


def _encloses(told: ForgeRun, claim: Claim) -> bool:
    # One that the forge has not begun yet cannot have sent anything.
    started = told.started_at is not None and told.started_at - claim.began_at <= CLOCK_SKEW
    return started and (told.ended_at is None or claim.last_heard_at - told.ended_at <= CLOCK_SKEW)
