"""The limits of the wire; a request over one is answered with 413 or 422 that says it."""

from __future__ import annotations

# The limits of documents hold on the wire too; `as` passes them on.
from chainloop_ci.attestation.bundle import MAX_BUNDLE_BYTES as MAX_BUNDLE_BYTES
from chainloop_ci.attestation.bundle import MEDIA_TYPE
from chainloop_ci.contract.limits import MAX_MATERIALS as MAX_MATERIALS
from chainloop_ci.contract.limits import NAME_PATTERN as NAME_PATTERN

MAX_BODY_BYTES = 1024 * 1024
"""JSON request bodies."""
MAX_BLOB_BYTES = 16 * 1024**3
"""One artifact, by default."""
MAX_INLINE_BYTES = 500 * 1024
"""One material kept inside the statement (CAS back end `inline`)."""
MAX_NAME = 63
"""DNS-1123 labels: organizations, projects, workflows, contracts."""
MIN_RUN_EXPIRY_SECONDS = 60
MAX_RUN_EXPIRY_SECONDS = 30 * 24 * 3600
"""Between these lies the life of a run after its last accepted request (R15)."""
MAX_STATE_BYTES = 6 * 1024 * 1024
"""The shared state of one run, sealed (reference section 1.4)."""
DEFAULT_PAGE = 50
MAX_PAGE = 200

ONE_LINE_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
"""What a text of a request is unless it says otherwise: without line ends and other control characters (T43)."""
LINES_PATTERN = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"
"""A text of several lines; tabs are accepted too."""
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
COMMIT_PATTERN = "^([0-9a-f]{40}|[0-9a-f]{64})$"
"""The whole hash of a commit, SHA-1 or SHA-256."""
HANDLE_HEADER = "Chainloop-Run-Handle"
RUN_HEADER = "Chainloop-Run"
"""With a shared state: the run that goes on with it, the newest of its successors (R16)."""
RUN_STATE_HEADER = "Chainloop-Run-State"
"""The state of that run."""
RUN_EXPIRES_HEADER = "Chainloop-Run-Expires"
"""When that run expires, or expired (RFC 3339)."""
SEALED_FOR_HEADER = "Chainloop-Sealed-For"
"""The run that the bytes were sealed for: an earlier one, as long as the newest has none of its own."""
MATERIALS_PRESENT_HEADER = "Chainloop-Materials-Present"
"""How many of the materials that the contract requires a shared state has: the server cannot read it (R14). Claimed."""
STATE_DIGEST_HEADER = "Chainloop-State-Digest"
"""Digest of the shared state that an attestation was made of."""
ORGANIZATION_HEADER = "Chainloop-Organization"
BUNDLE_MEDIA_TYPE = MEDIA_TYPE
PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_GRAPH_DEPTH = 5
"""How far from a digest one request looks in the graph of referrers (T39)."""
