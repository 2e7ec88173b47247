"""python-gitlab over our own way out."""

from __future__ import annotations

from typing import Any

import gitlab
import requests

from server.egress.session import USER_AGENT, LinkRule
from server.egress.transport import DEFAULT_SECONDS, Transport


class _Client(gitlab.Gitlab):
    """A client that never waits: by itself it sleeps for as long as an answer of 429 says, ten times."""

    def http_request(self, *arguments: Any, **options: Any) -> requests.Response:
        options |= {"obey_rate_limit": False, "retry_transient_errors": False, "max_retries": 0}
        return super().http_request(*arguments, **options)


def gitlab_client(
    transport: Transport,
    url: str,
    *,
    private_token: str | None = None,
    oauth_token: str | None = None,
    seconds: float = DEFAULT_SECONDS,
) -> gitlab.Gitlab:
    """Return a client for a GitLab at `url`, with a token of one kind.

    `Link` headers are read as paths of `url`, whatever host they name; what else leads elsewhere is refused.

    Raises:
        EgressRefusedError: nothing will be sent there.
    """
    return _Client(
        url,
        private_token=private_token,
        oauth_token=oauth_token,
        session=transport.session(url, seconds=seconds, links=LinkRule.PATHS),
        user_agent=USER_AGENT,
        retry_transient_errors=False,
        keep_base_url=True,
    )
