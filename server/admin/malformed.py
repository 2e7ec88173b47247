"""Answers to requests that the HTTP server itself refuses: problem documents like all others, never a page of HTML."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from gunicorn.http import errors

from chainloop_ci.api.limits import PROBLEM_MEDIA_TYPE
from chainloop_ci.api.problems import TYPE_PREFIX

MAX_HEAD_BYTES = 32 * 1024
"""Request line and header fields together."""
MAX_REQUEST_LINE_BYTES = 8190
"""Method, address and protocol version; gunicorn's own limit."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a request is no HTTP that this server reads."""

    status: HTTPStatus
    code: str
    detail: str


HEAD_TOO_LARGE = Malformed(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head-too-large",
    f"request line and header fields may have {MAX_HEAD_BYTES} bytes together",
)
_ADDRESS_TOO_LONG = Malformed(
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "address-too-long",
    f"the request line, with the address and its query, may have {MAX_REQUEST_LINE_BYTES} bytes",
)
_FIELDS_TOO_LARGE = Malformed(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "a header field is too long, or there are too many"
)
_UNKNOWN_CODING = Malformed(
    HTTPStatus.NOT_IMPLEMENTED, "transfer-coding", "the only transfer coding that is read is «chunked»"
)
_EXPECTATION = Malformed(
    HTTPStatus.EXPECTATION_FAILED, "expectation", "the only expectation that is met is «100-continue»"
)
_NO_HTTP = Malformed(HTTPStatus.BAD_REQUEST, "malformed-request", "this is no HTTP/1.1 request that can be read")

_BY_ERROR: tuple[tuple[type[Exception], Malformed], ...] = (
    (errors.LimitRequestLine, _ADDRESS_TOO_LONG),
    (errors.LimitRequestHeaders, _FIELDS_TOO_LARGE),
    (errors.UnsupportedTransferCoding, _UNKNOWN_CODING),
    (errors.ExpectationFailed, _EXPECTATION),
    (errors.ParseException, _NO_HTTP),
)
"""THE table; the first that fits counts."""
# What the application wanted to send, not what the client has sent.
_OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


def find_malformed(error: Exception) -> Malformed | None:
    """Return what the client did wrong; None when the fault is ours."""
    if isinstance(error, _OURS):
        return None
    return next((malformed for cls, malformed in _BY_ERROR if isinstance(error, cls)), None)


def render_malformed(malformed: Malformed) -> bytes:
    """Return the whole answer, head and body; the connection ends after it."""
    body = json.dumps(
        {
            "type": TYPE_PREFIX + malformed.code,
            "title": malformed.code.replace("-", " ").capitalize(),
            "status": malformed.status.value,
            "detail": malformed.detail,
            "code": malformed.code,
        }
    ).encode()
    return b"HTTP/1.1 %d %b\r\nConnection: close\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        malformed.status.value,
        malformed.status.phrase.encode(),
        PROBLEM_MEDIA_TYPE.encode(),
        len(body),
        body,
    )
