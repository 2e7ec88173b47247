"""The one transport (R45). Everything that leaves the server goes through here; made once per process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from server.egress.policy import Policy
from server.egress.resolver import Resolver, TimedResolver, resolve_addresses
from server.egress.targets import parse_target

if TYPE_CHECKING:
    from server.egress.exchange import Exchange, Limit
    from server.egress.session import BoundSession, LinkRule

DEFAULT_SECONDS = 10.0
"""For one request to a forge with its redirects; GitHub itself gives up what takes longer."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Of a forge: a page of a hundred pull requests has some MB."""
MAX_KEPT_ANSWER_BYTES = 64 * 1024
"""Of a webhook: what an operator may look at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook answered; a redirect that was not followed is one too."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Its first `MAX_KEPT_ANSWER_BYTES`."""


class Transport:
    """Sends requests to where the operator's policy lets them go. Threads may share it."""

    def __init__(
        self,
        policy: Policy,
        *,
        resolver: Resolver = resolve_addresses,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._resolver = resolver

    @cached_property
    def _exchange(self) -> Exchange:
        # With it comes urllib3, and with a session requests: a process that sends nothing has neither.
        from server.egress.exchange import Exchange

        return Exchange(self._policy, TimedResolver(self._resolver), self._monotonic)

    def require(self, url: str) -> None:
        """Refuse an address at once, as far as that is possible without asking for its name.

        Raises:
            EgressRefusedError: nothing will be sent there.
        """
        self._policy.require(parse_target(url).origin)

    def session(
        self,
        url: str,
        *,
        seconds: float = DEFAULT_SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        links: LinkRule | None = None,
        repeats_writes: bool = False,
    ) -> BoundSession:
        """Return a session for the origin of `url`, and no other; its requests raise `EgressError` only.

        `links`: `LinkRule.OWN` unless said otherwise. `repeats_writes`: see `BoundSession`.

        Raises:
            EgressRefusedError: nothing will be sent there.
        """
        from server.egress.session import LinkRule

        limit = self._limit(max_answer_bytes)
        return self._bound(url, seconds, limit, links=links or LinkRule.OWN, repeats_writes=repeats_writes)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], deadline_seconds: float) -> Answer:
        """Post a body, and return the answer whatever its status.

        Raises:
            EgressError: there is none.
        """
        from server.egress.session import LinkRule

        limit = self._limit(MAX_KEPT_ANSWER_BYTES, cuts=True)
        with self._bound(url, deadline_seconds, limit, links=LinkRule.UNREAD) as session:
            # A message goes where its sender was told to send it, and nowhere else.
            response = session.post(url, data=body, headers=dict(headers), allow_redirects=False)
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, found, response.content)

    def _bound(self, url: str, seconds: float, limit: Limit, **options: Any) -> BoundSession:
        from server.egress.session import BoundSession, PinnedAdapter

        self.require(url)
        adapter = PinnedAdapter(self._exchange, parse_target(url).origin, limit)
        return BoundSession(adapter, self._monotonic, seconds, **options)

    def _limit(self, size_bytes: int, *, cuts: bool = False) -> Limit:
        from server.egress.exchange import Limit

        return Limit(size_bytes, cuts)

    def close(self) -> None:
        """Close what is kept open; a request after it opens it anew."""
        if "_exchange" in vars(self):
            self._exchange.close()
