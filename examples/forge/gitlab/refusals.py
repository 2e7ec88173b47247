"""How GitLab says no. Sources: REST documentation («Status codes») and `lib/api/helpers.rb` of gitlab-org/gitlab."""

from __future__ import annotations

from typing import Any

from examples.forge.exchange import ApiError


def refusal(status: int, message: Any) -> ApiError:
    """Return an error in the form of most: `message`, a text or a map of field to texts."""
    return ApiError(status, {"message": message})


def not_found(what: str) -> ApiError:
    """Return the answer for what does not exist, and for what the caller may not know of."""
    return refusal(404, f"404 {what} Not Found")


def forbidden() -> ApiError:
    """Return the answer for what a member's role does not allow."""
    return refusal(403, "403 Forbidden")


def unauthorized() -> ApiError:
    """Return the answer without a token, or with one that was never made."""
    return refusal(401, "401 Unauthorized")


def bad_token(description: str) -> ApiError:
    """Return the answer for a token that was good once."""
    return ApiError(401, {"error": "invalid_token", "error_description": description})


def insufficient_scope(scopes: str) -> ApiError:
    """Return the answer for a token without the scope."""
    text = "The request requires higher privileges than provided by the access token."
    return ApiError(403, {"error": "insufficient_scope", "error_description": text, "scope": scopes})


def invalid_parameter(message: str) -> ApiError:
    """Return the error of a parameter that is missing or not one of its words."""
    return ApiError(400, {"error": message})
