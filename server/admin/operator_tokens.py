"""Instance tokens: made on the server's machine only, by whoever may read the data folder (R6)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from chainloop_ci.api.access import Role
from chainloop_ci.errors import ConflictError, NotFoundError
from server.auth.token_text import RANDOM_BYTES, render_token, token_sha256
from server.model.audit import SERVER_ACTOR, AuditAction, AuditRecord
from server.model.tokens import StoredToken
from server.store import audit, tokens
from server.store.database import Database
from server.wiring import World

FIRST_NAME = "first-administrator"
"""Of the token that a fresh data folder gets."""
MAX_SHOWN = 1000


def ensure_first_token(database: Database, world: World, path: Path) -> str | None:
    """Make the first instance token if there is none, write it to `path` (0600), and return it.

    The file is written before the transaction commits: a crash in between leaves a file without meaning, which the
    next start replaces, and never a token that nobody has.
    """
    with database.read() as connection:
        if tokens.list_page(connection, None, project_id=None, after=None, limit=1):
            return None
    with database.write() as connection:
        if tokens.list_page(connection, None, project_id=None, after=None, limit=1):
            return None
        secret = render_token(world.random_bytes(RANDOM_BYTES))
        tokens.add(connection, _token(world, FIRST_NAME, secret))
        _write_private(path, secret)
    return secret


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
