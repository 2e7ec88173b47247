import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text

from server.errors import SchemaMismatchError, StoreBusyError
from server.store import schema
from server.store.checks import check_file
from server.store.database import Database, open_engine, sqlite_url
from server.store.tables import metadata


@pytest.fixture
def fresh(engine_name, tmp_path, request):
    """Return what makes empty databases, one engine for each."""
    engines, names = [], []

    def make():
        if engine_name == "sqlite":
            url = sqlite_url(tmp_path / f"{len(engines)}.db")
        else:
            names.append(request.getfixturevalue("postgresql").create())
            url = request.getfixturevalue("postgresql").url(names[-1])
        engines.append(open_engine(url))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()
    for name in names:
        request.getfixturevalue("postgresql").drop(name)


@pytest.fixture
def engine(fresh):
    return fresh()


def test_the_migrations_make_exactly_the_tables(engine):
    schema.upgrade(engine)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert differences == []


def _shape(engine):
    """Everything that a database says of its tables, whatever the order it says it in."""
    found, condition = inspect(engine), f"{engine.dialect.name}_where"
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)],
            "key": found.get_pk_constraint(table),
            "foreign": sorted(map(str, found.get_foreign_keys(table))),
            "unique": sorted(str((u["name"], u["column_names"])) for u in found.get_unique_constraints(table)),
            "indexes": sorted(
                (i["name"], i["column_names"], i["unique"], str(i.get("dialect_options", {}).get(condition)))
                for i in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_the_migrations_and_the_tables_agree_on_every_column_key_and_index(engine, fresh):
    made = fresh()
    schema.upgrade(engine)

    metadata.create_all(made)

    assert _shape(engine) == _shape(made)


_FIRST_VERSION = (
    ("organizations", "o", "acme", "2026-01-01", False, 21600, 0, 3, "filesystem"),
    ("projects", "p", "o", "web", "2026-01-01"),
    ("contracts", "c", "o", "web-ci", "", 2, "2026-01-01", "2026-01-03"),
    ("contract_revisions", "c", "o", 1, b"a", "yaml", "sha256:1", "2026-01-02", "t"),
    ("contract_revisions", "c", "o", 2, b"\x00\xff", "yaml", "sha256:2", "2026-01-03", "t"),
    ("workflows", "w", "o", "p", "c", "ci", "", "", None, "2026-01-01", 4, "r"),
    ("artifacts", "o", "sha256:a", 3, "a.txt", "filesystem", "2026-01-04", "t"),
)


def _fill_first_version(engine):
    schema.upgrade(engine, "0001")
    with engine.begin() as connection:
        for table, *values in _FIRST_VERSION:
            _put(connection, table, values)


def _put(connection, table, values, columns=()):
    """Insert a row as that version's table takes it; ours know columns that are not there yet."""
    marks = ", ".join(f":v{number}" for number in range(len(values)))
    into = f"{table} ({', '.join(columns)})" if columns else table
    row = {f"v{number}": value for number, value in enumerate(values)}
    connection.execute(text(f"INSERT INTO {into} VALUES ({marks})"), row)


def _rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_a_database_of_the_first_version_keeps_its_rows(engine):
    _fill_first_version(engine)

    schema.upgrade(engine)

    assert _rows(engine, "SELECT revision, raw_body, enforced_from FROM contract_revisions ORDER BY revision") == [
        (1, b"a", "2026-01-02"),
        (2, b"\x00\xff", "2026-01-03"),
    ]
    assert _rows(engine, "SELECT digest, size_bytes, created_at, last_uploaded_at, referenced_at FROM artifacts") == [
        ("sha256:a", 3, "2026-01-04", "2026-01-04", None)
    ]
    assert _rows(engine, "SELECT name, runs_count, minimum_revision, minimum_revision_since FROM workflows") == [
        ("ci", 4, None, None)
    ]
    assert check_file(engine) == []


_ATTESTED_FIRST = (
    ("projects", "q", "o", "app", "2026-01-01"),
    ("workflows", "x", "o", "q", "c", "ci", "", "", None, "2026-01-01", 4, "r"),
    ("referrer_nodes", "o", "sha256:1", "ATTESTATION", True, "{}", '{"by": "web"}', "2026-01-05"),
    ("referrer_nodes", "o", "sha256:2", "ATTESTATION", True, "{}", '{"by": "app"}', "2026-01-06"),
    ("referrer_nodes", "o", "sha256:b", "ARTIFACT", True, "{}", '{"said": "by one of two"}', "2026-01-05"),
    ("referrer_nodes", "o", "sha256:w", "ARTIFACT", False, "{}", '{"said": "by web"}', "2026-01-05"),
    ("referrer_edges", "o", "sha256:1", "ATTESTATION", "sha256:b", "ARTIFACT", "p", "w"),
    ("referrer_edges", "o", "sha256:1", "ATTESTATION", "sha256:w", "ARTIFACT", "p", "w"),
    ("referrer_edges", "o", "sha256:2", "ATTESTATION", "sha256:b", "ARTIFACT", "q", "x"),
)


def _attest_in_first_version(engine):
    """Put two attestations there, of two projects, whatever other columns their tables have."""
    with engine.begin() as connection:
        for table, *values in _ATTESTED_FIRST:
            _put(connection, table, values)
        for number, (project, workflow) in enumerate((("p", "w"), ("q", "x")), 1):
            run = {"id": f"r{number}", "run_id": f"r{number}", "organization_id": "o", "project_id": project,
                   "workflow_id": workflow, "contract_id": "c", "contract_revision": 1, "sequence": number,
                   "digest": f"sha256:{number}", "stored_at": f"2026-01-0{number + 4}"}  # fmt: skip
            _put_some(connection, "workflow_runs", **run)
            _put_some(connection, "attestations", **run)
        held = {"run_id": "r1", "organization_id": "o", "digest": "sha256:b", "type": "ARTIFACT", "stored": "cas"}
        _put_some(connection, "run_materials", name="b", **held)


def _put_some(connection, table, **given):
    """Insert a row with those of the values that it has columns for, and with something in all that need a value."""
    columns = inspect(connection).get_columns(table)
    wanted = {
        column["name"]: given.get(column["name"], column["type"].python_type())
        for column in columns
        if column["name"] in given or not (column["nullable"] or column["default"])
    }
    _put(connection, table, tuple(wanted.values()), tuple(wanted))


def test_t38_after_the_upgrade_a_project_is_told_only_what_it_said_itself(engine):
    _fill_first_version(engine)
    _attest_in_first_version(engine)

    schema.upgrade(engine)

    facts = "SELECT project_id, digest, downloadable, annotations, attested_at FROM referrer_facts ORDER BY 1, 2"
    assert _rows(engine, facts) == [
        ("p", "sha256:1", 1, '{"by": "web"}', "2026-01-05"),
        ("p", "sha256:b", 1, "{}", "2026-01-05"),
        ("p", "sha256:w", 0, '{"said": "by web"}', "2026-01-05"),
        ("q", "sha256:2", 1, '{"by": "app"}', "2026-01-06"),
        ("q", "sha256:b", 0, "{}", "2026-01-06"),
    ]
    assert _rows(engine, "SELECT digest, facts_project_id, annotations FROM referrer_nodes ORDER BY 1") == [
        ("sha256:1", "p", '{"by": "web"}'),
        ("sha256:2", "q", '{"by": "app"}'),
        ("sha256:b", None, "{}"),
        ("sha256:w", "p", '{"said": "by web"}'),
    ]


def test_after_the_upgrade_runs_are_found_by_the_commit_that_they_attest(engine):
    _fill_first_version(engine)
    _attest_in_first_version(engine)
    commits = ("sha1:" + "a" * 40, "sha256:" + "b" * 64)
    with engine.begin() as connection:
        for number, commit in enumerate(commits, 1):
            edge = ("o", f"sha256:{number}", "ATTESTATION", commit, "GIT_HEAD_COMMIT", "p", "w")
            _put(connection, "referrer_edges", edge)
            attested = {"digest": f"sha256:{number}", "head": "b" * 64, "run": f"r{number}"}
            connection.execute(
                text("UPDATE workflow_runs SET attestation_digest = :digest, ci_head_sha = :head WHERE id = :run"),
                attested,
            )

    schema.upgrade(engine)

    assert _rows(engine, "SELECT id, attested_commit, ci_head_sha, created_address FROM workflow_runs ORDER BY id") == [
        ("r1", "a" * 40, "b" * 64, ""),
        ("r2", None, "b" * 64, ""),
    ]


def test_a_database_of_the_first_version_gets_the_tables_of_the_newest(engine, fresh):
    made = fresh()
    _fill_first_version(engine)

    schema.upgrade(engine)
    metadata.create_all(made)

    assert _shape(engine) == _shape(made)


def test_the_migration_library_finds_the_versions_that_the_files_are_named_after():
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))

    assert schema.known_versions() == {script.revision for script in scripts.walk_revisions()}
    assert schema.head_version() == scripts.get_current_head()


def test_an_empty_database_has_no_version(engine):
    assert schema.current_version(engine) is None
    with pytest.raises(SchemaMismatchError, match="has schema none"):
        schema.require_current(engine)


def test_after_an_upgrade_the_version_is_the_newest(engine):
    schema.upgrade(engine)
    schema.upgrade(engine)

    assert schema.current_version(engine) == schema.head_version()
    schema.require_current(engine)


@contextmanager
def _after_each_step(engine, act):
    """Let `act` look on whenever the upgrade of a database has written the version that it has come to."""

    def look(connection, cursor, statement, *others):
        if statement.startswith(("INSERT INTO alembic_version", "UPDATE alembic_version")):
            act()

    event.listen(engine, "after_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", look)


@pytest.fixture
def other(engine):
    """Return another engine of the same database."""
    other = open_engine(engine.url.render_as_string(hide_password=False))
    yield other
    other.dispose()


def test_who_comes_while_the_first_tables_are_made_sees_a_database_without_any(engine, other):
    seen = []

    with _after_each_step(engine, lambda: seen.append(schema.current_version(other))):
        schema.upgrade(engine)

    assert len(seen) == len(schema.known_versions())
    assert set(seen) == {None}
    assert schema.current_version(other) == schema.head_version()


def test_a_database_whose_first_tables_were_not_all_made_has_none(engine):
    def fail_at_the_tenth():
        steps.append(1)
        if len(steps) == 10:
            raise RuntimeError

    steps = []
    with _after_each_step(engine, fail_at_the_tenth), pytest.raises(RuntimeError):
        schema.upgrade(engine)
    assert inspect(engine).get_table_names() == []

    schema.upgrade(engine)

    schema.require_current(engine)


def test_a_database_that_has_tables_is_upgraded_step_by_step(engine, other):
    schema.upgrade(engine, "0001")
    seen = []

    with _after_each_step(engine, lambda: seen.append(schema.current_version(other))):
        schema.upgrade(engine, "0004")

    assert seen == ["0001", "0002", "0003"]


def test_a_database_of_a_newer_server_is_refused(engine):
    schema.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    for act in (schema.upgrade, schema.require_current):
        with pytest.raises(SchemaMismatchError, match="a newer one made it"):
            act(engine)


def test_a_failed_write_leaves_nothing(engine):
    schema.upgrade(engine)
    database = Database(engine)

    with pytest.raises(RuntimeError), database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_records (at, token_id, action, subject, detail) VALUES ('1', '1', '1', '1', '1')"
        )
        raise RuntimeError

    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_records").scalar() == 0


@pytest.mark.engine("sqlite")
def test_an_acknowledged_write_survives_power_loss(engine):
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_writer_that_waits_too_long_is_told_to_repeat(tmp_path):
    path = sqlite_url(tmp_path / "busy.db")
    holder, waiter = open_engine(path), open_engine(path)
    schema.upgrade(holder)
    with waiter.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")
    held, done = threading.Event(), threading.Event()

    def hold():
        with Database(holder).write():
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        with pytest.raises(StoreBusyError), Database(waiter).write():
            raise AssertionError("two writers at once")
    finally:
        done.set()
        thread.join()
        holder.dispose()
        waiter.dispose()
