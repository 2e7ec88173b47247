"""Error code -> exit status, in one table (design decision 10)."""

from __future__ import annotations

from collections.abc import Mapping

from chainloop_ci.errors import ChainloopError

SUCCESS = 0
FAILURE = 1
"""Any error that has no status of its own."""
USAGE = 2
CONTRACT_NOT_MET = 3
"""Missing or wrong material, missing variable, wrong runner."""
GATE = 4
"""A gate or policy is violated, or an operator has blocked the workflow."""
NOT_ALLOWED = 5
"""Not authenticated or not allowed: a token, a key, a registry's credentials."""
UNREACHABLE = 6
"""Control plane or store gave no answer."""
SIGNATURE_INVALID = 7
SIGNER_NOT_TRUSTED = 8
NOTHING_TO_VERIFY = 9
INTERRUPTED = 130
"""Ended by Ctrl-C, as shells say it (128 + SIGINT)."""
ABANDONED = 141
"""Whoever read our result went away (`… | head`), as shells say it (128 + SIGPIPE)."""

MEANINGS: Mapping[int, str] = {
    FAILURE: "the step failed",
    USAGE: "the step has wrong options; nothing was begun",
    CONTRACT_NOT_MET: "the contract is not met",
    GATE: "a gate is closed: by a policy of the contract, or by an operator",
    NOT_ALLOWED: "the token, the key or a login is missing or was not accepted",
    UNREACHABLE: "the control plane could not be reached; that says nothing about the build, and repeating is safe",
    INTERRUPTED: "the step was interrupted; what was saved stays",
}
"""What a status says to who reads a job's summary."""

EXIT_STATUSES: Mapping[str, int] = {
    "error": FAILURE,
    # input of the user
    "usage": USAGE,
    "digest-invalid": USAGE,
    "json-invalid": FAILURE,
    "path-refused": FAILURE,
    "file-unreadable": FAILURE,
    "file-unwritable": FAILURE,
    "output-unwritable": FAILURE,
    "limit-exceeded": FAILURE,
    "config-invalid": FAILURE,
    # contract and crafting
    "contract-invalid": FAILURE,
    "contract-unsupported": FAILURE,
    "contract-not-met": CONTRACT_NOT_MET,
    "runner-mismatch": CONTRACT_NOT_MET,
    "variables-missing": CONTRACT_NOT_MET,
    "secret-variable": FAILURE,
    "material-rejected": CONTRACT_NOT_MET,
    "material-conflict": FAILURE,
    "image-unresolved": FAILURE,
    "registry-login-failed": NOT_ALLOWED,
    # state file
    "state-missing": FAILURE,
    "state-broken": FAILURE,
    "state-locked": FAILURE,
    "state-unwritable": FAILURE,
    "state-foreign": FAILURE,
    "already-initialized": FAILURE,
    # signing and verifying
    "signing-key-missing": NOT_ALLOWED,
    "signing-key-invalid": NOT_ALLOWED,
    "bundle-invalid": FAILURE,
    "statement-invalid": FAILURE,
    "signature-invalid": SIGNATURE_INVALID,
    "signer-not-trusted": SIGNER_NOT_TRUSTED,
    "nothing-to-verify": NOTHING_TO_VERIFY,
    "export-altered": SIGNATURE_INVALID,
    # control plane
    "unreachable": UNREACHABLE,
    "not-authenticated": NOT_ALLOWED,
    "not-allowed": NOT_ALLOWED,
    "not-found": FAILURE,
    "conflict": FAILURE,
    "precondition-failed": FAILURE,
    "run-ended": FAILURE,
    "workflow-blocked": GATE,
    "gate-closed": GATE,
    "attestation-refused": FAILURE,
    "request-invalid": FAILURE,
    "digest-mismatch": FAILURE,
    "server-fault": FAILURE,
}
"""Every code of `chainloop_ci.errors`."""

REFUSAL_STATUSES: Mapping[str, int] = {
    # `contract.compliance`, and the materials' content as the control plane found it
    "missing-material": CONTRACT_NOT_MET,
    "missing-group": CONTRACT_NOT_MET,
    "missing-annotation": CONTRACT_NOT_MET,
    "missing-variable": CONTRACT_NOT_MET,
    "wrong-material-type": CONTRACT_NOT_MET,
    "revision-too-old": CONTRACT_NOT_MET,
    "event-not-allowed": CONTRACT_NOT_MET,
    "material-rejected": CONTRACT_NOT_MET,
    "content-unreadable": CONTRACT_NOT_MET,
    # who signed
    "signature-missing": NOT_ALLOWED,
    "signature-invalid": NOT_ALLOWED,
    "signer-unknown": NOT_ALLOWED,
    "key-revoked": NOT_ALLOWED,
    "key-retired": NOT_ALLOWED,
    "key-not-yet-valid": NOT_ALLOWED,
    "key-out-of-scope": NOT_ALLOWED,
}
"""Codes of findings that decide the status of a refused store."""


def exit_status(error: ChainloopError) -> int:
    """Return the status that the process ends with.

    A refused store maps to 5 when its signer is not accepted, else to 3 when the contract is not met, else to 1.
    """
    if error.code == "attestation-refused":
        statuses = {REFUSAL_STATUSES.get(finding.code, FAILURE) for finding in error.findings}
        return NOT_ALLOWED if NOT_ALLOWED in statuses else max(statuses, default=FAILURE)
    return EXIT_STATUSES.get(error.code, FAILURE)
