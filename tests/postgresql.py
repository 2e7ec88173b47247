"""A PostgreSQL server of the tests' own, and a fresh database for each test that asks for one.

The server belongs to one process of pytest and ends with it. Its databases are copies of a template that has the
tables already, which takes a tenth of what making them takes; one that a test gave back is emptied and used again,
which takes a tenth of that.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Pool, event

from tests.waiting import wait_for

USER = "chainloop"
START_SECONDS = 60
TEMPLATE = "chainloop_template"
"""The database that has the tables."""

# What is written by tests outlives no power loss.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
}
_MAX_USES = 100
"""So often a database is used again: what was deleted stays in its files."""
_SHAPE = """\
SELECT md5(string_agg(concat_ws(' ', c.relname, a.attname, a.atttypid, a.attnotnull), ',' ORDER BY c.relname, a.attnum))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i', 'S')
"""
"""What tells a database whose tables, indexes and sequences a test has changed."""
_VERSION = "SELECT version_num FROM alembic_version"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when the thread that started it ends."""


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: Debian does not put the server into PATH."""
    found = shutil.which("postgres")
    if found:
        return Path(found).parent
    # Debian keeps several versions apart.
    folders = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: int(path.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "postgres").is_file()), None)


@dataclass
class PostgresqlServer:
    """A server that listens on a socket in a folder of its own."""

    folder: Path
    programs: Path
    process: subprocess.Popen[bytes] | None = None
    _made: list[str] = field(default_factory=list)
    _spare: str | None = None
    """A database that was emptied."""
    _uses: int = 0
    _shape: list[Any] = field(default_factory=list)
    """Of the template; with its version it tells what a test has changed."""
    _version: list[Any] = field(default_factory=list)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {**_SETTINGS, "listen_addresses": "", "unix_socket_directories": str(self.folder)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *words],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
                **_account(),
            )
        self._wait()

    def stop(self, signal_number: int = signal.SIGINT) -> None:
        """End it: by default whoever is connected is thrown out, and what was committed stays."""
        if self.process is not None:
            self.process.send_signal(signal_number)
            self.process.wait(START_SECONDS)
            self.process = None

    def url(self, database: str) -> str:
        """Return the address of a database, as `CHAINLOOP_DATABASE_URL` takes it."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def create(self, template: str = "template0", *, options: str = "") -> str:
        """Make a database and return its name."""
        name = f"test_{len(self._made)}"
        self._made.append(name)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return name

    def take(self) -> str:
        """Return a database that has the tables and nothing in them."""
        if self._spare is not None:
            name, self._spare = self._spare, None
            return name
        self._uses = 0
        return self.create(TEMPLATE)

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it when it has another shape or was used often."""
        self._uses += 1
        if self._spare is None and self._uses < _MAX_USES and self._empty(name):
            self._spare = name
        else:
            self.drop(name)

    def _empty(self, name: str) -> bool:
        """Delete every row of a database; tell whether it is like the template then."""
        if not self._shape:
            self._shape, self._version = self.execute(_SHAPE, TEMPLATE), self.execute(_VERSION, TEMPLATE)
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        with self._connect(name) as connection:
            if connection.execute(_SHAPE).fetchall() != self._shape:
                return False
            if connection.execute(_VERSION).fetchall() != self._version:
                return False
            tables = connection.execute(_TABLES).fetchall()
            sequences = connection.execute(_SEQUENCES).fetchall()
            # Foreign keys are not looked at meanwhile.
            words = ["SET session_replication_role = replica", *(f"DELETE FROM {table}" for (table,) in tables)]
            words += [f"SELECT setval('{sequence}', 1, false)" for (sequence,) in sequences]
            connection.execute("; ".join(words).encode())
        return True

    def drop(self, name: str) -> None:
        """Remove a database, and throw out whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run one statement of the test's own and return its rows."""
        with self._connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user=USER, dbname=database, autocommit=True)

    def _wait(self) -> None:
        wait_for(self._answers, "PostgreSQL answers", seconds=START_SECONDS)

    def _answers(self) -> bool:
        """Tell whether it takes a statement; a server that starts has nothing to wait on."""
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            if self.process is None or self.process.poll() is not None:
                raise
            return False
        return True


@contextmanager
def run_server(programs: Path) -> Iterator[PostgresqlServer]:
    """Run a server of an empty cluster; everything of it is gone afterwards."""
    # Not in pytest's folder: the path of a socket may have 107 bytes, and the server's user has to get there.
    folder = Path(tempfile.mkdtemp(prefix="clp-pg-", dir="/tmp"))  # mkdtemp's own, 0700
    account = _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    server = PostgresqlServer(folder, programs)
    try:
        _run([programs / "initdb", "-D", folder / "data", "-U", USER, "-N", "-A", "trust", "-E", "UTF8", "--locale=C"])
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def closing_connections() -> Iterator[None]:
    """Close at the end what SQLAlchemy has connected meanwhile; the driver complains of what nobody closed."""
    made: list[Any] = []

    def note(connection: Any, _record: Any) -> None:
        made.append(connection)

    event.listen(Pool, "connect", note)
    try:
        yield
    finally:
        event.remove(Pool, "connect", note)
        for connection in made:
            connection.close()


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, cwd="/", **_account())
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")


def _account() -> dict[str, Any]:
    """Return whose process it is to be: the server refuses to be root's."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGQUIT)
