"""The version of the database's schema, and how it comes to be the newest."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, event, inspect, text

from server.errors import SchemaMismatchError
from server.store.database import begin_writing, kind_of, translated

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"


@cache
def known_versions() -> frozenset[str]:
    """Return every version that this server knows: each migration's file begins with its own.

    Read from the names of the files: the migration library is large, and a server that has nothing to migrate would
    carry it in every process.
    """
    return frozenset(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("*_*.py"))


def head_version() -> str:
    """Return the version that this server needs; versions are numbered."""
    versions = known_versions()
    if not versions:
        raise SchemaMismatchError(f"there is no migration in {_MIGRATIONS.name}", hint="install the server again")
    return max(versions)


def current_version(engine: Engine) -> str | None:
    """Return the version that the database has; None: it is empty."""
    with engine.connect() as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str | None:
    """Return the version of what a transaction sees; None: it is empty."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608  # a constant


def upgrade(engine: Engine, version: str = "head") -> None:
    """Bring the database to a version, by default the newest, in one transaction per migration.

    The first tables are made in one transaction for all: a server that starts beside the one that makes them, or
    after it was killed, finds an empty database or a whole one.

    Raises:
        SchemaMismatchError: a newer server has been at work on it.
        StoreBusyError: another process is at it and did not end in time.
    """
    from alembic import command

    require_known(engine)
    config = _config()
    # Whoever waited finds nothing left to do.
    with translated(), kind_of(engine).alone(engine), engine.connect() as connection:
        event.listen(connection, "begin", begin_writing)
        config.attributes["connection"] = connection
        with connection.begin():
            config.attributes["is_empty"] = version_of(connection) is None
        command.upgrade(config, version)


def require_suitable(engine: Engine) -> None:
    """Refuse a database that would keep texts in another way than this server compares them.

    Raises:
        ConfigInvalidError: with what was found, and how to make a database that fits.
    """
    with engine.connect() as connection:
        kind_of(engine).require_suitable(connection)


def require_current(engine: Engine) -> None:
    """Refuse a database of another version.

    Raises:
        SchemaMismatchError: with the command that helps.
    """
    found, expected = current_version(engine), head_version()
    require_known_version(found)
    if found != expected:
        raise SchemaMismatchError(
            f"the database has schema {found or 'none'}, this server needs {expected}",
            hint="stop the server, then run `python -m server migrate`: it saves a copy of the database first",
        )


def require_known(engine: Engine) -> None:
    """Refuse a database that a newer server has been at work on.

    Raises:
        SchemaMismatchError: with the version that it has.
    """
    require_known_version(current_version(engine))


def require_known_version(found: str | None) -> None:
    """Refuse a version that only a newer server knows; None is a database without tables.

    Raises:
        SchemaMismatchError: with what helps.
    """
    if found is not None and found not in known_versions():
        raise SchemaMismatchError(
            f"the database has schema {found}, which this server does not know: a newer one made it",
            hint="run the newer server, or restore the backup that was made before its migration",
        )


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
