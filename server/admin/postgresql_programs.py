"""PostgreSQL's own programs, which copy a database and bring a copy back: `pg_dump`, `pg_restore`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from chainloop_ci.errors import ConflictError
from server.errors import StoreUnusableError

MAX_SAID = 1000
"""Characters of what a program said that are repeated."""


def require_program(name: str, instead: str) -> str:
    """Return the path of a program of PostgreSQL's client.

    Raises:
        ConflictError: it is not there; `instead` says what else can be done.
    """
    found = shutil.which(name)
    if found is None:
        raise ConflictError(
            f"{name} is not installed here: expected a program of PostgreSQL's client in PATH, found none",
            hint=f"install it (Debian: apt-get install postgresql-client), or {instead}",
        )
    return found


def dump(url: str, snapshot: str, target: Path) -> None:
    """Write what a transaction sees that has exported `snapshot` to the new file `target` (0600).

    Raises:
        ConflictError: the program is not there.
        StoreUnusableError: it failed; says what it said.
    """
    program = require_program("pg_dump", "save the database by your own means, and CHAINLOOP_BLOBS after it")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _run(program, url, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={target}")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def load(url: str, source: Path) -> None:
    """Bring a copy into a database that has nothing of its tables, whole or not at all.

    Raises:
        ConflictError: the program is not there.
        StoreUnusableError: it failed; says what it said.
    """
    program = require_program("pg_restore", "run this command on a machine that has it")
    words = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run(program, url, *words, str(source))


def _run(program: str, url: str, *words: str) -> None:
    connection, secrets = _parameters(url)
    done = subprocess.run(
        [program, f"--dbname={connection}", *words],
        env={**os.environ, **secrets},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-MAX_SAID:]
        raise StoreUnusableError(f"{Path(program).name} ended with {done.returncode}: {said}")


def _parameters(url: str) -> tuple[str, dict[str, str]]:
    """Return the connection in libpq's words, and the variables of what no list of processes may show."""
    from psycopg.conninfo import make_conninfo

    parts = make_url(url)
    given: dict[str, Any] = {**parts.query, "dbname": parts.database}
    given |= {"host": parts.host} if parts.host else {}
    given |= {"port": parts.port} if parts.port else {}
    given |= {"user": parts.username} if parts.username else {}
    password = parts.password or given.pop("password", None)
    return make_conninfo("", **given), {"PGPASSWORD": str(password)} if password else {}
