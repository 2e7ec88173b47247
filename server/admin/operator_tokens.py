"""Instance tokens: made on the server's machine only, by whoever may read the data folder (R6)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import structlog

from chainloop_ci.api.access import Role
from chainloop_ci.errors import ConflictError, NotFoundError
from server.auth.token_text import RANDOM_BYTES, is_token, render_token, token_sha256
from server.model.audit import SERVER_ACTOR, AuditAction, AuditRecord
from server.model.tokens import StoredToken
from server.store import audit, tokens
from server.store.database import Database
from server.wiring import World

_log = structlog.get_logger("server.master")

FIRST_NAME = "first-administrator"
"""Of the token that a fresh data folder gets."""
UNKNOWN = ".unknown"
"""What is appended to the name of a file whose token the database does not know."""
MAX_SHOWN = 1000

_MAX_FILE_BYTES = 1000


def ensure_first_token(database: Database, world: World, path: Path) -> str | None:
    """Make the first instance token if there is none, write it to `path` (0600), and return it.

    The file is written before the transaction commits: a crash in between leaves a file without meaning, and never a
    token that nobody has. Another server of the database may make the first token before the next start: so a file
    with a token that the database does not know is set aside, and no dead token is announced.
    """
    if not _has_token(database) and (secret := _make_first(database, world, path)):
        return secret
    aside = _aside(path)
    if _holds_known(database, path) is False:
        _set_aside(path)
    elif not path.exists() and _holds_known(database, aside):
        # The address of the database was a wrong one for a time.
        aside.replace(path)
    return None


def create(database: Database, world: World, name: str) -> str:
    """Make an instance token and return its secret.

    Raises:
        ConflictError: the name is taken.
    """
    secret = render_token(world.random_bytes(RANDOM_BYTES))
    token = _token(world, name, secret)
    with database.write() as connection:
        if tokens.find_by_name(connection, None, name):
            raise ConflictError(f"there is already an instance token {name}", hint="choose another `--name`")
        tokens.add(connection, token)
        record = AuditRecord(None, world.now(), SERVER_ACTOR, AuditAction.TOKEN_CREATED, token.id, {"name": name})
        audit.add(connection, record)
    return secret


def revoke(database: Database, world: World, name: str) -> None:
    """End an instance token at once.

    Raises:
        NotFoundError: there is none of that name.
    """
    now = world.now()
    with database.write() as connection:
        token = tokens.find_by_name(connection, None, name)
        if token is None:
            raise NotFoundError(f"there is no instance token {name}", hint="`python -m server token list` names them")
        tokens.save(connection, token.revoked(now))
        audit.add(connection, AuditRecord(None, now, SERVER_ACTOR, AuditAction.TOKEN_REVOKED, token.id, {"name": name}))


def list_all(database: Database) -> list[StoredToken]:
    """Return the instance tokens, newest first."""
    with database.read() as connection:
        return tokens.list_page(connection, None, project_id=None, after=None, limit=MAX_SHOWN)


def _has_token(database: Database) -> bool:
    with database.read() as connection:
        return bool(tokens.list_page(connection, None, project_id=None, after=None, limit=1))


def _make_first(database: Database, world: World, path: Path) -> str | None:
    with database.write() as connection:
        if tokens.list_page(connection, None, project_id=None, after=None, limit=1):
            return None
        secret = render_token(world.random_bytes(RANDOM_BYTES))
        tokens.add(connection, _token(world, FIRST_NAME, secret))
        if _read_token(path):
            _set_aside(path)
        _write_private(path, secret)
    return secret


def _aside(path: Path) -> Path:
    return path.with_name(path.name + UNKNOWN)


def _set_aside(path: Path) -> None:
    """Rename the file: with a wrong address of the database in the settings, its token works at the right one."""
    path.replace(_aside(path))
    _log.warning("token-file-set-aside", path=str(_aside(path)))


def _holds_known(database: Database, path: Path) -> bool | None:
    """Tell whether the database knows a file's token, if only as the one before a rotation; None: it holds none."""
    found = _read_token(path)
    if found is None:
        return None
    with database.read() as connection:
        return tokens.find_by_secret(connection, token_sha256(found)) is not None


def _read_token(path: Path) -> str | None:
    """Return the token that a file holds; None: there is no such file, or it holds something else."""
    # A pipe would keep us waiting.
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if is_token(text) else None


def _token(world: World, name: str, secret: str) -> StoredToken:
    return StoredToken(
        id=world.new_id(),
        name=name,
        role=Role.INSTANCE,
        secret_sha256=token_sha256(secret),
        created_at=world.now(),
        created_by=SERVER_ACTOR,
    )


def _write_private(path: Path, secret: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    # mkstemp makes it 0600 from the start; renaming keeps that, whatever stood at `path` before.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
