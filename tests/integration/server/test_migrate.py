"""`migrate`: the database as it was is saved first, and a kill at any moment leaves one schema or the other."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import event

from server.admin.command import main
from server.admin.folder_lock import hold_folder
from server.store import schema
from server.store.database import open_engine, sqlite_url

OLD = "0001"
KILLS = 10
RUNS = 2000


def connect(path):
    return closing(sqlite3.connect(path))


def tables(path):
    """Return the whole schema of a database; a table that was copied may have its constraints in another order."""
    with connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    return sorted(sorted(line.strip(" \t,") for line in text.splitlines()) for text in found)


def version(path):
    with connect(path) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def revisions(path):
    with connect(path) as connection:
        return connection.execute("SELECT count(*), count(DISTINCT digest) FROM contract_revisions").fetchone()


@pytest.fixture
def old(tmp_path):
    """Return a data folder of the oldest schema, with rows that the migrations have to take along."""
    data = tmp_path / "data"
    data.mkdir()
    engine = open_engine(sqlite_url(data / "chainloop.db"))
    schema.upgrade(engine, OLD)
    engine.dispose()
    with connect(data / "chainloop.db") as connection:
        connection.execute("INSERT INTO organizations VALUES ('o', 'acme', '2026', 0, 60, 0, 2000, 'filesystem')")
        connection.execute("INSERT INTO contracts VALUES ('c', 'o', 'build', '', 1, '2026', '2026')")
        for number in range(RUNS):
            digest = f"sha256:{number:064x}"
            connection.execute(
                "INSERT INTO contract_revisions VALUES ('c', 'o', ?, ?, 'yaml', ?, '2026', 't')",
                (number, b"x" * 500, digest),
            )
            connection.execute("INSERT INTO artifacts VALUES ('o', ?, 1, 'f', 'filesystem', '2026', 't')", (digest,))
        connection.commit()
    return data


def migrate(data, *before):
    command = [*before, sys.executable, "-m", "server", "migrate", "--data", str(data)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def test_the_database_as_it_was_is_saved_beside_it_and_named(old):
    before = tables(old / "chainloop.db")

    done = migrate(old)

    [saved] = re.findall(r"^the database as it was before: (.+)$", done.stdout, re.MULTILINE)
    assert re.fullmatch(rf"chainloop-{OLD}-\d{{8}}T\d{{6}}Z\.db", os.path.basename(saved))
    assert (version(saved), tables(saved), revisions(saved)) == (OLD, before, (RUNS, RUNS))
    assert oct(os.stat(saved).st_mode & 0o777) == "0o600"
    assert (version(old / "chainloop.db"), revisions(old / "chainloop.db")) == (schema.head_version(), (RUNS, RUNS))


def test_with_nothing_to_do_nothing_is_saved(old):
    migrate(old)
    before = sorted(os.listdir(old))

    done = migrate(old)

    assert done.stdout == f"schema {schema.head_version()}: nothing to do\n"
    assert sorted(os.listdir(old)) == before


def test_a_migrate_that_comes_second_has_nothing_to_do_and_saves_nothing(old, monkeypatch, capsys):
    def after_another(config, use):
        migrate(old)
        return hold_folder(config, use)

    monkeypatch.setattr("server.admin.migrate.hold_folder", after_another)

    status = main(["migrate", "--data", str(old)], {})

    assert (status, capsys.readouterr().out) == (0, f"schema {schema.head_version()}: nothing to do\n")
    assert len(list(old.glob(f"chainloop-{OLD}-*.db"))) == 1


@pytest.mark.parametrize("command", [["serve"], ["dispatch"], ["gc"], ["token", "list"]])
@pytest.mark.parametrize(("found", "helps"), [(OLD, "python -m server migrate"), ("9999", "run the newer server")])
def test_other_commands_refuse_another_schema_with_what_to_type(old, command, found, helps, capsys):
    with connect(old / "chainloop.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (found,))
        connection.commit()

    status = main([*command, "--data", str(old)], {"PORT": "8099"})

    assert status == 1
    assert helps in capsys.readouterr().err
    assert version(old / "chainloop.db") == found


def test_a_newer_schema_is_neither_migrated_nor_saved(old, capsys):
    with connect(old / "chainloop.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = sorted(os.listdir(old))

    assert main(["migrate", "--data", str(old)], {}) == 1

    assert "a newer one made it" in capsys.readouterr().err
    assert sorted(os.listdir(old)) == before


def fail_at(engine, number):
    """Fail after the statement of that number that changes something; return what counts them."""
    done = []

    def count(_connection, _cursor, statement, *_):
        if not statement.startswith(("SELECT", "PRAGMA", "BEGIN")):
            done.append(statement)
            if len(done) == number:
                raise RuntimeError(statement)

    event.listen(engine, "after_cursor_execute", count)
    return done


def shapes_of(path, copy):
    """Return the schema of each version on the way from the oldest."""
    shutil.copy(path, copy)
    engine = open_engine(sqlite_url(copy))
    shapes = {OLD: tables(copy)}
    for step in sorted(schema.known_versions() - {OLD}):
        schema.upgrade(engine, step)
        shapes[step] = tables(copy)
    engine.dispose()
    return shapes


def test_a_migration_that_fails_after_any_of_its_statements_has_changed_nothing(old, tmp_path):
    path, kept, whole = old / "chainloop.db", tmp_path / "kept.db", tmp_path / "whole.db"
    engine = open_engine(sqlite_url(whole))
    shapes, ends = {OLD: tables(path)}, {}
    shutil.copy(path, kept)
    shutil.copy(path, whole)
    statements = fail_at(engine, 0)
    for step in sorted(schema.known_versions() - {OLD}):
        schema.upgrade(engine, step)
        shapes[step], ends[len(statements)] = tables(whole), step
    engine.dispose()

    for number in range(1, len(statements) + 1):
        shutil.copy(kept, path)
        broken = open_engine(sqlite_url(path))
        fail_at(broken, number)
        with pytest.raises(RuntimeError):
            schema.upgrade(broken)
        broken.dispose()
        # Each migration is a transaction of its own: those before the one that failed are done.
        done = max((step for end, step in ends.items() if end < number), default=OLD)
        assert (version(path), tables(path), revisions(path)) == (done, shapes[done], (RUNS, RUNS)), number

    assert len(statements) > KILLS


@pytest.mark.real("strace")
def test_a_migration_killed_at_ten_writes_leaves_one_schema_or_the_other_and_goes_on(old, tmp_path):
    """Each kill comes with a write to a database file, spread over all writes of a whole migration."""
    kept, trace = tmp_path / "kept", tmp_path / "trace"
    shutil.copytree(old, kept)
    shapes = shapes_of(old / "chainloop.db", tmp_path / "whole.db")
    migrate(old, "strace", "-f", "-qq", "-e", "trace=pwrite64", "-o", str(trace))
    after = tables(old / "chainloop.db")
    writes = trace.read_text().count("pwrite64(")
    found = set()

    for kill in range(KILLS):
        when = 1 + kill * (writes - 1) // (KILLS - 1)
        shutil.rmtree(old)
        shutil.copytree(kept, old)
        inject = f"inject=pwrite64:signal=SIGKILL:when={when}"
        killed = migrate(old, "strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=pwrite64", "-e", inject)
        assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), (when, killed)

        left = tables(old / "chainloop.db")
        assert left == shapes[version(old / "chainloop.db")], when
        assert revisions(old / "chainloop.db") == (RUNS, RUNS)
        found.add(version(old / "chainloop.db"))

        again = migrate(old)
        assert again.returncode == 0, again.stderr
        assert (version(old / "chainloop.db"), tables(old / "chainloop.db")) == (schema.head_version(), after)
        assert main(["doctor", "--data", str(old)], {}) in (0, 1)
    assert OLD in found


@pytest.mark.parametrize("is_there", [True, False])
def test_a_mistyped_folder_is_refused_and_left_as_it_is(tmp_path, is_there, capsys):
    mistyped = tmp_path / "chainlop"
    if is_there:
        mistyped.mkdir()

    assert main(["migrate", "--data", str(mistyped)], {}) == 2

    assert f"there is no database in {mistyped}" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == ([mistyped] if is_there else [])


def test_a_database_that_was_never_filled_is_brought_to_the_newest_schema(tmp_path, capsys):
    """What `serve` leaves that was killed at its first start."""
    (tmp_path / "chainloop.db").touch()

    assert main(["migrate", "--data", str(tmp_path)], {}) == 0

    assert capsys.readouterr().out == f"schema none -> {schema.head_version()}\n"
