"""What the use cases need of the world. `cli.wiring` puts the adapters in; tests put plain ones of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from chainloop_ci.attestation.state import CraftingState, ImageReference
from chainloop_ci.digests import Digest
from chainloop_ci.records import record

if TYPE_CHECKING:
    # Only the signatures need the wire records: `status` must not load them.
    from chainloop_ci.api.access import WhoAmI
    from chainloop_ci.api.runs import (
        Artifact,
        CancelRequest,
        CraftingContext,
        RunDetail,
        RunRequest,
        Stored,
        WorkflowRun,
    )
    from chainloop_ci.api.workflows import ContractRevision, Workflow, WorkflowRequest


Progress = Callable[[int], None]
"""Called with the number of bytes that were just sent."""


@record
class RegistryCredentials:
    """Credentials for one registry, typed by the user; without them the docker configuration is asked."""

    server: str
    username: str
    password: str = field(repr=False)


class ControlPlane(Protocol):
    """The control plane, as a job sees it. Every method ends within the client's deadline.

    All raise `UnreachableError`, `NotAuthenticatedError`, `NotAllowedError`, `NotFoundError`, `ServerFaultError`.
    """

    def whoami(self) -> WhoAmI:
        """Return what the server knows of the token."""
        ...

    def get_crafting_context(self, workflow: str | None, project: str | None, revision: int | None) -> CraftingContext:
        """Return all that a job needs to begin; names may be left out when the token is bound to a workflow."""
        ...

    def put_run(self, run_id: str, request: RunRequest) -> WorkflowRun:
        """Create the run; repeated with the same body it gives the same answer."""
        ...

    def find_run(self, run_id: str) -> RunDetail | None:
        """Return a run, None when the control plane does not know it."""
        ...

    def cancel_run(self, run_id: str, handle: str | None, request: CancelRequest) -> WorkflowRun:
        """End a run that will not be pushed."""
        ...

    def store_attestation(self, run_id: str, handle: str, bundle: bytes, state_digest: Digest | None = None) -> Stored:
        """Store the exact bytes of a bundle; the same bytes again get the same answer.

        `state_digest` names the shared state that they were made of.

        Raises:
            PreconditionFailedError: another job has changed that state since.
            AttestationRefusedError: with every finding.
            RunEndedError: the run is not open any more.
        """
        ...

    def upload_stream(
        self,
        source: BinaryIO,
        filename: str,
        *,
        run_id: str | None,
        handle: str | None,
        size_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> Artifact:
        """Send a file in one pass, hashing on the way, and compare the digest of the answer."""
        ...

    def put_artifact(
        self, digest: Digest, raw: bytes, filename: str, *, run_id: str | None, handle: str | None
    ) -> Artifact:
        """Send bytes whose digest is known."""
        ...

    def reference_artifact(self, run_id: str, handle: str, digest: Digest, filename: str) -> bool:
        """Tell whether the organization already has `digest`, and refer the run to it (R7)."""
        ...

    def create_workflow(self, request: WorkflowRequest) -> Workflow:
        """Create a workflow, and its project when it is new."""
        ...

    def put_contract(self, name: str, raw: bytes, media_type: str, if_match: int | None = None) -> ContractRevision:
        """Store a contract; a new revision is made only when the bytes differ."""
        ...


class ImageResolver(Protocol):
    """Where images come from: a container registry, or what a build left on this machine."""

    def is_layout(self, value: str) -> bool:
        """Tell whether a value is the folder of an OCI layout."""
        ...

    def resolve(self, value: str, credentials: RegistryCredentials | None) -> ImageReference:
        """Return the reference with its digest.

        Raises:
            ImageUnresolvedError: the registry does not know it, or the layout is not what its digests say.
            RegistryLoginError: the registry refused what was tried.
        """
        ...


class StateStore(Protocol):
    """Where the crafting state of this job lives. All raise `StateBrokenError` when it cannot be read."""

    def load(self) -> CraftingState:
        """Return the state.

        Raises:
            StateMissingError: nothing is being crafted here.
        """
        ...

    def find(self) -> CraftingState | None:
        """Return the state, or None when nothing is being crafted here."""
        ...

    def create(self, state: CraftingState, *, replace: bool = False) -> CraftingState | None:
        """Save a new state and return the one that it replaced: another job's, or with `replace` any.

        Raises:
            AlreadyInitializedError: this job has one, and `replace` was not asked for.
        """
        ...

    def update(self, change: Callable[[CraftingState], CraftingState]) -> CraftingState:
        """Change the state and return it, so that writers at the same time all survive.

        A change of materials drops the signed bundle. `change` may be called several times, each time with the newest
        state, which may hold already what an earlier call made of it.
        """
        ...

    def clear(self) -> None:
        """Remove state and bundle."""
        ...

    def finish(self, run_id: str, digest: Digest) -> None:
        """Remove state and bundle of what was pushed, and remember which it was for who pushes again."""
        ...

    def save_bundle(self, raw: bytes, *, signed: CraftingState | None = None) -> None:
        """Keep the signed bytes beside the state; `signed` is the state that they were made of.

        Raises:
            ConflictError: materials were added meanwhile.
        """
        ...

    def load_bundle(self) -> bytes | None:
        """Return the signed bytes that were not stored yet."""
        ...

    def shared_digest(self) -> Digest | None:
        """Return the digest of the state that was read or written last, where other jobs may change it; else None."""
        ...


class PendingContents(Protocol):
    """Where contents are kept that could not be sent. Raises `StateUnwritableError`."""

    def keep(self, source: BinaryIO) -> Digest:
        """Copy a content and return its digest."""
        ...

    def clear(self) -> None:
        """Forget all contents."""
        ...


class Files(Protocol):
    """The files of this machine, as far as they may be read (R22)."""

    def open_file(self, path: str) -> BinaryIO:
        """Open an ordinary file that a person typed.

        Raises:
            FileUnreadableError: missing, a folder, or not readable.
            PathRefusedError: a device, or in a system folder.
        """
        ...

    def file_exists(self, path: str) -> bool:
        """Tell whether a value names something on this machine."""
        ...

    def is_file(self, path: str) -> bool:
        """Tell whether a value names an ordinary file on this machine."""
        ...


class Matches(Protocol):
    """What a pattern matches."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the files in a fixed order, written as they are opened."""
        ...

    @property
    def base(self) -> str:
        """Return how each of the paths begins, up to the pattern's first wildcard."""
        ...

    @property
    def folder(self) -> str:
        """Return where the pattern was taken from, for people."""
        ...

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Return the folders whose content this user may not see."""
        ...


class FileFinder(Files, Protocol):
    """Files that are found by pattern."""

    def is_pattern(self, value: str) -> bool:
        """Tell whether a value has a wildcard in it."""
        ...

    def find(self, pattern: str) -> Matches:
        """Return the files that a pattern matches; without a wildcard the file of that name.

        Raises:
            PathRefusedError: it leads where nothing is read (R22).
            UsageError: it is no pattern.
            LimitExceededError: there is too much to look at.
        """
        ...

    def suggest(self, pattern: str) -> tuple[str, ...]:
        """Return the few files that a pattern which matches none looks most like."""
        ...

    def locate(self, path: str) -> str:
        """Return the real absolute path of a file, which need not exist.

        Raises:
            PathRefusedError: as `open_file`.
        """
        ...


class BundleFile(Protocol):
    """Where the user wants to have the stored bundle. All raise `FileUnwritableError`."""

    def check(self) -> None:
        """Find out whether it can be written, before anything is signed or sent; changes nothing."""
        ...

    def write(self, raw: bytes) -> None:
        """Write the bundle, whole or not at all where the place allows it."""
        ...


class Signer(Protocol):
    """A key that is ready to sign."""

    @property
    def hint(self) -> str:
        """Return the public key's hint, as bundles write it."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what the user should know about the key."""
        ...

    def sign(self, pae: bytes) -> bytes:
        """Return a signature over the DSSE pre-authentication encoding."""
        ...

    def has_signed(self, signature: bytes, pae: bytes) -> bool:
        """Tell whether this key made a signature."""
        ...


class UploadMeter(Protocol):
    """Shows how far one upload is."""

    def advance(self, size_bytes: int) -> None:
        """Count bytes that were sent."""
        ...

    def done(self, digest: Digest) -> None:
        """Say that everything was sent and what it was."""
        ...


class Reporter(Protocol):
    """Tells the user what happens. Facts are shown as `name=value`."""

    def info(self, message: str, **facts: object) -> None:
        """Say what happened."""
        ...

    def warning(self, message: str, **facts: object) -> None:
        """Say what the user should look at."""
        ...

    def debug(self, message: str, **facts: object) -> None:
        """Say what helps to find a fault."""
        ...

    def upload(self, filename: str, size_bytes: int) -> UploadMeter:
        """Begin to show an upload."""
        ...
