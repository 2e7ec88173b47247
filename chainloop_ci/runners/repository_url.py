"""Addresses of repositories, as they may be recorded: without credentials."""

from __future__ import annotations

import re

from chainloop_ci.deferred import deferred_pattern

_WITH_SCHEME = deferred_pattern(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/?#]*)@)?(?P<rest>.*)\Z", re.DOTALL
)
_SSH_SCHEMES = frozenset({"ssh", "git+ssh", "ssh+git"})


def without_credentials(url: str) -> str:
    """Return `url` without passwords and tokens.

    Over http a user name alone is often the token, and so may be the query: both go. Over ssh the user name is part
    of the address (`git@`) and stays, its password goes. `git@host:path` and local paths are returned as they are.
    """
    match = _WITH_SCHEME.match(url)
    if match is None:
        return url
    scheme, user, rest = match["scheme"], match["user"], match["rest"]
    if scheme.lower() in _SSH_SCHEMES:
        name = (user or "").split(":", 1)[0]
        return f"{scheme}://{name}@{rest}" if name else f"{scheme}://{rest}"
    return f"{scheme}://{re.split('[?#]', rest, maxsplit=1)[0]}"
