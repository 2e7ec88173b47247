"""PyGithub over our own way out.

It takes no session. What it takes for all its clients of a process is the class of their connections, and what each
client hands to every connection, whoever makes it, is `retry`: so the class is ours, and `retry` brings the session. A
client that was made elsewhere has none, and sends nothing.
"""

from __future__ import annotations

from typing import Any

import github
from github.Auth import AppAuth, Auth
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester, RequestsResponse
from urllib3 import Retry

from server.egress.session import USER_AGENT, BoundSession
from server.egress.transport import DEFAULT_SECONDS, Transport
from server.errors import EgressRefusedError, EgressUnreachableError


def github_client(
    transport: Transport, api_url: str, auth: Auth | None, *, seconds: float = DEFAULT_SECONDS
) -> github.Github:
    """Return a client whose objects are lazy and that neither waits nor tries again: the dispatcher does.

    `auth`: also `AppInstallationAuth`; the requests for its tokens go the same way.

    Raises:
        EgressRefusedError: nothing will be sent there.
    """
    return github.Github(auth=auth, **_options(transport, api_url, seconds))


def github_app_client(
    transport: Transport, api_url: str, auth: AppAuth, *, seconds: float = DEFAULT_SECONDS
) -> github.GithubIntegration:
    """Return the client of a GitHub App itself.

    Raises:
        EgressRefusedError: nothing will be sent there.
    """
    return github.GithubIntegration(auth=auth, **_options(transport, api_url, seconds))


def _options(transport: Transport, api_url: str, seconds: float) -> dict[str, Any]:
    session = transport.session(api_url, seconds=seconds, repeats_writes=True)
    return {
        "base_url": api_url.rstrip("/"),
        "timeout": max(1, round(seconds)),
        "user_agent": USER_AGENT,
        "retry": _Carrier(session),
        "seconds_between_requests": 0,
        "seconds_between_writes": 0,
        "lazy": True,
    }


class _Carrier(Retry):
    """Brings a client's session to its connections. It never retries: no pool of urllib3 sees it."""

    def __init__(self, session: BoundSession) -> None:
        super().__init__(0)
        self.session = session


class _Connection:
    """A connection as PyGithub sees one."""

    protocol: str

    def __init__(self, host: str, port: int | None = None, *, retry: Any = None, **_: Any) -> None:
        if not isinstance(retry, _Carrier):
            raise EgressRefusedError("a client of GitHub that was not made by `github_client` sends nothing (R45)")
        self.host = host
        self._session = retry.session
        bracketed = f"[{host}]" if ":" in host else host
        self._base = f"{self.protocol}://{bracketed}" + (f":{port}" if port else "")
        self._asked: tuple[str, str, Any, dict[str, str]] = ("", "", None, {})

    def request(self, verb: str, url: str, input: Any, headers: dict[str, str], stream: bool = False) -> None:
        """Take what is to be sent."""
        self._asked = (verb, url, input, headers)

    def getresponse(self) -> RequestsResponse:
        """Send it.

        Raises:
            EgressError: no answer, or one that leads elsewhere.
        """
        verb, url, body, headers = self._asked
        response = self._session.request(verb, self._base + url, data=body, headers=headers)
        if response.status_code == 202 and verb in ("GET", "HEAD"):
            # PyGithub would sleep and ask again, for as long as the other side likes.
            raise EgressUnreachableError(f"{self._base} has no answer yet (202)", hint="it is asked again later")
        return RequestsResponse(response)

    def close(self) -> None:
        """Do nothing: connections are kept by the transport."""


class _PlainConnection(_Connection, HTTPRequestsConnectionClass):
    protocol = "http"


class _TlsConnection(_Connection, HTTPSRequestsConnectionClass):
    protocol = "https"


Requester.injectConnectionClasses(_PlainConnection, _TlsConnection)
