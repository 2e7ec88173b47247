import hashlib
import json
import os
import sqlite3
import stat
import time

import pytest

from server.admin.command import main
from server.admin.data_folder import prepare
from server.admin.folder_lock import hold_folder
from server.auth.token_text import is_token
from server.config import ServerConfig
from server.store.schema import head_version


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs one operator's command over a data folder."""

    def run(*arguments, **env):
        status = main(list(arguments), {"CHAINLOOP_DATA": str(tmp_path / "data"), **env})
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def served(tmp_path):
    config = ServerConfig(data=tmp_path / "data")
    prepare(config).engine.dispose()
    return config.data


def execute(folder, statement, *values):
    """Change the database behind the server's back; references are not checked."""
    connection = sqlite3.connect(folder / "chainloop.db")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def insert_artifact(folder, digest):
    """Give an organization of its own one artifact of a byte."""
    execute(folder, "INSERT INTO organizations VALUES ('o', 'acme', '2026', 0, 60, 0, 1, 'filesystem')")
    execute(
        folder,
        "INSERT INTO artifacts (organization_id, digest, size_bytes, filename, backend, created_at, created_by,"
        " last_uploaded_at) VALUES ('o', ?, 1, 'f', 'filesystem', '2026-01-01T00:00:00Z', 't', '2026-01-01T00:00:00Z')",
        digest,
    )


def test_a_new_data_folder_is_its_owners_only_and_has_nothing_to_migrate(run, served):
    assert run("migrate")[:2] == (0, f"schema {head_version()}: nothing to do\n")

    assert stat.S_IMODE(served.stat().st_mode) == 0o700


def test_nothing_is_migrated_while_the_folder_is_served(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chainloop.db").touch()

    with hold_folder(ServerConfig(data=tmp_path / "data"), "serving on 127.0.0.1 port 8080"):
        status, _, err = run("migrate")

    assert status == 1
    assert "is in use by process" in err
    assert run("doctor")[0] == 1


def test_what_needs_no_migration_and_the_other_commands_work_while_the_folder_is_served(run, served):
    with hold_folder(ServerConfig(data=served), "serving on 127.0.0.1 port 8080"):
        statuses = [run(*command)[0] for command in (["migrate"], ["doctor"], ["token", "create"], ["token", "list"])]

    assert statuses == [0, 0, 0, 0]


def test_a_newer_database_is_refused_without_a_traceback(run, served):
    execute(served, "UPDATE alembic_version SET version_num = '9999'")

    for command in (["migrate"], ["token", "list"]):
        status, out, err = run(*command)
        assert (status, out) == (1, "")
        assert err.startswith("error: the database has schema 9999")
        assert "hint: run the newer server" in err


def test_wrong_settings_are_all_named(run):
    status, _, err = run("migrate", PORT="x", CHAINLOOP_BIND="everywhere")

    assert status == 2
    assert "PORT" in err
    assert "CHAINLOOP_BIND" in err


@pytest.mark.parametrize("command", [["doctor"], ["token", "create"], ["migrate"]])
def test_a_folder_without_database_is_not_made_by_looking(run, tmp_path, command):
    status, _, err = run(*command)

    assert status == 2
    assert "there is no database" in err
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_no_database_is_an_error_without_a_traceback(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chainloop.db").write_bytes(b"not a database" * 100)

    status, _, err = run("doctor")

    assert status == 1
    assert "file is not a database" in err


def test_instance_tokens_are_made_listed_and_revoked(run, served):
    _, secret, _ = run("token", "create", "--name", "recovery")
    twice = run("token", "create", "--name", "recovery")
    _, listed, _ = run("token", "list")
    run("token", "revoke", "--name", "recovery")
    _, after, _ = run("token", "list")

    assert is_token(secret.strip())
    assert twice[0] == 1
    assert listed == "recovery  works  never used\n"
    assert after == "recovery  revoked  never used\n"
    assert run("token", "revoke", "--name", "nobody")[0] == 1
    assert run("token", "create", "--name", "Not A Name")[0] == 1


def test_doctor_finds_nothing_in_a_fresh_folder(run, served):
    status, out, _ = run("doctor")

    assert status == 0
    assert "FAIL" not in out
    assert "0 workflow_runs" in out


def test_doctor_finds_rows_that_refer_to_nothing(run, served):
    execute(
        served,
        "INSERT INTO projects (id, organization_id, name, created_at) VALUES ('p', 'gone', 'x', '2026')",
    )

    status, out, _ = run("doctor", "-o", "json")

    found = json.loads(out)
    assert status == 1
    assert found["healthy"] is False
    assert [check["name"] for check in found["checks"] if check["problems"]] == ["database file"]


def test_doctor_finds_blobs_that_are_missing(run, served):
    digest = "sha256:" + "a" * 64
    insert_artifact(served, digest)

    status, out, _ = run("doctor")

    assert status == 1
    assert "FAIL  stored blobs" in out
    assert digest in out


def test_doctor_finds_runs_in_an_illegal_state(run, served):
    columns = {
        "id": "run-1",
        "organization_id": "o",
        "project_id": "p",
        "workflow_id": "w",
        "state": "success",
        "reason": "",
        "contract_id": "c",
        "contract_revision": 1,
        "contract_digest": "d",
        "runner_type": "r",
        "runner_url": "",
        "runner_environment": "",
        "state_location": "local",
        "handle_sha256": "h",
        "request_digest": "d",
        "project_version": "",
        "client_version": "",
        "ci_provider": "none",
        "token_id": "t",
        "created_at": "2026",
        "last_accepted_at": "2026",
        "expires_at": "2026",
        "refusals": 0,
        "stored_bytes": 0,
    }
    marks = ", ".join("?" for _ in columns)
    execute(served, f"INSERT INTO workflow_runs ({', '.join(columns)}) VALUES ({marks})", *columns.values())

    status, out, _ = run("doctor")

    assert status == 1
    assert "FAIL  run states\n      run-1" in out


def test_doctor_says_when_the_schema_is_another(run, served):
    execute(served, "UPDATE alembic_version SET version_num = '9999'")

    status, out, _ = run("doctor")

    assert (status, "FAIL  schema" in out) == (1, True)


def test_the_openapi_document_is_printed(run):
    status, out, _ = run("openapi")

    assert status == 0
    assert json.loads(out)["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "CHAINLOOP_CHECK_MEMORY_BYTES"),
        (["serve"], "Serve until SIGTERM"),
        (["dispatch"], "end overdue runs"),
        (["migrate"], "A copy of it is saved first"),
        (["doctor"], "Nothing is changed"),
        (["backup"], "Write a whole copy of the data folder"),
        (["restore"], "Make a new data folder from a backup"),
        (["gc"], "Attested artifacts stay"),
        (["token"], "Make, list or revoke"),
        (["openapi"], "Print the OpenAPI 3.1 document"),
    ],
)
def test_help_says_what_a_command_does_in_eighty_columns(command, said, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"], {})

    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert "usage: python -m server" in shown
    assert said in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def leave_blob(folder, content, *, days=0):
    """Put a blob there that no row knows, as a process that died in an upload would."""
    name = hashlib.sha256(content).hexdigest()
    path = folder / "blobs" / name[:2] / name[2:4] / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    moment = time.time() - days * 86_400
    os.utime(path, (moment, moment))
    return path


def test_r8_doctor_counts_blobs_that_no_row_knows_and_is_content(run, served):
    leave_blob(served, b"12345")

    status, out, _ = run("doctor")

    assert status == 0
    assert "\n\n     rows table\n" in out
    assert "warn  unknown blobs\n      1 with 5 bytes belong to no organization" in out


def test_r8_gc_removes_old_blobs_that_no_row_knows(run, served):
    old, young = leave_blob(served, b"old", days=8), leave_blob(served, b"young", days=6)

    status, out, _ = run("gc")

    assert (status, out.splitlines()[1]) == (0, "removed 1 blob of no organization, 3 bytes")
    assert (old.exists(), young.exists()) == (False, True)


def test_r8_gc_removes_old_uploads_that_no_attestation_refers_to_with_their_bytes(run, served):
    blob = leave_blob(served, b"x", days=100)
    insert_artifact(served, f"sha256:{blob.name}")

    counted = run("gc", "--dry-run")[1]
    before = blob.exists()
    removed = run("gc")[1]

    assert counted.splitlines()[0] == "would remove 1 upload that no attestation refers to, 1 bytes"
    assert removed.splitlines()[0] == "removed 1 upload that no attestation refers to, 1 bytes"
    assert (before, blob.exists()) == (True, False)
    assert run("doctor")[0] == 0


def test_r8_gc_keeps_what_an_organization_has_uploaded_lately(run, served):
    kept = leave_blob(served, b"kept", days=100)
    insert_artifact(served, f"sha256:{kept.name}")
    execute(served, "UPDATE artifacts SET last_uploaded_at = '9999'")

    _, out, _ = run("gc", "--older-than", "0m")

    assert (out.count("removed 0"), kept.exists()) == (3, True)


def test_r8_gc_removes_files_of_dead_uploads_but_none_that_may_go_on(run, served):
    dead, alive = (served / "blobs" / "incoming" / name for name in ("dead", "alive"))
    dead.parent.mkdir(parents=True, exist_ok=True)
    for path in (dead, alive):
        path.write_bytes(b"half")
    os.utime(dead, (0, 0))

    _, out, _ = run("gc", "--older-than", "0m")

    assert out.splitlines()[2] == "removed 1 unfinished upload that nobody goes on with, 4 bytes"
    assert (dead.exists(), alive.exists()) == (False, True)


def test_gc_of_a_dry_run_only_counts(run, served):
    old, dead = leave_blob(served, b"old", days=8), served / "blobs" / "incoming" / "dead"
    dead.parent.mkdir(parents=True, exist_ok=True)
    dead.write_bytes(b"half")
    os.utime(dead, (0, 0))

    _, out, _ = run("gc", "--dry-run")

    assert out.splitlines() == [
        "would remove 0 uploads that no attestation refers to, 0 bytes",
        "would remove 1 blob of no organization, 3 bytes",
        "would remove 1 unfinished upload that nobody goes on with, 4 bytes",
    ]
    assert (old.exists(), dead.exists()) == (True, True)


@pytest.mark.parametrize("age", ["7", "d", "-1d", "1y", "999999d"])
def test_gc_names_an_age_that_it_cannot_read(run, capsys, age):
    with pytest.raises(SystemExit) as ended:
        run("gc", f"--older-than={age}")

    assert ended.value.code == 2
    assert "expected a number and d, h or m" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["doctor"], ["token", "list"], ["token", "create"], ["gc"]])
def test_a_database_that_cannot_be_opened_is_told_with_what_to_do(run, served, command):
    (served / "chainloop.db-wal").unlink(missing_ok=True)
    (served / "chainloop.db-wal").mkdir()

    status, out, err = run(*command)

    assert (status, out) == (1, "")
    assert err.startswith("error: the database cannot be used: unable to open database file\nhint: run the command as")


@pytest.mark.parametrize(
    ("words", "found", "helps"),
    [
        (["grbage"], "invalid choice: 'grbage'", "`python -m server --help`"),
        (["token", "make"], "invalid choice: 'make'", "`python -m server token --help`"),
        (["gc", "--older-than", "soon"], "found 'soon'", "`python -m server gc --help`"),
        (["backup"], "DIR", "`python -m server backup --help`"),
    ],
)
def test_wrong_options_are_named_with_what_helps(capsys, words, found, helps):
    with pytest.raises(SystemExit) as ended:
        main(words, {})

    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert found in err
    assert f"hint: {helps}" in err


def test_doctor_shows_no_table_of_rows_where_it_counted_none(run, served):
    execute(served, "UPDATE alembic_version SET version_num = '0001'")

    status, out, _ = run("doctor")

    assert status == 1
    assert "FAIL  schema" in out
    assert "rows table" not in out
