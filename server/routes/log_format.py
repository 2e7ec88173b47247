"""How the server's log looks: one JSON object per line on standard error, without secrets (threats T07, T46).

Nothing that logs is given a secret. Should one slip in all the same, in the message of a foreign exception for example,
what looks like one of ours is taken out before the line is written.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from server.auth.token_text import PREFIX

REDACTED = "[redacted]"
MAX_LOGGED = 20_000
"""Characters of one text in the log: an exception may quote megabytes."""

_SECRETS = re.compile(
    # An API token, a part of one too; a run handle (43 characters of base64url); a private key.
    rf"{PREFIX}[0-9A-Za-z]{{8,}}"
    r"|(?<![0-9A-Za-z_-])[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?i:bearer|basic) +[^\s'\",]{8,}"
)


def configure_logging() -> None:
    """Send structlog's events and the standard library's records to standard error, one JSON object per line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # The migration library tells each step; the operator's command says the result.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out of an event what looks like a secret, and cut what is too long; a processor of structlog."""
    return {name: _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRETS.sub(REDACTED, value[:MAX_LOGGED])
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else _clean(repr(value))
