"""Registry 2: host facts in, runner facts out. Nothing here reads the environment; the shell hands it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.records import record

Env = Mapping[str, str]


@record
class Pod:
    """What Kubernetes says of the pod that the job runs in."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@record
class HostFacts:
    """What the shell knows of the machine that the job runs on; `env` and `existing_paths` suffice to recognise it."""

    env: Env
    existing_paths: frozenset[str] = frozenset()
    """Those of the registry's `probe_paths` that exist."""
    event: Mapping[str, object] = field(default_factory=dict)
    """The parsed event document (`GITHUB_EVENT_PATH`); empty when there is none."""
    pod: Pod = field(default_factory=Pod)
    """Empty outside Kubernetes, and as far as Kubernetes did not answer."""
    job_index: str | None = None
    """The matrix leg, when the pipeline tells it by an option: most systems have no variable for it."""
    job_workflow: str | None = None
    """The workflow file that the job stands in, when the pipeline tells it by an option."""


@record
class EnvVar:
    """A variable of the runner that is recorded in the attestation."""

    name: str
    required: bool = True
    address: bool = False
    """It holds a repository's address, which is recorded without credentials."""
    remedy: str = ""
    """What to do when it is required and empty, if there is more to say than «set it»."""


@record
class WorkflowFiles:
    """The files that say what the job does: claimed, like everything that is read from the environment (R30)."""

    path: str = ""
    """The file that the run began with, in its repository: `.github/workflows/ci.yml`."""
    called: str = ""
    """The reusable workflow that the job stands in, when it is another file: `owner/repository/path@ref`."""


@record
class CiIdentity:
    """What the CI system says of the job: claimed, until somebody else confirms it (R30)."""

    provider: str
    """`github`, `gitlab`, `jenkins`, …; `none` off CI."""
    server_url: str | None = None
    repository: str | None = None
    run_id: str | None = None
    run_attempt: int | None = None
    job: str | None = None
    job_index: str | None = None
    """The matrix leg."""
    runner_name: str | None = None
    event: str | None = None
    ref: str | None = None
    head_sha: str | None = None
    """The pull request's head commit, never the test merge commit (R31)."""
    pull_request: str | None = None
    """Its number, as text."""

    @property
    def job_key(self) -> tuple[str | None, ...]:
        """Return what tells one job of a CI system from every other."""
        attempt = None if self.run_attempt is None else str(self.run_attempt)
        return (self.provider, self.server_url, self.repository, self.run_id, attempt, self.job, self.job_index)

    def is_later_attempt_of(self, earlier: CiIdentity) -> bool:
        """Tell whether this is a later attempt of the same run of the same CI system (R16)."""
        if not self.run_id or self.run_attempt is None or earlier.run_attempt is None:
            return False
        return self._run_key == earlier._run_key and self.run_attempt > earlier.run_attempt

    def is_attempt_since(self, begun: CiIdentity) -> bool:
        """Tell whether this is of the attempt that began something, or of a later one of the same CI run (R16)."""
        same = self._run_key == begun._run_key and self.run_attempt == begun.run_attempt
        return same or self.is_later_attempt_of(begun)

    @property
    def _run_key(self) -> tuple[str | None, ...]:
        return (self.provider, self.server_url, self.repository, self.run_id)


@record
class Runner:
    """One CI system. Each runner type has exactly one entry in `registry.RUNNERS`."""

    type: RunnerType
    title: str
    """For people: «Github action»."""
    detect: Callable[[HostFacts], bool]
    run_url: Callable[[HostFacts], str | None]
    ci: Callable[[HostFacts], CiIdentity]
    environment: Callable[[HostFacts], str] = lambda facts: "unknown"
    """`managed`, `self-hosted` or `unknown`: claimed, since it is read from the environment."""
    workflow_files: Callable[[HostFacts], WorkflowFiles] = lambda facts: WorkflowFiles()
    env_vars: tuple[EnvVar, ...] = ()
    derived: Callable[[HostFacts], Env] = lambda facts: {}
    """Variables of `env_vars` that are made from other facts where the environment leaves them out."""
    probe_paths: tuple[str, ...] = ()
    asks_pod: bool = False
    """Whether `HostFacts.pod` says something to this entry."""
    scratch_variables: tuple[str, ...] = ()
    """Variables that name the job's own temporary folder (RUNNER_TEMP), for the local state file."""
