"""Answers of the control plane: JSON that is ours, or the error that a problem document names (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chainloop_ci import errors
from chainloop_ci.api.paging import Page
from chainloop_ci.errors import ChainloopError, Finding, ServerFaultError
from chainloop_ci.records import record

R = TypeVar("R")


@record
class Answer:
    """A whole answer."""

    request: str
    """Method and path, for messages."""
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Return the media type without parameters."""
        named = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        return named.partition(";")[0].strip().lower()


_OWN: Mapping[str, type[ChainloopError]] = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, ChainloopError) and error is not ChainloopError
}

BY_CODE: Mapping[str, type[ChainloopError]] = {
    **_OWN,
    # What only the control plane itself can raise.
    "store-busy": errors.UnreachableError,
    "store-full": errors.ServerFaultError,
    "store-unusable": errors.UnreachableError,
    "checker-busy": errors.UnreachableError,
    "checker-unavailable": errors.UnreachableError,
    "uploads-busy": errors.UnreachableError,
    "backup-invalid": errors.ServerFaultError,
    "schema-mismatch": errors.ServerFaultError,
    "blob-corrupt": errors.ServerFaultError,
    "secret-key-missing": errors.ServerFaultError,
    "secret-unreadable": errors.ServerFaultError,
    # A third party that an administrator registers; not the control plane, which has answered.
    "egress-answer": errors.RequestInvalidError,
    "egress-failed": errors.RequestInvalidError,
    "egress-refused": errors.RequestInvalidError,
    "egress-timeout": errors.RequestInvalidError,
    "egress-unreachable": errors.RequestInvalidError,
    "quota-exceeded": errors.LimitExceededError,
    "body-too-large": errors.LimitExceededError,
    "media-type": errors.RequestInvalidError,
    # Of senders of webhooks and of people at the page; a step that signs the end of its build meets the first four.
    "too-many-requests": errors.UnreachableError,
    "webhook-invalid": errors.RequestInvalidError,
    "webhook-not-authentic": errors.NotAuthenticatedError,
    "webhook-replayed": errors.ConflictError,
    "too-many-logins": errors.UnreachableError,
}
"""THE table: problem code to error class. A code that is not here is judged by its status."""

BY_STATUS: Mapping[int, type[ChainloopError]] = {
    400: errors.RequestInvalidError,
    401: errors.NotAuthenticatedError,
    403: errors.NotAllowedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    412: errors.PreconditionFailedError,
    413: errors.LimitExceededError,
    415: errors.RequestInvalidError,
    422: errors.RequestInvalidError,
    429: errors.UnreachableError,
    502: errors.UnreachableError,
    503: errors.UnreachableError,
    504: errors.UnreachableError,
}


def error_of(answer: Answer, base_url: str) -> ChainloopError:
    """Return the error that an answer of 400 and above stands for; findings and hint are kept."""
    problem = _problem(answer)
    if problem is None:
        return _foreign(answer, base_url)
    if _is_beside_the_api(answer, problem, base_url):
        path = urlsplit(base_url).path
        return errors.UsageError(
            f"{base_url} is not the address of a control plane: its API is not below {path}",
            hint=_address_hint(base_url),
        )
    code = str(problem.get("code", ""))
    cls = BY_CODE.get(code) or BY_STATUS.get(answer.status, ServerFaultError)
    detail = str(problem.get("detail") or problem.get("title") or f"{answer.request} was answered with {answer.status}")
    hint = problem.get("hint")
    request_id = problem.get("requestId")
    if answer.status >= 500 and request_id:
        hint = f"{hint or 'tell the operator of the control plane'} (request {request_id} in its log)"
    error = cls.__new__(cls)
    # Some classes word their message themselves; here the control plane has worded it.
    ChainloopError.__init__(
        error, detail, hint=None if hint is None else str(hint), findings=_findings(problem.get("findings"))
    )
    return error


def read_json(answer: Answer) -> Any:
    """Return the parsed body, None when it is empty.

    Raises:
        ServerFaultError: it is not JSON, so it does not come from a control plane.
    """
    import json

    if not answer.body:
        return None
    try:
        if answer.media_type != "application/json":
            raise ValueError("not application/json")
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _not_ours(answer, answer.request) from error


def read_record(cls: type[R], document: Any) -> R:
    """Return the record in an answer.

    Raises:
        ServerFaultError: something that this client needs is missing.
    """
    from chainloop_ci.api.record import from_dict

    try:
        return from_dict(cls, document)
    except (ValueError, TypeError, KeyError) as error:
        raise ServerFaultError(
            f"the control plane's answer is not the {cls.__name__} that was asked for: {error}",
            hint="client and control plane may be of different versions: compare `chainloop version`",
        ) from error


def page(cls: type[R], document: Any) -> Page[R]:
    """Return the page of records in an answer.

    Raises:
        ServerFaultError: it is no page.
    """
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise ServerFaultError(f"the control plane's answer is not a list of {cls.__name__}")
    cursor = document.get("nextCursor")
    return Page(tuple(read_record(cls, item) for item in document["items"]), None if cursor is None else str(cursor))


def _problem(answer: Answer) -> Mapping[str, Any] | None:
    import json

    if answer.media_type not in ("application/problem+json", "application/json"):
        return None
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and ("detail" in document or "code" in document) else None


def _findings(listed: Any) -> list[Finding]:
    if not isinstance(listed, list):
        return []
    return [_finding(item) for item in listed if isinstance(item, dict)]


def _finding(item: Mapping[str, Any]) -> Finding:
    def text(name: str) -> str | None:
        return None if item.get(name) is None else str(item[name])

    def number(name: str) -> int | None:
        return item[name] if isinstance(item.get(name), int) else None

    return Finding(
        text("code") or "finding",
        text("message") or "",
        path=text("path"),
        line=number("line"),
        column=number("column"),
        hint=text("hint"),
    )


def _foreign(answer: Answer, base_url: str) -> ChainloopError:
    if answer.status in (502, 503, 504):
        return errors.UnreachableError(
            f"{base_url} is not served at the moment: {answer.status} from something in front of the control plane",
            hint="try again; if it stays, ask the operator of the control plane",
        )
    return _not_ours(answer, base_url)


def _is_beside_the_api(answer: Answer, problem: Mapping[str, Any], base_url: str) -> bool:
    """Tell whether a control plane knows nothing at a path in front of its API: `http://host/docs`, copied from a page.

    Behind a proxy that serves it below a path it never sees that path, and does not name it.
    """
    path = urlsplit(base_url).path
    return bool(path) and answer.status == 404 and f" {path}/api/v1/" in str(problem.get("detail", ""))


def _address_hint(base_url: str) -> str:
    """Say which option to look at; where the address has a path, it is perhaps not meant."""
    parts = urlsplit(base_url)
    without = f"the address without its path is meant: {parts.scheme}://{parts.netloc}" if parts.path else ""
    return "; ".join(filter(None, ("check --control-plane (CHAINLOOP_CONTROL_PLANE_API)", without)))


def _not_ours(answer: Answer, place: str) -> ServerFaultError:
    hint = "check --control-plane (CHAINLOOP_CONTROL_PLANE_API); a proxy or a login page may stand in between"
    if place.startswith("http") and urlsplit(place).path:
        hint = f"{_address_hint(place)}, unless a proxy serves it below that path"
    return ServerFaultError(
        f"{place}: answered with {answer.status} and {answer.media_type or 'no media type'}, "
        "which does not come from a Chainloop control plane",
        hint=hint,
    )
