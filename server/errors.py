"""Errors that only the control plane has; all others come from `chainloop_ci.errors`."""

from __future__ import annotations

from chainloop_ci.errors import ChainloopError


class StoreBusyError(ChainloopError):
    """Another writer holds the database; 503 with Retry-After."""

    code = "store-busy"

    def __init__(self) -> None:
        super().__init__("the database is busy with another writer", hint="repeat the request; it is safe")


class StoreFullError(ChainloopError):
    """The disk is full; 507, reads go on (R8)."""

    code = "store-full"

    def __init__(self) -> None:
        super().__init__(
            "the store is full, nothing was written", hint="free space on the server's data folder, then repeat"
        )


class QuotaExceededError(ChainloopError):
    """The organization or the run reached its quota of bytes; 507 (R8)."""

    code = "quota-exceeded"


class SchemaMismatchError(ChainloopError):
    """The database has another schema version than this server."""

    code = "schema-mismatch"


class BodyTooLargeError(ChainloopError):
    """A request body is over its limit; 413 says the limit."""

    code = "body-too-large"


class MediaTypeError(ChainloopError):
    """A request body has another media type than the route takes; 415."""

    code = "media-type"


class BlobCorruptError(ChainloopError):
    """A stored blob no longer hashes to its name; it is not handed out."""

    code = "blob-corrupt"
