"""Every deliberate error of the crafting core, with its stable code.

The codes are part of the interface: they stand in logs, annotations, API problems and JSON output and do not
change their meaning. `cli/exit_codes.py` maps them to exit statuses, the server maps them to problem responses.
A message says what was expected and what was found, `hint` says what to do; neither ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from chainloop_ci.findings import MAX_FINDINGS as MAX_FINDINGS
from chainloop_ci.findings import Finding as Finding
from chainloop_ci.findings import Findings as Findings
from chainloop_ci.findings import limit_findings as limit_findings


class ChainloopError(Exception):
    """Base of all deliberate errors; anything else that reaches the user is a defect."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None, findings: Iterable[Finding] = ()) -> None:
        self.message = message
        self.hint = hint
        self.findings: Sequence[Finding] = tuple(findings)
        super().__init__(message)


# --- input of the user -------------------------------------------------------------------------------------------


class UsageError(ChainloopError):
    """Options that do not go together, or a value out of its form."""

    code = "usage"


class DigestInvalidError(ChainloopError):
    """A text that should be a digest is not `sha256:` and 64 lower-case hexadecimal digits."""

    code = "digest-invalid"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"expected a digest like sha256:<64 lower-case hexadecimal digits>, found {found[:80]!r}",
            hint="copy the digest from `chainloop workflow run describe`",
        )


class JsonInvalidError(ChainloopError):
    """Bytes that the strict JSON reader refuses (R10): duplicate keys, NaN, surrogates, depth, large integers."""

    code = "json-invalid"


class PathRefusedError(ChainloopError):
    """A path that may not be read: outside the workspace, a device, `/proc` (R22)."""

    code = "path-refused"


class FileUnreadableError(ChainloopError):
    """A file is missing, a folder, or may not be read."""

    code = "file-unreadable"


class FileUnwritableError(ChainloopError):
    """A file that was to be made stands where nothing may be written."""

    code = "file-unwritable"


class OutputUnwritableError(ChainloopError):
    """The result cannot be written to stdout."""

    code = "output-unwritable"

    def __init__(self, reason: str, *, abandoned: bool = False) -> None:
        self.abandoned = abandoned
        """Nobody reads any more (`… | head`): nothing is wrong, and nobody needs to hear of it."""
        super().__init__(
            f"the result cannot be written to stdout: {reason}",
            hint="free space, or send the output elsewhere; what the command did before stays done",
        )


class LimitExceededError(ChainloopError):
    """A size or count is over its stated limit."""

    code = "limit-exceeded"


class ConfigInvalidError(ChainloopError):
    """The configuration file or `.chainloop.yml` cannot be used (R21)."""

    code = "config-invalid"


# --- contract and crafting -----------------------------------------------------------------------------------------


class ContractInvalidError(ChainloopError):
    """A contract has errors; all are in `findings`, each with line, column and path."""

    code = "contract-invalid"


class ContractUnsupportedError(ChainloopError):
    """A valid contract asks for something that this version does not implement yet."""

    code = "contract-unsupported"


class ContractNotMetError(ChainloopError):
    """Required materials, annotations or variables are missing; all are in `findings`."""

    code = "contract-not-met"


class RunnerMismatchError(ChainloopError):
    """The contract asks for a runner type that this job does not run on."""

    code = "runner-mismatch"
    NOWHERE: ClassVar[str] = "no CI system that is known here"
    required: str = ""
    """Empty, like `discovered`, when the control plane worded the message."""
    discovered: str = ""

    def __init__(self, required: str, discovered: str, also: Sequence[str] = ()) -> None:
        self.required, self.discovered = required, discovered
        place = f"{self.NOWHERE} ({discovered})" if discovered == "RUNNER_TYPE_UNSPECIFIED" else discovered
        looks = f" (its environment looks like {', '.join(also)} too; the first of the fixed order counts)"
        super().__init__(
            f"the contract requires runner {required}, this job runs on {place}{looks if also else ''}",
            hint=f"run the step in a {required} job; to try the contract elsewhere use --dry-run",
        )


class VariablesMissingError(ChainloopError):
    """Environment variables that the runner or the contract requires are empty; `findings` names all."""

    code = "variables-missing"


class SecretVariableError(ChainloopError):
    """The contract's allow list names variables that hold secrets (R24); names only, never values."""

    code = "secret-variable"


class MaterialRejectedError(ChainloopError):
    """A material's content is not what its type says; `findings` has line or JSON pointer."""

    code = "material-rejected"


class MaterialConflictError(ChainloopError):
    """The material was already added with other bytes (R17)."""

    code = "material-conflict"


class ImageUnresolvedError(ChainloopError):
    """A container image reference has no digest in its registry."""

    code = "image-unresolved"


class RegistryLoginError(ChainloopError):
    """A registry refused the credentials that were tried."""

    code = "registry-login-failed"


# --- state file --------------------------------------------------------------------------------------------------


class StateMissingError(ChainloopError):
    """No attestation is being crafted here."""

    code = "state-missing"


class StateBrokenError(ChainloopError):
    """The state file cannot be read."""

    code = "state-broken"


class StateLockedError(ChainloopError):
    """Another process kept the state file for itself longer than the deadline."""

    code = "state-locked"


class StateUnwritableError(ChainloopError):
    """The state file or its folder cannot be written: rights, a full disk, a file system without locks."""

    code = "state-unwritable"


class StateForeignError(ChainloopError):
    """What stands at the place of the state file was not written by chainloop; it is never removed or replaced."""

    code = "state-foreign"


class AlreadyInitializedError(ChainloopError):
    """An attestation of this job is already being crafted."""

    code = "already-initialized"

    def __init__(self, workflow: str, since: datetime) -> None:
        super().__init__(
            f"an attestation of workflow {workflow} is already being crafted here, since {since:%Y-%m-%d %H:%M} UTC",
            hint="finish it with `chainloop attestation push`, drop it with `chainloop attestation reset`, "
            "or begin again with `chainloop attestation init --replace`",
        )


# --- signing and verifying -----------------------------------------------------------------------------------------


class SigningKeyMissingError(ChainloopError):
    """Nothing says with which key to sign (R5)."""

    code = "signing-key-missing"


class SigningKeyInvalidError(ChainloopError):
    """A signing or verification key cannot be read, or its password is wrong."""

    code = "signing-key-invalid"


class BundleInvalidError(ChainloopError):
    """The file is not a bundle, or not one in the form that is asked for (R9)."""

    code = "bundle-invalid"


class StatementInvalidError(ChainloopError):
    """The signed payload is not a statement that can be read."""

    code = "statement-invalid"


class SignatureInvalidError(ChainloopError):
    """A signature does not match the signed bytes."""

    code = "signature-invalid"


class SignerNotTrustedError(ChainloopError):
    """The bundle is signed by somebody whom nobody here trusts."""

    code = "signer-not-trusted"


class NothingToVerifyError(ChainloopError):
    """There is no signature, or nothing to check it with: never a success."""

    code = "nothing-to-verify"


class ExportAlteredError(ChainloopError):
    """An audit file is not what was exported, or not what was signed; `findings` names each row."""

    code = "export-altered"


# --- control plane ---------------------------------------------------------------------------------------------------


class UnreachableError(ChainloopError):
    """The control plane, its store or a registry gave no answer before the deadline."""

    code = "unreachable"
    of_registry: bool = False


class NotAuthenticatedError(ChainloopError):
    """No token, or one that is unknown, expired or revoked."""

    code = "not-authenticated"


class NotAllowedError(ChainloopError):
    """The token is good but lacks the right."""

    code = "not-allowed"


class NotFoundError(ChainloopError):
    """It does not exist, or belongs to another organization."""

    code = "not-found"


class ConflictError(ChainloopError):
    """The request does not fit what is there now."""

    code = "conflict"


class PreconditionFailedError(ChainloopError):
    """`If-Match` names a revision that is no longer the newest."""

    code = "precondition-failed"


class RunEndedError(ChainloopError):
    """The run has ended; what was sent is refused (R15)."""

    code = "run-ended"


class WorkflowBlockedError(ChainloopError):
    """An operator has blocked the workflow: nothing of it is begun until that ends (R39)."""

    code = "workflow-blocked"


class GateClosedError(ChainloopError):
    """What was asked about may not pass: a workflow that is required does not agree (R36)."""

    code = "gate-closed"


class AttestationRefusedError(ChainloopError):
    """The control plane checked the attestation and refused it; `findings` is the complete list (R9-R11)."""

    code = "attestation-refused"


class RequestInvalidError(ChainloopError):
    """A request does not fit its schema; `findings` has a JSON pointer each."""

    code = "request-invalid"


class DigestMismatchError(ChainloopError):
    """Bytes that were sent or received do not hash to the digest that names them."""

    code = "digest-mismatch"

    def __init__(self, expected: str, found: str, consequence: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"expected bytes with the digest {expected}, found {found}; {consequence}",
            hint="try again; if it stays, something on the way or in the store changes content",
        )


class ServerFaultError(ChainloopError):
    """The control plane answered with a fault of its own, or with something that is not its API."""

    code = "server-fault"
