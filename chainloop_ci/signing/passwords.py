"""Where the password of a signing key comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from chainloop_ci.errors import FileUnreadableError, LimitExceededError
from chainloop_ci.small_files import read_small_file

PASSWORD_VARIABLE = "CHAINLOOP_SIGNING_PASSWORD"  # noqa: S105 - a name, not a password
"""Environment variable that holds the password."""
PASSWORD_FILE_VARIABLE = "CHAINLOOP_SIGNING_PASSWORD_FILE"  # noqa: S105
"""Environment variable that names a file with it; whoever calls reads it."""

MAX_PASSWORD_BYTES = 4096
"""Longest password that is read from a file."""

ReadPassword = Callable[[], str | None]
"""Asked only when the key is encrypted; None when there is no password to be had."""


def password_reader(
    env: Mapping[str, str], *, file: Path | None = None, prompt: Callable[[], str] | None = None
) -> ReadPassword:
    """Return what asks for the password: the file, else the environment, else the person at the terminal.

    An empty variable is an empty password (cosign makes keys with one), not an absent password.
    """

    def read() -> str | None:
        if file is not None:
            return _read_file(file)
        if PASSWORD_VARIABLE in env:
            return env[PASSWORD_VARIABLE]
        return prompt() if prompt is not None else None

    return read


def _read_file(path: Path) -> str:
    raw = read_small_file(path, "the password file", MAX_PASSWORD_BYTES).raw
    if len(raw) > MAX_PASSWORD_BYTES:
        raise LimitExceededError(f"expected a password of at most {MAX_PASSWORD_BYTES} bytes in {str(path)!r}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileUnreadableError(f"the password file {str(path)!r} is not UTF-8 text") from error
    # Editors end a file with a line end; a password never has one.
    return text.removesuffix("\n").removesuffix("\r")
