"""How GitHub says no. Sources: REST documentation («Troubleshooting») and answers quoted in public issues."""

from __future__ import annotations

from examples.forge.exchange import ApiError

DOCS = "https://docs.github.com/rest"


def refusal(status: int, message: str, **more: object) -> ApiError:
    """Return an error as GitHub words all of them."""
    return ApiError(status, {"message": message, **more, "documentation_url": DOCS, "status": str(status)})


def not_found() -> ApiError:
    """Return the answer for what does not exist, and for what the caller may not know of."""
    return refusal(404, "Not Found")


def bad_credentials() -> ApiError:
    """Return the answer for an unknown, expired or revoked token."""
    return refusal(401, "Bad credentials")


def invalid(resource: str, message: str, field: str | None = None) -> ApiError:
    """Return a validation error in GitHub's words: code `custom` with a message of its own."""
    error = {"resource": resource, "code": "custom", **({"field": field} if field else {}), "message": message}
    return refusal(422, "Validation Failed", errors=[error])


def invalid_request(message: str) -> ApiError:
    """Return the error of a body that is not what the operation's schema asks for."""
    return refusal(422, f"Invalid request.\n\n{message}")


def not_accessible(kind: str) -> ApiError:
    """Return the error of a token that lacks a permission: an App's words, or a fine-grained token's."""
    owner = "integration" if kind in ("installation", "app") else "personal access token"
    return refusal(403, f"Resource not accessible by {owner}")
