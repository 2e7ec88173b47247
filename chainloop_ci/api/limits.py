"""The limits of the wire; a request over one is answered with 413 or 422 that says it."""

from __future__ import annotations

MAX_BODY_BYTES = 1024 * 1024
"""JSON request bodies and contracts."""
MAX_BUNDLE_BYTES = 8 * 1024 * 1024
"""A signed bundle, base64 included: 1 000 materials or inline content fit."""
MAX_BLOB_BYTES = 16 * 1024**3
"""One artifact, by default."""
MAX_INLINE_BYTES = 500 * 1024
"""One material kept inside the statement (CAS back end `inline`)."""
MAX_MATERIALS = 1000
"""Materials of one attestation."""
MAX_NAME = 63
"""DNS-1123 labels: organizations, projects, workflows, contracts."""
DEFAULT_PAGE = 50
MAX_PAGE = 200

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
HANDLE_HEADER = "Chainloop-Run-Handle"
ORGANIZATION_HEADER = "Chainloop-Organization"
BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PROBLEM_MEDIA_TYPE = "application/problem+json"
