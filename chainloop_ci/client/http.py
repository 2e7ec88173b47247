"""One HTTP conversation with the control plane: deadline, retries, R23, problems, and streams in both directions.

`urllib3` and `ssl` come in with the first request, not with the import of this module.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import quote, urlencode, urlsplit

from chainloop_ci.api.address import require_safe_url
from chainloop_ci.api.limits import ORGANIZATION_HEADER, PROBLEM_MEDIA_TYPE
from chainloop_ci.client.answers import Answer, error_of, read_json
from chainloop_ci.errors import NotAuthenticatedError, ServerFaultError, UnreachableError, UsageError
from chainloop_ci.records import record

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from chainloop_ci.client.pools import Pool

PATIENCE_SECONDS = 18.0
"""Longest time without progress, retries included: with start and end of the process a command stays under 20 s.

`--patience` sets another one (design decision 10 calls this the default).
"""
_LONGEST_PAUSE_SECONDS = 3.0
"""Before its jitter: a control plane that is back is found soon, and not by all jobs at once."""
_LAST_ATTEMPT_SECONDS = 1.0
"""Pauses end so long before the patience does."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Largest answer that is read as a whole; artifacts are streamed and have no limit here."""
_TEMPORARY = frozenset({502, 503, 504})
_REQUEST_ID_HEADER = "X-Request-Id"
"""Names the request in the control plane's log."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Query = Mapping[str, str | int | None]
"""Parameters; None is left out."""
Trace = Callable[..., None]
"""Called with a message and facts by name: what helps to find a fault. No header and no body is among them."""
Body = bytes | Callable[[], Iterable[bytes | memoryview]] | None
"""Bytes, or a function that begins the body again from its start."""


def _tell_nobody(message: str, **facts: object) -> None:
    pass


class Options(TypedDict, total=False):
    """What else a request may have; `HttpClient.exchange` says what each means."""

    query: Query | None
    headers: Mapping[str, str] | None
    media_type: str
    repeat: bool | None
    size_bytes: int | None


@record
class Address:
    """Where the control plane is and what is shown to it."""

    url: str
    """Without `/api/v1`; a path in front of it is kept."""
    token: str = field(default="", repr=False)
    organization: str = ""
    """Only an instance token needs it (design decision 14)."""
    ca: str = ""
    """Path of a file, or PEM text; added to the certificates that the system trusts."""
    insecure: bool = False
    """R23: allow http to a host that is not loopback."""
    user_agent: str = "chainloop-ci"
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For proxies and `SSL_CERT_FILE`."""
    is_anonymous: bool = False
    """Whether no token is shown, and none is needed."""


@dataclass(slots=True)
class Patience:
    """How long the network may keep a command waiting in all; progress starts the count again.

    Progress is an answer, a piece of an upload, or a block of a download; `countdown` says what is too slow to be one.
    """

    limit_seconds: float = PATIENCE_SECONDS
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = lambda: random.random()  # noqa: S311 - a pause; the first one loads the module
    waited_seconds: float = 0.0
    _mark: float = 0.0

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self.limit_seconds - self.waited_seconds

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as waiting."""
        self._mark = self.clock()
        try:
            yield
        finally:
            self.waited_seconds += self.clock() - self._mark

    def progress(self) -> None:
        """Start the count again."""
        self.waited_seconds = 0.0
        self._mark = self.clock()

    def plan_pause(self, attempt: int, at_least: float, paused_seconds: float) -> float:
        """Return how long to sleep before the next attempt; 0 when there is no time for one.

        `paused_seconds` were slept for this request already. They count even where a body that is sent again was
        progress: an upload that is refused at its end each time comes to an end.
        """
        left = min(self.remaining(), self.limit_seconds - paused_seconds)
        usual = min(_LONGEST_PAUSE_SECONDS, 0.3 * 2**attempt) * (0.5 + self.jitter())
        seconds = max(at_least, min(usual, left - _LAST_ATTEMPT_SECONDS))
        return seconds if 0 < seconds < left else 0.0

    def pause(self, seconds: float) -> None:
        """Sleep; it counts as waiting."""
        with self.waiting():
            self.sleep(seconds)


class HttpClient:
    """Requests to one control plane. Not for several threads."""

    def __init__(
        self,
        address: Address,
        patience: Patience | None = None,
        trace: Trace = _tell_nobody,
        tell: Trace = _tell_nobody,
    ) -> None:
        """`trace` hears of each request, `tell` once that there is no answer yet."""
        # R23: the one check of the address, before there is anything to send.
        self.address = replace(address, url=require_safe_url(address.url, address.insecure))
        self.patience = patience or Patience()
        self.base_url = self.address.url
        self._trace = trace
        self._tell = tell
        self._has_told = False
        self._pool: Pool | None = None

    def json(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool | None = None,
    ) -> Any:
        """Send `document`, return the parsed answer, None when it is empty. Otherwise as `exchange`."""
        import json

        body = None if document is None else json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        media_type = "" if body is None else "application/json"
        return read_json(
            self.exchange(method, path, body, query=query, headers=headers, media_type=media_type, repeat=repeat)
        )

    def send(self, method: str, path: str, body: Body, **options: Unpack[Options]) -> Any:
        """Send a body as it is, return the parsed JSON answer; `options` as for `exchange`."""
        return read_json(self.exchange(method, path, body, **options))

    def exchange(
        self,
        method: str,
        path: str,
        body: Body = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        media_type: str = "",
        accept: str = "application/json",
        repeat: bool | None = None,
        size_bytes: int | None = None,
    ) -> Answer:
        """Send one request and return the whole answer.

        `path` stands below `/api/v1` and is not yet quoted. `repeat` says whether the same request may be sent twice;
        left out, HTTP's idempotent methods may. `size_bytes` is the length of a streamed body, when it is known.

        Raises:
            ChainloopError: the one that the control plane's problem names, or `UnreachableError`, `ServerFaultError`.
        """
        sent = self._headers(headers, media_type=media_type, accept=accept, size_bytes=size_bytes)
        repeat = method in ("GET", "HEAD", "PUT", "DELETE") if repeat is None else repeat
        with self._respond(method, self.url_of(path, query), body, sent, repeat=repeat) as response:
            return Answer(f"{method} {path}", response.status, dict(response.headers), self._read_whole(response))

    @contextmanager
    def stream(self, path: str) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Request `path`; yield headers and the blocks of a body of any size.

        Raises:
            UnreachableError: the connection was lost on the way.
        """
        headers = self._headers(None, media_type="", accept=f"*/*, {PROBLEM_MEDIA_TYPE}", size_bytes=None)
        with self._respond("GET", self.url_of(path, None), None, headers, repeat=True) as response:
            if self._pool is not None:
                self._pool.expect_download(self.patience.limit_seconds)
            yield dict(response.headers), self._blocks(response)

    def url_of(self, path: str, query: Query | None = None) -> str:
        """Return the whole URL; parameters that are None are left out.

        Raises:
            UsageError: a part of the path would lead out of what stands before it: names may come from files (R23).
        """
        if not {".", ".."}.isdisjoint(path.split("/")):
            raise UsageError(
                f"expected a path of names and ids, found one that leads elsewhere: {path[:200]!r}; nothing was sent",
                hint="check the ids that were given, and the file that they come from",
            )
        pairs = [(name, value) for name, value in (query or {}).items() if value is not None]
        return f"{self.base_url}/api/v1/{quote(path, safe='/:')}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _headers(
        self, extra: Mapping[str, str] | None, *, media_type: str, accept: str, size_bytes: int | None
    ) -> dict[str, str]:
        headers = {
            "Authorization": "" if self.address.is_anonymous else f"Bearer {self._token()}",
            "User-Agent": self.address.user_agent,
            "Accept": f"{accept}, {PROBLEM_MEDIA_TYPE}",
            # A compressed answer could be small on the wire and huge in memory.
            "Accept-Encoding": "identity",
            ORGANIZATION_HEADER: self.address.organization,
            "Content-Type": media_type,
            "Content-Length": "" if size_bytes is None else str(size_bytes),
        }
        return {name: value for name, value in {**headers, **(extra or {})}.items() if value}

    def _token(self) -> str:
        token = self.address.token
        if not token:
            raise NotAuthenticatedError(
                f"there is no token for {self.base_url}",
                hint="set CHAINLOOP_TOKEN or --token, or save one with `chainloop config save`; in a job check that "
                "the secret reaches the step: forks and Dependabot get none",
            )
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise NotAuthenticatedError(
                "the token holds a space, a line end or another character that no token has",
                hint="store the token again, without quotes and line ends around it",
            )
        return token

    @contextmanager
    def _respond(
        self, method: str, url: str, body: Body, headers: dict[str, str], *, repeat: bool
    ) -> Iterator[BaseHTTPResponse]:
        response = self._persist(method, url, body, headers, repeat=repeat)
        try:
            if response.status in _REDIRECTS:
                target = _host(response.headers.get("Location", ""))
                raise ServerFaultError(
                    f"{self.base_url} answered with a redirect to {target}; a token is never sent along a redirect",
                    hint="set --control-plane to the address that the control plane really has",
                )
            if response.status >= 400:
                raise error_of(
                    Answer(method, response.status, dict(response.headers), self._read_whole(response)), self.base_url
                )
            yield response
        finally:
            # A body that was read to its end has given its connection back already.
            response.close()

    def _persist(self, method: str, url: str, body: Body, headers: dict[str, str], *, repeat: bool) -> BaseHTTPResponse:
        """Send until there is an answer that is worth something, or the patience is used up."""
        from chainloop_ci.client.pools import Lost

        attempt, paused = 0, 0.0
        while True:
            try:
                response = self._send(method, url, body, headers)
            except Lost as lost:
                again = (repeat or not lost.was_sent) and attempt + 1 < lost.attempts
                pause = self._pause(attempt, 0.0, paused, lost.reason) if again else 0.0
                if not pause:
                    raise self._unreachable(lost, attempt + 1) from lost
            else:
                wait = _retry_after(response) if repeat else None
                pause = 0.0 if wait is None else self._pause(attempt, wait, paused, f"it answers {response.status}")
                if not pause:
                    return response
                response.close()
            attempt, paused = attempt + 1, paused + pause

    def _pause(self, attempt: int, at_least: float, paused_seconds: float, reason: str) -> float:
        """Sleep before the next attempt and return how long; 0 when there is no time for one."""
        seconds = self.patience.plan_pause(attempt, at_least, paused_seconds)
        # The first pause is usually shorter than it takes to read a line about it.
        if seconds and (attempt or seconds >= 1) and not self._has_told:
            self._has_told = True
            left = round(self.patience.remaining())
            self._tell("no answer yet, trying again", url=self.base_url, reason=reason, for_another=f"{left}s")
        if seconds:
            self.patience.pause(seconds)
        return seconds

    def _send(self, method: str, url: str, body: Body, headers: dict[str, str]) -> BaseHTTPResponse:
        from chainloop_ci.client.pools import Lost, Pool

        if self._pool is None:
            self._pool = Pool(self.address)
        began = self.patience.clock()
        try:
            with self.patience.waiting():
                response = self._pool.send(
                    method,
                    url,
                    self._watched(body) if callable(body) else body,
                    headers,
                    timeout_seconds=max(self.patience.remaining(), 0.05),
                    window_seconds=self.patience.limit_seconds,
                )
        except Lost as lost:
            self._trace("no answer", method=method, url=url, after=self._since(began), reason=lost.reason)
            raise
        self._trace(
            "answered",
            method=method,
            url=url,
            status=response.status,
            after=self._since(began),
            request=response.headers.get(_REQUEST_ID_HEADER, ""),
        )
        if _retry_after(response) is None:  # a server that only says «later» is no progress
            self.patience.progress()
        return response

    def _since(self, began: float) -> str:
        return f"{self.patience.clock() - began:.3f}s"

    def _watched(self, begin: Callable[[], Iterable[bytes | memoryview]]) -> Iterator[bytes | memoryview]:
        for piece in begin():
            yield piece
            self.patience.progress()

    def _read_whole(self, response: BaseHTTPResponse) -> bytes:
        blocks: list[bytes] = []
        size = 0
        for block in self._blocks(response):
            size += len(block)
            if size > MAX_ANSWER_BYTES:
                raise ServerFaultError(
                    f"{self.base_url} answered with more than {MAX_ANSWER_BYTES} bytes, which no such answer has",
                    hint="ask for less with --limit, or check what stands at this address",
                )
            blocks.append(block)
        return b"".join(blocks)

    def _blocks(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        from chainloop_ci.client.pools import Lost, blocks

        received = 0
        try:
            for block in blocks(response):
                received += len(block)
                self.patience.progress()
                yield block
        except Lost as lost:
            raise UnreachableError(
                f"{self.base_url}: the connection was lost after {received} bytes of the answer ({lost.reason})",
                hint="try again; a proxy on the way may cut or hold up long answers",
            ) from lost

    def _unreachable(self, lost: Any, attempts: int) -> UnreachableError:
        tries = f" after {attempts} attempts" if attempts > 1 else ""
        return UnreachableError(f"{self.base_url} cannot be reached{tries}: {lost.reason}", hint=lost.hint)


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or "another path"
    except ValueError:
        return "what is no address"


def _retry_after(response: BaseHTTPResponse) -> float | None:
    """Return how long to wait before the request is sent again, None when it is not to be sent again."""
    text = response.headers.get("Retry-After", "")
    asked = float(text) if text.isascii() and text.isdigit() else None
    if response.status == 429:
        return asked
    return (asked or 0.0) if response.status in _TEMPORARY else None
