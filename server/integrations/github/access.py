"""Clients of GitHub for a registration: with a token, or as an App's installation."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from server.egress.github_addresses import api_address
from server.errors import EgressError
from server.integrations.answers import RefusedError, no_answer, refuse
from server.integrations.github.outcomes import outcome_of, unreadable, words
from server.integrations.github.words import APP_KEY, TOKEN
from server.integrations.types import Target, Tools
from server.model.deliveries import Outcome, OutcomeKind

if TYPE_CHECKING:
    from github import Github, GithubException, GithubIntegration

T = TypeVar("T")

PAGE = 100
"""Items of a page: the most that GitHub gives."""
MARGIN = timedelta(minutes=5)
"""An installation's token is not used in the last minutes of its hour."""
TOKEN_NEEDS = "access by the installation"  # noqa: S105  # words for people


@dataclass(frozen=True, slots=True)
class _Kept:
    secret: str
    ends_at: datetime


class InstallationTokens:
    """Tokens of installations, in memory only, so that not every status costs one. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], _Kept] = {}

    def get(self, target: Target, tools: Tools) -> str:
        """Return a token, a new one when the last one ends soon.

        Raises:
            RefusedError: GitHub gives none.
        """
        key, now = _key(target), tools.now()
        with self._lock:
            known = self._kept.get(key)
        if known is not None and now < known.ends_at - MARGIN:
            return known.secret
        made = _make_token(target, tools)
        with self._lock:
            self._kept = {of: kept for of, kept in self._kept.items() if now < kept.ends_at}
            self._kept[key] = made
        return made.secret

    def drop(self, target: Target) -> bool:
        """Forget a token that is not taken any more; tell whether there was one."""
        with self._lock:
            return self._kept.pop(_key(target), None) is not None


_tokens = InstallationTokens()


def is_app(target: Target) -> bool:
    """Tell whether a registration speaks as an App's installation."""
    return APP_KEY in target.credentials


def ask(target: Target, tools: Tools, need: str, attempt: int, work: Callable[[Github], Outcome]) -> Outcome:
    """Do something with a client and return its outcome, or what its failure means.

    `need`: the permission that is asked for, as GitHub's settings name it.
    """
    from github import BadAttributeException, GithubException

    try:
        return with_client(target, tools, work)
    except BadAttributeException:
        return unreadable("what GitHub's API describes").outcome
    except GithubException as error:
        return outcome_of(error, need, attempt, tools.now())
    except EgressError as error:
        return no_answer(error)
    except RefusedError as error:
        return error.outcome


def with_client(target: Target, tools: Tools, work: Callable[[Github], T]) -> T:
    """Do something with a client.

    Raises:
        GithubException, EgressError: as `work` does.
        RefusedError: there is no client.
    """
    from github import GithubException

    try:
        return work(_client(target, tools))
    except GithubException as error:
        # The installation may have been suspended and taken up again: its old tokens stay worthless.
        if error.status == 401 and is_app(target) and _tokens.drop(target):
            return work(_client(target, tools))
        raise


def open_app(target: Target, tools: Tools) -> GithubIntegration:
    """Return the client of the App itself.

    Raises:
        RefusedError: its key is none.
    """
    from github import Auth

    from server.egress.github import github_app_client

    app_id = target.settings.get("appId")
    if not app_id:
        raise refuse("app-unknown", "an App's key needs the settings appId and installationId")
    auth = Auth.AppAuth(int(app_id), target.credentials[APP_KEY])
    return github_app_client(tools.transport, api_address(target.host), auth)


def _client(target: Target, tools: Tools) -> Github:
    from github import Auth

    from server.egress.github import github_client

    secret = _tokens.get(target, tools) if is_app(target) else target.credentials.get(TOKEN, "")
    client = github_client(tools.transport, api_address(target.host), Auth.Token(secret))
    client.per_page = PAGE
    return client


def _make_token(target: Target, tools: Tools) -> _Kept:
    from github import GithubException
    from jwt import PyJWTError

    try:
        made = open_app(target, tools).get_access_token(int(target.settings["installationId"]))
    except (PyJWTError, ValueError, TypeError):
        detail = "the App's private key cannot be read: expected the PEM file that GitHub made"
        raise RefusedError(Outcome(OutcomeKind.UNAUTHORIZED, "app-key-unreadable", detail)) from None
    except GithubException as error:
        raise RefusedError(_no_token(error, tools)) from error
    return _Kept(made.token, made.expires_at)


def _no_token(error: GithubException, tools: Tools) -> Outcome:
    outcome = outcome_of(error, TOKEN_NEEDS, 1, tools.now())
    if outcome.kind is not OutcomeKind.REFUSED:
        return outcome
    # Suspended, uninstalled, or another App's: nothing of this registration will go through.
    detail = f"the App's installation gives no token: {words(error)}"
    return Outcome(OutcomeKind.UNAUTHORIZED, f"installation-{error.status}", detail)


def _key(target: Target) -> tuple[str, ...]:
    key = hashlib.sha256(target.credentials[APP_KEY].encode()).hexdigest()
    numbers = (str(target.settings.get(name, "")) for name in ("appId", "installationId"))
    return (target.registration_id, target.host, *numbers, key)
