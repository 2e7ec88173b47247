"""Sources of workflows on the wire, and what one must obey beyond its schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from chainloop_ci.api.record import about
from chainloop_ci.api.source_address import MAX_SOURCE, SourceKind, parse_source
from chainloop_ci.errors import Finding, UsageError
from chainloop_ci.records import record

DEFAULT_GRACE_SECONDS = 30 * 60
MIN_GRACE_SECONDS = 60
MAX_GRACE_SECONDS = 7 * 86400
MIN_CADENCE_SECONDS = 15 * 60
MAX_CADENCE_SECONDS = 366 * 86400
MAX_PATHS = 100
MAX_CI_FILE = 255
EVENT_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"

_DEFAULT_CI_FILES = {SourceKind.GITLAB: ".gitlab-ci.yml", SourceKind.JENKINS: "Jenkinsfile"}
_GITHUB_FOLDER = ".github/workflows/"
_GITHUB_FILE = re.compile(r"\.github/workflows/[^/]+\.ya?ml\Z")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f\\]+\Z")

_PUBLIC = about("Whether anybody may read the repository; None: the forge has not told.")
_NAMES = about(
    "R47: whether statuses, issues and notes there name materials and workflows although anybody reads them; for all "
    "workflows that come from it."
)
_PASS = about(
    "R35: whether heads whose jobs have no secrets (forks, bots, unprotected refs) pass without an attestation, which "
    "opens the gate of a required check."
)
_PROTECTED = about(
    "R35: whether GitLab's jobs have the token as a protected variable, so that those of unprotected refs lack it."
)


class SourceState(StrEnum):
    """How far a source is trusted."""

    CLAIMED = "claimed"
    """A first attestation named it; nobody has accepted it, and nothing is read from there (R30)."""
    ACCEPTED = "accepted"
    """An operator registered it."""


@record
class SourceRequest:
    """Register where the code of a workflow lives, and which runs of it must attest."""

    source: Annotated[str, about("`github:OWNER/REPO`, `gitlab:GROUP/PROJECT`, `jenkins:URL`.", maxLength=MAX_SOURCE)]
    ci_file: Annotated[
        str,
        about(
            "File in the repository that defines the workflow; left out: `.gitlab-ci.yml`, `Jenkinsfile`. GitHub has "
            "no default.",
            maxLength=MAX_CI_FILE,
        ),
    ] = ""
    branch: Annotated[
        str | None, about("Target branch, or a pattern of branches; None: every branch.", minLength=1, maxLength=255)
    ] = None
    event: Annotated[
        str | None, about("Event as the CI system names it, `push`; None: every one.", pattern=EVENT_PATTERN)
    ] = None
    paths: Annotated[
        tuple[str, ...],
        about("Patterns of changed files that make the workflow run; none: any file.", maxItems=MAX_PATHS),
    ] = ()
    cadence_seconds: Annotated[
        int | None,
        about(
            "It attests at least so often; None: whenever.", minimum=MIN_CADENCE_SECONDS, maximum=MAX_CADENCE_SECONDS
        ),
    ] = None
    grace_seconds: Annotated[
        int,
        about("After a commit, until its attestation is missed.", minimum=MIN_GRACE_SECONDS, maximum=MAX_GRACE_SECONDS),
    ] = DEFAULT_GRACE_SECONDS


@record
class WorkflowSource:
    """The source of one workflow."""

    workflow_id: str
    source: Annotated[str, about("In one spelling: `github:acme/app`.")]
    kind: SourceKind
    host: Annotated[str, about("Base address of the forge.")]
    repository: Annotated[str, about("Full path; of a Jenkins the full name of the job.")]
    state: SourceState
    source_id: Annotated[str | None, about("None while it is only claimed.")] = None
    ci_file: str = ""
    branch: str | None = None
    event: str | None = None
    paths: tuple[str, ...] = ()
    cadence_seconds: int | None = None
    grace_seconds: int = DEFAULT_GRACE_SECONDS
    created_at: datetime | None = None
    repository_id: Annotated[str | None, about("The forge's own id; None: the forge was not asked yet.")] = None
    run_id: Annotated[str | None, about("The run that claimed it.")] = None
    public: Annotated[bool | None, _PUBLIC] = None
    names_in_public: Annotated[bool, _NAMES] = False
    untrusted_heads_pass: Annotated[bool, _PASS] = False
    token_is_protected: Annotated[bool, _PROTECTED] = False


@record
class Source:
    """A repository of a forge, or a job of a Jenkins, that workflows of the organization come from."""

    id: str
    source: str
    kind: SourceKind
    host: str
    repository: str
    created_at: datetime
    repository_id: str | None = None
    default_branch: str | None = None
    workflows: Annotated[int, about("How many workflows come from it.")] = 0
    public: Annotated[bool | None, _PUBLIC] = None
    names_in_public: Annotated[bool, _NAMES] = False
    untrusted_heads_pass: Annotated[bool, _PASS] = False
    token_is_protected: Annotated[bool, _PROTECTED] = False


@record
class SourceChange:
    """Change what holds for a repository and all workflows that come from it; what is left out stays."""

    names_in_public: Annotated[bool | None, _NAMES] = None
    untrusted_heads_pass: Annotated[bool | None, _PASS] = None
    token_is_protected: Annotated[bool | None, _PROTECTED] = None

    @property
    def is_of_admins(self) -> bool:
        """Tell whether it decides who passes a required check (R35), and not only what is said there."""
        return self.untrusted_heads_pass is not None or self.token_is_protected is not None


def ci_file_of(request: SourceRequest) -> str:
    """Return the CI file that a request means, its default where it names none; empty: GitHub, without one."""
    return request.ci_file or _DEFAULT_CI_FILES.get(parse_source(request.source).kind, "")


def check_source(request: SourceRequest) -> list[Finding]:
    """Return everything that is wrong with a request, by its wire fields: `/ciFile`."""
    try:
        kind = parse_source(request.source).kind
    except UsageError as error:
        return [Finding("invalid-source", error.message, path="/source", hint=error.hint), *_check_paths(request)]
    return [*_check_ci_file(kind, request.ci_file), *_check_paths(request)]


def _check_ci_file(kind: SourceKind, path: str) -> Iterator[Finding]:
    if kind is SourceKind.GITHUB and not _GITHUB_FILE.match(path):
        name = path.rsplit("/", 1)[-1]
        hint = f"did you mean {_GITHUB_FOLDER}{name}?" if re.search(r"[^/]\.ya?ml\Z", name) else None
        found = f"found {path[:80]!r}" if path else "found none"
        message = f"a workflow of GitHub is a file like {_GITHUB_FOLDER}ci.yml, {found}"
        yield Finding("invalid-ci-file", message, path="/ciFile", hint=hint or "it is part of what is corroborated")
    elif path and (not _PLAIN.match(path) or path.startswith("/") or ".." in path.split("/")):
        message = f"expected a path from the root of the repository, found {path[:80]!r}"
        yield Finding("invalid-ci-file", message, path="/ciFile", hint="without / at the begin, without ..")


def _check_paths(request: SourceRequest) -> Iterator[Finding]:
    for at, path in enumerate(request.paths):
        if not _PLAIN.match(path) or path.removeprefix("!").startswith("/") or len(path) > MAX_CI_FILE:
            message = f"expected a pattern of paths from the root of the repository, found {path[:80]!r}"
            hint = f"like src/**, without / at the begin, at most {MAX_CI_FILE} characters"
            yield Finding("invalid-path", message, path=f"/paths/{at}", hint=hint)
