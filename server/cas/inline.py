"""CAS back end `inline`: content stays inside the signed statement, up to 500 KiB a material.

There is nothing to open: the attestation's bytes are the store, and the services read the content out of them.
"""

from __future__ import annotations

from chainloop_ci.api.limits import MAX_INLINE_BYTES
from chainloop_ci.api.words import CasBackend
from server.cas.blobs import BackEnd

INLINE = BackEnd(
    name=CasBackend.INLINE, title="inside the attestation", open=None, look=None, max_bytes=MAX_INLINE_BYTES
)
