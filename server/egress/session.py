"""Sessions of `requests` over our own way out: bound to one origin, redirects stay there, nothing is remembered."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from server.egress.deadline import Deadline
from server.egress.exchange import Exchange, Limit
from server.egress.targets import Origin, parse_target
from server.errors import EgressRefusedError

MAX_REDIRECTS = 3
USER_AGENT = "chainloop"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SCHEME = re.compile(r"[^/?#]*:")
_SAME_REQUEST = frozenset({307, 308})
_PAGES = frozenset({"first", "prev", "next", "last"})
_READS = frozenset({"GET", "HEAD"})


class LinkRule(Enum):
    """What becomes of the addresses of other pages in a `Link` header."""

    OWN = auto()
    """They are of the session's origin, or the answer is refused."""
    PATHS = auto()
    """They are addresses at least: the library above puts the session's origin into them."""
    UNREAD = auto()
    """Nobody looks at them."""


class PinnedAdapter(HTTPAdapter):
    """What `requests` sends with. Its own pools, proxies, retries and ways to skip the certificate are not used."""

    def __init__(self, exchange: Exchange, origin: Origin, limit: Limit) -> None:
        super().__init__()
        self._exchange = exchange
        self.origin = origin
        self._limit = limit

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        """Send a request within `timeout`, which is a `Deadline`: sessions give one.

        Raises:
            EgressError: no answer.
        """
        target = parse_target(str(request.url))
        if target.origin != self.origin:
            # Whoever made the session gave it a credential for one origin.
            raise EgressRefusedError(
                f"{target.origin} is not reached: this is about {self.origin}, which led elsewhere",
                hint="check the address; one that moved has to be entered anew, with its credential",
            )
        response = self._exchange.send(
            target,
            str(request.method),
            request.body,
            {name: value for name, value in request.headers.items() if name.lower() != "host"},
            deadline=timeout,
            limit=self._limit,
        )
        return self.build_response(request, response)


class BoundSession(requests.Session):
    """A session for one origin. Neither environment nor `~/.netrc` counts, and cookies are not kept."""

    def __init__(
        self,
        adapter: PinnedAdapter,
        monotonic: Callable[[], float],
        seconds: float,
        *,
        links: LinkRule,
        repeats_writes: bool = False,
    ) -> None:
        """`seconds`: for each request, its redirects included. `repeats_writes`: whether 301 and 302 leave a request
        that is no GET what it is; else it is not followed.
        """
        super().__init__()
        self._origin = adapter.origin
        self._links = links
        self.trust_env = False
        self.adapters.clear()
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = USER_AGENT
        self._monotonic = monotonic
        self._seconds = seconds
        self._repeats_writes = repeats_writes

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """Make a request.

        Raises:
            EgressError: no answer.
        """
        try:
            return super().request(*arguments, **options)
        except (requests.RequestException, HTTPError, UnicodeError):
            # Its words may hold the address or a header.
            raise EgressRefusedError("the request cannot be sent: its address or a header is no HTTP") from None

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and again where its own origin says that it moved."""
        follows = options.pop("allow_redirects", True)
        options["timeout"] = Deadline(self._monotonic, self._time_of(options.get("timeout")))
        for _ in range(MAX_REDIRECTS + 1):
            response = super().send(request, allow_redirects=False, **options)
            location = response.headers.get("location")
            if not (follows and location and self._is_followed(request, response.status_code)):
                self._require_own_pages(response)
                return response
            request = request.copy()
            # Only a path is joined: what has a scheme, the libraries read in more than one way.
            request.url = location if _SCHEME.match(location) else urljoin(str(request.url), location)
        raise EgressRefusedError(
            f"{parse_target(str(request.url)).origin} answered with more than {MAX_REDIRECTS} redirects",
            hint="check the address",
        )

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: `requests` would prepare a request to wherever an answer says."""
        return None

    def _is_followed(self, request: requests.PreparedRequest, status: int) -> bool:
        if status not in _REDIRECTS:
            return False
        is_read = request.method in _READS
        return is_read or status in _SAME_REQUEST or (self._repeats_writes and status != 303)

    def _require_own_pages(self, response: requests.Response) -> None:
        """Refuse an answer whose other pages lie elsewhere; what else it links to, nobody follows."""
        if self._links is LinkRule.UNREAD:
            return
        for link in response.links.values():
            address = link.get("url", "")
            if not _PAGES & set(link.get("rel", "").split()) or (address.startswith("/") and address[1:2] != "/"):
                continue
            if parse_target(address).origin != self._origin and self._links is LinkRule.OWN:
                raise EgressRefusedError(
                    f"{self._origin} is not asked any further: its `Link` header leads to another host",
                    hint="check the address",
                )

    def _time_of(self, asked: Any) -> float:
        """Return the seconds for a request; a caller may ask for less than the session's."""
        asked = max(asked) if isinstance(asked, tuple) else asked
        return min(float(asked), self._seconds) if asked else self._seconds
