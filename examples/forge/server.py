"""The HTTP server that both forges are: routes, faults, the log."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from examples.forge.exchange import Answer, ApiError, Exchange, Request
from examples.forge.faults import Faults
from examples.forge.outbox import Outbox

# Names in a path that may hold slashes: a branch, a file, two branches with dots between.
LONG_NAMES = ("path", "ref", "branch", "basehead", "context")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler. `names` are the decoded names of the path."""

    request: Request
    names: Mapping[str, str]
    who: Any
    document: Any

    def number(self, name: str) -> int:
        """Return a name of the path that is a number.

        Raises:
            ApiError: It is none; no such thing can exist.
        """
        if not self.names[name].isdigit():
            raise ApiError(404, {"message": "Not Found"})
        return int(self.names[name])


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its path as the forge's description writes it, the right that it asks for, its handler."""

    method: str
    template: str
    handler: Callable[[Any, Call], Answer]
    right: str = ""
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(f"{_pattern(self.template)}$"))


def _pattern(template: str) -> str:
    parts = re.split(r"\{(\w+)\}", template)
    words = [re.escape(parts[0])]
    for name, after in zip(parts[1::2], parts[2::2], strict=True):
        words += [f"(?P<{name}>{'.+' if name in LONG_NAMES else '[^/]+'})", re.escape(after)]
    return "".join(words)


class Forge:
    """A threaded server on a loopback port with one state behind one lock."""

    api_path = ""
    routes: tuple[Route, ...] = ()

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        observe: Callable[[Exchange], None] | None = None,
        port: int = 0,
    ) -> None:
        self.clock = clock
        self.faults = Faults()
        self.log: list[Exchange] = []
        self.keeps_answers = True
        """Whether the log has the documents of answers; a load test does without."""
        self.outbox = Outbox(clock)
        self.lock = threading.RLock()
        self._observe = observe
        self._numbers = 0
        self._held = 0
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.api_url = f"{self.url}{self.api_path}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; what hangs is let go."""
        self._released.set()
        self.outbox.stop()
        self._server.shutdown()
        self._server.server_close()

    @property
    def is_hanging(self) -> bool:
        """Tell whether a request hangs now."""
        return self._held > 0

    def release(self) -> None:
        """Let go what hangs now."""
        with self.lock:
            released, self._released = self._released, threading.Event()
        released.set()

    def next_number(self) -> int:
        """Return a number that nothing else of this forge has."""
        with self.lock:
            self._numbers += 1
            return self._numbers

    def writes(self, pattern: str = "") -> list[Exchange]:
        """Return the requests that could change something, in order; of those whose path matches."""
        return [seen for seen in list(self.log) if seen.is_write and re.search(pattern, seen.path)]

    def deliver(self) -> list[Any]:
        """Send the webhooks that wait and return them with their answers."""
        return self.outbox.deliver()

    # What a forge is beside this: see its own module.

    def authenticate(self, request: Request) -> Any:
        """Return who asks.

        Raises:
            ApiError: The token is not known, expired or revoked.
        """
        raise NotImplementedError

    def name_of(self, request: Request) -> str:
        """Return the name of the token that a request carries, for the log."""
        raise NotImplementedError

    def authorize(self, route: Route, call: Call) -> None:
        """Refuse what the caller may not do.

        Raises:
            ApiError: As this forge words it.
        """
        raise NotImplementedError

    def refusal(self, fault: str, request: Request) -> Answer:
        """Return this forge's words for a fault."""
        raise NotImplementedError

    def common_headers(self, request: Request) -> Mapping[str, str]:
        """Return what every answer of this forge carries."""
        raise NotImplementedError

    def unknown(self) -> Answer:
        """Return the answer to a path that the forge does not know."""
        raise NotImplementedError

    def serve(self, request: Request) -> Answer | None:
        """Answer one request and write it down; None hangs up without an answer."""
        with self.lock:
            fault = self.faults.pick(request)
        if fault in ("hang", "slow"):
            self._hold(fault)
        route, names = self._find(request)
        if fault in (None, "slow", "lost_answer"):
            answer = self._answer(route, names, request)
        else:
            answer = self.refusal(fault, request)
        if fault == "lost_answer":
            answer = self.refusal(fault, request)
        answer = replace(answer, headers={**self.common_headers(request), **answer.headers})
        self._write_down(request, answer, route, fault)
        return None if fault == "hang" else answer

    def _hold(self, fault: str) -> None:
        with self.lock:
            released, self._held = self._released, self._held + (fault == "hang")
        released.wait(None if fault == "hang" else self.faults.slow_seconds)
        with self.lock:
            self._held -= fault == "hang"

    def _find(self, request: Request) -> tuple[Route | None, Mapping[str, str]]:
        for route in self.routes:
            if route.method == request.method and (found := route.pattern.fullmatch(request.path)):
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None, {}

    def _answer(self, route: Route | None, names: Mapping[str, str], request: Request) -> Answer:
        if route is None:
            return self.unknown()
        try:
            with self.lock:
                call = Call(request, names, self.authenticate(request), self._document(request))
                self.authorize(route, call)
                return route.handler(self, call)
        except ApiError as error:
            return error.answer

    def _document(self, request: Request) -> Any:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(request.body.decode()))
        try:
            return request.document()
        except ValueError:
            raise ApiError(400, {"message": "Problems parsing JSON"}) from None

    def _write_down(self, request: Request, answer: Answer, route: Route | None, fault: str | None) -> None:
        who = self.name_of(request)
        hidden = {
            name: f"token {who}" if name in ("authorization", "private-token", "job-token") else value
            for name, value in request.headers.items()
        }
        with self.lock:
            seen = Exchange(
                len(self.log) + 1,
                replace(request, headers=hidden),
                answer,
                who,
                route.template if route else None,
                fault,
            )
            self.log.append(seen if self.keeps_answers else replace(seen, answer=replace(answer, document=None)))
        if self._observe is not None:
            self._observe(seen)


def pages(forge: Forge, call: Call, items: Iterable[Any], largest: int = 100) -> tuple[list[Any], dict[str, str]]:
    """Return one page of a list and the `Link` header that leads to the others; a page has 30, `largest` at most."""
    items = list(items)
    size = min(max(_whole(call.request.query.get("per_page"), 30), 1), largest)
    page = max(_whole(call.request.query.get("page"), 1), 1)
    last = max((len(items) + size - 1) // size, 1)
    links = {"next": page + 1, "last": last} if page < last else {}
    links |= {"first": 1, "prev": page - 1} if page > 1 else {}
    found = items[(page - 1) * size : page * size]
    if not links:
        return found, {}
    words = [f'<{_page_address(forge, call, number, size)}>; rel="{rel}"' for rel, number in links.items()]
    return found, {"Link": ", ".join(words)}


def _page_address(forge: Forge, call: Call, number: int, size: int) -> str:
    base = forge.faults.foreign_link or forge.api_url
    others = {name: value for name, value in call.request.query.items() if name not in ("page", "per_page")}
    return f"{base}{call.request.path}?{urlencode({**others, 'page': number, 'per_page': size})}"


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() else default


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *arguments: Any) -> None:
        """Stay quiet about clients that hang up."""


def _handler_of(forge: Forge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in one packet each; without this a client waits for the second.
        disable_nagle_algorithm = True

        def log_message(self, *arguments: Any) -> None:
            """Stay quiet."""

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                # The client has died: half of a request is none.
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(forge.api_path) if forge.api_path else parts.path
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            answer = forge.serve(Request(self.command, path, query, headers, body))
            if answer is None:
                self.close_connection = True
                return
            self._say(answer)

        def _say(self, answer: Answer) -> None:
            body = answer.body()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json; charset=utf-8", **answer.headers}.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD" and answer.status != 204:
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(body)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

    return Handler
