"""Where the world enters: environment, clock, randomness, files and network reach the use cases from here only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TextIO

from chainloop_ci.cli.global_options import GlobalOptions
from chainloop_ci.cli.options import PLUGIN_VARIABLE
from chainloop_ci.cli.output import Output
from chainloop_ci.cli.shared_options import Sharing
from chainloop_ci.cli.typed_files import TypedFiles
from chainloop_ci.errors import ChainloopError, NotAllowedError, UsageError

if TYPE_CHECKING:
    from chainloop_ci.attestation.state import CraftingState, GitHead
    from chainloop_ci.cli.ci_report import CiReport
    from chainloop_ci.cli.dialect import Dialect
    from chainloop_ci.cli.progress import ConsoleReporter
    from chainloop_ci.cli.standing import Standing
    from chainloop_ci.client.control_plane import ControlPlane
    from chainloop_ci.client.http import HttpClient
    from chainloop_ci.client.integrations import Integrations
    from chainloop_ci.client.operator import Operator
    from chainloop_ci.client.shared_state import SharedState
    from chainloop_ci.config import Settings
    from chainloop_ci.contract.load import EvaluateCue
    from chainloop_ci.runners.types import CiIdentity, HostFacts
    from chainloop_ci.state import LocalState

_NOTHING: Mapping[str, str] = MappingProxyType({})
_TEKTON_RESULTS = "/tekton/results"
"""As `runners.systems.tekton` has it, which is not loaded for the question whether there is any CI system."""


class World(GlobalOptions, TypedFiles):
    """One invocation of the program: what came from outside, and the adapters that are made of it when asked for."""

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(env)
        self.cwd = cwd
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.now = now
        self.command = ""
        """Which command of `attestation` runs, if one does."""
        self.crafts = False
        """Whether this is a command that makes an attestation (`attestation.CRAFTING`)."""
        self.ends_gracefully = False
        """Whether `--graceful-exit` is on and this is a command that it is for."""
        self.is_queued = False
        """Whether this command kept a signed attestation that the control plane is to get later."""
        self.shadowed_token = ""
        """For people, when the token that was used stands before another one that is kept: which, and where."""
        self.report: CiReport | None = None
        """What the CI system will be told of this command; None where nobody listens."""
        self.sharing = Sharing()
        """Where the attestation's state is."""
        self.job_workflow: str | None = None
        """The workflow file that the job stands in, as the CI system's own plugin tells it."""
        self._control_plane: ControlPlane | None = None
        self._shared_state: SharedState | None = None

    # --- output ------------------------------------------------------------------------------------------------------

    @cached_property
    def output(self) -> Output:
        """Return the streams, in the form that `--output` asks for."""
        as_json, debug = self.given.get("output") == "json", self.debug
        return Output(self.stdout, self.stderr, self.env, as_json=as_json, debug=debug, dialect=lambda: self.dialect)

    @cached_property
    def dialect(self) -> Dialect | None:
        """Return how what is said is worded in this job; None: as it comes, which is the command line's way."""
        if not self.env.get(PLUGIN_VARIABLE) and self.command != "craft":
            return None
        from chainloop_ci.cli.dialect import find_dialect

        return find_dialect(self.env, self.command)

    @cached_property
    def reporter(self) -> ConsoleReporter:
        """Return what tells the user how far a use case is."""
        from time import monotonic

        from chainloop_ci.cli.progress import ConsoleReporter

        return ConsoleReporter(self.output, monotonic)

    def begin_report(self, command: str, typed_secrets: Mapping[str, str] = _NOTHING) -> None:
        """Let the CI system hear of what `attestation <command>` does, if there is one and nobody switched that off.

        `typed_secrets` are the values of the command's own options that are secret.

        Raises:
            UsageError: the variable of the switch is no truth value.
        """
        if self.report is not None or self.switch("deactivate_ci_report"):
            return
        if self.env.get("GITHUB_RUN_ID") or self.text("report_dir") or os.path.lexists(_TEKTON_RESULTS):
            from chainloop_ci.cli.ci_report import CiReport

            self.report = CiReport(self, command)
            self.report.begin(typed_secrets)

    def confirm(self, question: str) -> bool:
        """Ask the user; yes with `--yes`. Without a terminal nobody can answer: that is no."""
        if self.given.get("yes"):
            return True
        if not (self.stdin.isatty() and self.stderr.isatty()):
            return False
        self.stderr.write(f"{question} [y/N] ")
        self.stderr.flush()
        return self.stdin.readline().strip().lower() in ("y", "yes")

    # --- chance ------------------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return a random UUID."""
        import uuid

        return str(uuid.uuid4())

    def new_word(self) -> str:
        """Return a word that nobody can guess: 128 bits, in hexadecimal digits."""
        return os.urandom(16).hex()

    def new_handle(self) -> str:
        """Return a random run handle (R14): 256 bits."""
        from base64 import urlsafe_b64encode

        # As secrets.token_urlsafe(32), which would load what random numbers of other kinds need.
        return urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode("ascii")

    # --- jobs without secrets ----------------------------------------------------------------------------------------

    @cached_property
    def standing(self) -> Standing:
        """Return where this job stands in the table «event × token»."""
        from chainloop_ci.cli.standing import find_standing

        return find_standing(self)

    def has_token(self) -> bool:
        """Tell whether there is a token to use: an empty option or variable is none, whatever else is kept (R35)."""
        from chainloop_ci.cli.used_token import require_token

        try:
            return bool(require_token(self.settings(quiet=True), typed=self.given.get("token")))
        except ChainloopError:
            return False

    # --- adapters ----------------------------------------------------------------------------------------------------

    def settings(self, *, key: str | None = None, quiet: bool = False) -> Settings:
        """Return the settings with their origins; `key` is the signing key that was typed. `quiet`: warn of nothing."""
        from chainloop_ci.config import config_path, load_config, resolve_settings

        named = self.text("config")
        file = load_config(config_path(self.env, named), must_exist=named is not None)
        for warning in () if quiet else file.warnings:
            self.output.warning(warning)
        flags = {
            "control-plane": self.given.get("control_plane"),
            "control-plane-ca": self.given.get("control_plane_ca"),
            "organization": self.given.get("organization"),
            "token": self.given.get("token"),
            "insecure": "true" if self.given.get("insecure") else None,
            "key": key,
        }
        return resolve_settings(flags, self.env, file)

    def http_client(self, known_url: str = "") -> HttpClient:
        """Return the conversation with the control plane; `known_url` is used when nobody says another one.

        Raises:
            UsageError: nobody says where it is, or a token may not be sent there (R23).
            NotAuthenticatedError: there is no token, or its variable is empty (R35).
        """
        from chainloop_ci import __version__
        from chainloop_ci.cli.used_token import require_token
        from chainloop_ci.client.http import Address, HttpClient, Patience

        settings = self.settings()
        url = settings.control_plane.value if settings.control_plane else known_url
        if not url:
            raise UsageError(
                "the address of the control plane is not known",
                hint="set CHAINLOOP_CONTROL_PLANE_API or --control-plane, or keep it with `chainloop config save`",
            )
        if settings.insecure.value:
            self.output.warning("--insecure is on: the connection is not protected", url=url)
        if settings.token and settings.shadowed_token:
            self.shadowed_token = (
                f"the token came from {settings.token.where}; another one ({settings.shadowed_token}) was not used"
            )
        return HttpClient(
            Address(
                url=url,
                token=require_token(settings, typed=self.given.get("token")),
                organization=settings.organization.value if settings.organization else "",
                ca=settings.ca.value if settings.ca else "",
                insecure=settings.insecure.value,
                user_agent=f"chainloop-ci/{__version__}",
                env=self.env,
            ),
            Patience(self.patience_seconds),
            trace=self.output.debug,
            tell=self.output.info,
        )

    def control_plane(self, known_url: str = "") -> ControlPlane:
        """Return the control plane as a job sees it; the same one for the whole invocation.

        Raises:
            NotAllowedError: this is a job without secrets, which sends nothing.
        """
        from chainloop_ci.client.control_plane import ControlPlane

        if self._control_plane is None:
            self._require_trusted()
            self._control_plane = ControlPlane(self.http_client(known_url))
        return self._control_plane

    def _require_trusted(self) -> None:
        from chainloop_ci.cli.standing import is_without_secrets

        if is_without_secrets(self):
            raise NotAllowedError(
                f"nothing is sent from this job ({self.standing.situation.name}): it is one without secrets",
                hint="what such a job checks is in chainloop's docs/jobs-without-secrets.md",
            )

    def control_plane_of(self, state: CraftingState) -> ControlPlane:
        """Return the control plane that an attestation was begun with, unless the user says another one."""
        plane = self.control_plane(state.session.control_plane)
        if state.session.control_plane and plane.http.base_url != state.session.control_plane:
            self.output.warning(
                "the attestation was begun with another control plane",
                begun=state.session.control_plane,
                used=plane.http.base_url,
            )
        return plane

    def operator(self) -> Operator:
        """Return the control plane as an operator's commands see it."""
        from chainloop_ci.client.operator import Operator

        return Operator(self.http_client())

    def integrations(self) -> Integrations:
        """Return the control plane as commands of integrations see it."""
        from chainloop_ci.client.integrations import Integrations

        return Integrations(self.http_client())

    def facts(self, *, job_index: str | None = None) -> HostFacts:
        """Return what the runners need to know of the machine; `job_index` is the matrix leg that was typed."""
        from chainloop_ci.workspace.facts import collect_facts

        return collect_facts(
            self.env, cwd=self.cwd, job_index=job_index, job_workflow=self.job_workflow, notify=self.output.warning
        )

    def state(self) -> LocalState | SharedState:
        """Return the state of the attestation: this job's file, or what the control plane keeps for several jobs."""
        if self.sharing.is_shared:
            return self.shared_state()
        self.sharing.require_local(self.env)
        return self.local_state()

    def shared_state(self) -> SharedState:
        """Return the state that the control plane keeps; the same one for the whole invocation."""
        from chainloop_ci.cli.sharing import open_shared_state

        if self._shared_state is None:
            self._shared_state = open_shared_state(self)
        return self._shared_state

    def local_state(self) -> LocalState:
        """Return this job's state file."""
        return self._state_at(self._state_path())

    def _state_at(self, path: Path) -> LocalState:
        if self.report:
            from chainloop_ci.cli.noted_state import NotedState

            return NotedState(path, self.report.note_state)
        from chainloop_ci.state import LocalState

        return LocalState(path)

    def _state_path(self) -> Path:
        explicit = self.text("local_state_path")
        if explicit:
            # Nobody needs to be asked: status stays light.
            return self.cwd / explicit
        from chainloop_ci.runners.registry import discover
        from chainloop_ci.state_place import find_state_path
        from chainloop_ci.workspace.facts import look_around
        from chainloop_ci.workspace.git_files import find_git_dir

        runner = discover(look_around(self.env))
        return find_state_path(env=self.env, runner=runner, git_dir=find_git_dir(self.cwd), cwd=self.cwd)

    def ci(self) -> CiIdentity:
        """Return what the CI system says of this job."""
        from chainloop_ci.runners.registry import discover

        facts = self.facts()
        return discover(facts).ci(facts)

    def read_head(self, sha: str | None) -> GitHead | None:
        """Return the commit that is built; `sha` is a pull request's head (R31)."""
        from chainloop_ci.workspace.git import read_head

        return read_head(self.cwd, sha=sha, env=self.env)

    def evaluate_cue(self) -> EvaluateCue | None:
        """Return what turns full CUE into JSON; None when the `cue` program is not here."""
        from chainloop_ci.cue import export_json, find_cue

        program = find_cue(self.env, self.cwd)
        return None if program is None else lambda raw: export_json(raw, program)
