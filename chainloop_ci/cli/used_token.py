"""The API token that a command uses, of those that an option, a variable and the configuration file hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainloop_ci.cli.options import find_option
from chainloop_ci.errors import NotAuthenticatedError

if TYPE_CHECKING:
    from chainloop_ci.config import Settings


def require_token(settings: Settings, *, typed: str | None) -> str:
    """Return the token; `typed` is what stood behind `--token`, None without that option.

    Raises:
        NotAuthenticatedError: there is none, or the option or the variable is empty (R35).
    """
    token_variable = find_option("token").env
    if typed is not None and not typed.strip():
        # A kept token in its place would let the job act as somebody else.
        raise NotAuthenticatedError(
            "the option --token is given but empty",
            hint="the variable or secret that it comes from does not exist, or may not be read by this job",
        )
    if token_variable in settings.empty_variables and (settings.token is None or settings.token.source != "flag"):
        raise NotAuthenticatedError(
            f"the variable {token_variable} is set but empty",
            hint=f"set {token_variable}: the secret that it comes from does not exist, is not handed to this step, or "
            "may not be read by this job",
        )
    if settings.token is None:
        raise NotAuthenticatedError(
            "there is no API token",
            hint=f"set {token_variable}, or keep one with `chainloop config save`; an operator makes one with "
            "`chainloop organization api-token create`",
        )
    return settings.token.value.reveal()
