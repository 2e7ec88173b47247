"""Who asks, and what GitHub lets them do."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from examples.forge.github.refusals import bad_credentials, not_accessible, not_found, refusal
from examples.forge.github.world import App, Repository, Token

if TYPE_CHECKING:
    from examples.forge.github.forge import FakeGitHub

# Right of an operation → the scopes of a classic token that have it, besides `repo`.
CLASSIC_SCOPES = {
    "statuses:write": ("repo:status",),
    "statuses:read": ("repo:status",),
    "repository_hooks:write": ("admin:repo_hook", "write:repo_hook"),
    "repository_hooks:read": ("admin:repo_hook", "write:repo_hook", "read:repo_hook"),
}
# These take a second permission in the place of the first.
ALTERNATIVES = {"issues": "pull_requests"}
LONGEST_JWT_SECONDS = 600


def secret_of(header: str) -> str:
    """Return what an `Authorization` header carries behind `token` or `Bearer`; of Basic, the password."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "basic":
        return base64.b64decode(value).decode(errors="replace").rpartition(":")[2]
    return value.strip()


def read_app(apps: dict[int, App], jwt: str, now: datetime) -> App:
    """Return the App that signed a JSON web token.

    Raises:
        ApiError: It is none, its signature is another's, or its times are not what GitHub accepts.
    """
    try:
        head, claims = (json.loads(_decoded(part)) for part in jwt.split(".")[:2])
        app = apps[int(claims["iss"])]
        key = load_pem_public_key(app.public_key)
        assert isinstance(key, RSAPublicKey)
        signed, _, signature = jwt.rpartition(".")
        key.verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
    except (ValueError, KeyError, TypeError, InvalidSignature):
        raise refusal(401, "A JSON web token could not be decoded") from None
    if head.get("alg") != "RS256":
        raise refusal(401, "A JSON web token could not be decoded")
    _require_times(claims, now)
    return app


def _require_times(claims: dict[str, Any], now: datetime) -> None:
    at = now.timestamp()
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= at:
        raise refusal(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the"
            " assertion expires",
        )
    if claims["exp"] > at + LONGEST_JWT_SECONDS:
        raise refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    if claims.get("iat", 0) > at + 60:
        raise refusal(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def require_usable(token: Token, now: datetime) -> None:
    """Refuse a token whose time has passed, or whose installation is suspended."""
    if token.expires_at is not None and token.expires_at <= now:
        raise bad_credentials()
    if token.installation is not None and token.installation.suspended_at is not None:
        raise refusal(403, "This installation has been suspended")


def sees(token: Token | None, repository: Repository) -> bool:
    """Tell whether a repository exists for this caller: public ones do for everybody."""
    if not repository.is_private:
        return True
    if token is None or not has(token, repository):
        return False
    return token.kind != "classic" or "repo" in token.scopes


def has(token: Token, repository: Repository) -> bool:
    """Tell whether a token was given a repository."""
    if token.installation is not None and token.installation.account != repository.owner:
        return False
    return token.repositories is None or repository.id in token.repositories


def require_right(token: Token | None, repository: Repository, right: str) -> None:
    """Refuse what a token may not do in a repository, with GitHub's status and words for its kind.

    Raises:
        ApiError: 401 without a token, 403 for Apps and fine-grained tokens, 404 for classic ones.
    """
    name, _, access = right.partition(":")
    if access == "read" and not repository.is_private and name not in ("repository_hooks", "administration"):
        return
    if token is None:
        raise refusal(401, "Requires authentication")
    if name == "checks" and access == "write" and token.kind not in ("installation", "user"):
        raise refusal(403, "You must authenticate via a GitHub App.")
    if token.kind == "classic":
        if not _classic_has(token, repository, right):
            raise not_found()
    elif not has(token, repository) or not _permits(token, name, access):
        raise not_accessible(token.kind)


def _classic_has(token: Token, repository: Repository, right: str) -> bool:
    if right.endswith(":write") and not token.can_push:
        return False
    wanted = {"repo", *CLASSIC_SCOPES.get(right, ())}
    if not repository.is_private:
        wanted.add("public_repo")
    return bool(wanted & set(token.scopes))


def _permits(token: Token, name: str, access: str) -> bool:
    given = {token.permissions.get(name), token.permissions.get(ALTERNATIVES.get(name, ""))}
    if access == "read":
        return bool(given - {None}) or name == "metadata"
    return bool(given & {"write", "admin"})


def find_token(forge: FakeGitHub, secret: str) -> Token:
    """Return the token with this secret.

    Raises:
        ApiError: There is none, or its time has passed.
    """
    token = forge.tokens.get(secret)
    if token is None:
        raise bad_credentials()
    require_usable(token, forge.clock())
    return token
