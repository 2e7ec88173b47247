"""Errors that only the control plane has; all others come from `chainloop_ci.errors`."""

from __future__ import annotations

from collections.abc import Sequence

from chainloop_ci.errors import ChainloopError


class StoreBusyError(ChainloopError):
    """Another writer holds the database; 503 with Retry-After."""

    code = "store-busy"

    def __init__(
        self, what: str = "the database is busy with another writer", hint: str = "repeat the request; it is safe"
    ) -> None:
        super().__init__(what, hint=hint)


class StoreFullError(ChainloopError):
    """The disk is full; 507, reads go on (R8)."""

    code = "store-full"

    def __init__(
        self, where: str = "the store", hint: str = "the server's operator has to free space on its data folder"
    ) -> None:
        super().__init__(f"{where} is full, nothing was written", hint=f"{hint}, then repeat")


class StoreUnusableError(ChainloopError):
    """The disk or the system does not let the store work at present; 503, and the cause stands in the log (R8)."""

    code = "store-unusable"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the store cannot be used at present: {reason}",
            hint="repeat the request later; the server's operator finds the cause in its log and with "
            "`python -m server doctor`",
        )


class BackupInvalidError(ChainloopError):
    """A backup that is not whole, or that this server cannot restore; its findings name everything that is wrong."""

    code = "backup-invalid"


class QuotaExceededError(ChainloopError):
    """The organization or the run reached its quota of bytes; 507 (R8)."""

    code = "quota-exceeded"


class SchemaMismatchError(ChainloopError):
    """The database has another schema version than this server."""

    code = "schema-mismatch"


class UploadsBusyError(ChainloopError):
    """Too much is on its way, for this token, its organization or all; 503 with Retry-After (T30)."""

    code = "uploads-busy"

    def __init__(self) -> None:
        super().__init__(
            "too many uploads and downloads are in progress at once; nothing was done",
            hint="repeat the request when one of them has ended; the server's operator raises the number with "
            "CHAINLOOP_THREADS and CHAINLOOP_WORKERS",
        )


class TooManyLoginsError(ChainloopError):
    """Too many logins from one address have failed; 429 with Retry-After."""

    code = "too-many-logins"

    def __init__(self, wait_seconds: int) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(
            "too many logins from your address have failed", hint=f"wait {wait_seconds} s before you try again"
        )


class BodyTooLargeError(ChainloopError):
    """A request body is over its limit; 413 says the limit."""

    code = "body-too-large"


class MediaTypeError(ChainloopError):
    """A request body has another media type than the route takes; 415."""

    code = "media-type"


class BlobCorruptError(ChainloopError):
    """A stored blob no longer hashes to its name; it is not handed out."""

    code = "blob-corrupt"


class CheckerBusyError(ChainloopError):
    """Content checks hold all the memory or processor time that they may have; 503 with Retry-After (R11)."""

    code = "checker-busy"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the documents cannot be checked at present: {reason}; nothing was stored",
            hint="push again; the same bundle is sent, and it is safe",
        )


class CheckerUnavailableError(ChainloopError):
    """The process that checks contents cannot be started or is gone; 503, nothing is stored unchecked (R11)."""

    code = "checker-unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the documents cannot be checked at present: {reason}; nothing was stored",
            hint="push again later; the server's operator finds the cause in its log",
        )


class EgressError(ChainloopError):
    """A request to the outside had no answer; its message names scheme, host and port and nothing else of the address.

    A path may be a secret (`https://hooks.example.com/services/…`), a header is one.
    """

    code = "egress-failed"


class EgressRefusedError(EgressError):
    """The address, or where its answer leads to, is not one that this server speaks to (R45, R23); asking again is
    of no use.
    """

    code = "egress-refused"


class EgressTimeoutError(EgressError):
    """The answer did not come, or not whole, within the time for all of it."""

    code = "egress-timeout"

    def __init__(self, origin: object, seconds: float) -> None:
        super().__init__(
            f"{origin} did not answer within {seconds:g} s",
            hint="what the request was for may have happened; it is made again later",
        )


class EgressUnreachableError(EgressError):
    """No connection was made, or it broke, or what came is no HTTP."""

    code = "egress-unreachable"


class EgressAnswerError(EgressError):
    """The answer is larger than the server reads."""

    code = "egress-answer"


class SecretUnreadableError(ChainloopError):
    """A stored credential does not open (R44); the operator gives the key back, or somebody enters it anew."""

    code = "secret-unreadable"

    def __init__(self, why: str, hint: str, *, key_is_missing: bool = False) -> None:
        self.key_is_missing = key_is_missing
        super().__init__(f"a stored credential cannot be opened: {why}", hint=hint)


class SecretKeyMissingError(ChainloopError):
    """There is no key to seal a credential with, and another server's has sealed some; the operator gives it."""

    code = "secret-key-missing"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"this server has no key for credentials, and what is stored was sealed with {' or '.join(names)}",
            hint="the server's operator gives it the key of the other servers or of a backup (CHAINLOOP_SECRET_KEY, "
            "CHAINLOOP_SECRET_KEY_FILE or `secret.key`); when it is lost, a new one (`openssl rand -base64 32`), and "
            "every credential is entered anew",
        )


class WebhookNotAuthenticError(ChainloopError):
    """A webhook was not signed with a secret of its source; 401. It does not say what was wrong."""

    code = "webhook-not-authentic"

    def __init__(self) -> None:
        super().__init__(
            "this webhook was not signed with the secret of its source; nothing was done",
            hint="give the forge's webhook the newest secret: `chainloop integration hooks sync` does it; "
            "or by hand, what `chainloop workflow source secret create` or `rotate` has shown",
        )


class WebhookInvalidError(ChainloopError):
    """A webhook was signed rightly and cannot be read; 400."""

    code = "webhook-invalid"


class WebhookReplayedError(ChainloopError):
    """A delivery id came once more, with another body; 409 (R46)."""

    code = "webhook-replayed"

    def __init__(self) -> None:
        super().__init__(
            "a webhook with this delivery id has come before, with another body; nothing was done",
            hint="a sender that sends again sends the same body; what is new needs an id of its own",
        )


class TooManyRequestsError(ChainloopError):
    """More came than is taken from one sender; 429 with Retry-After (T30)."""

    code = "too-many-requests"

    def __init__(self) -> None:
        super().__init__("too many webhooks come from there at once; this one was not looked at", hint="send it later")
