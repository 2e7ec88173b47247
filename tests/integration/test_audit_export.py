"""`chainloop audit` against a running control plane: export, again, killed, opened by others, altered, verified."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chainloop_ci.api.audit_export import TABLES
from chainloop_ci.audit.books import Summary, summarise
from chainloop_ci.audit.rows import key_text, row_digest
from chainloop_ci.audit.verify import verify_file
from chainloop_ci.signing.public_keys import load_public_key
from tests.integration.live import PROJECT, Answer, CommandLine, Job, Tenant

AFTERWARDS = {"CHAINLOOP_CONTROL_PLANE_API": "http://127.0.0.1:9", "CHAINLOOP_TOKEN": ""}
"""What whoever verifies has: no control plane and no token."""


def attest(job: Job) -> None:
    (job.tenant.folder / "binary").write_bytes(b"\x7fELF" + bytes(500))
    for words in (
        ("init",),
        ("add", "--name", "binary", "--value", "binary"),
        ("add", "--name", "version", "--value", "1.0.0"),
        ("push",),
    ):
        answer = job.chainloop("attestation", *words)
        assert answer.status == 0, answer


@pytest.fixture
def attested(job: Job) -> Job:
    attest(job)
    return job


@pytest.fixture
def auditor(tenant: Tenant) -> CommandLine:
    return CommandLine(
        tenant.folder, {"CHAINLOOP_CONTROL_PLANE_API": tenant.url, "CHAINLOOP_TOKEN": tenant.admin_token}
    )


@pytest.fixture
def exported(auditor: CommandLine, attested: Job) -> Path:
    answer = auditor("audit", "export", "a.db", "--manifest", "m.json")
    assert answer.status == 0, answer
    return attested.tenant.folder / "a.db"


def verify(path: Path, *words: str) -> Answer:
    return CommandLine(path.parent, AFTERWARDS)("audit", "verify", path.name, "-o", "json", *words)


def found(answer: Answer) -> set[str]:
    """Return code and row of everything that was found."""
    return {f"{item['code']} {item['path']}" for item in answer.document["error"]["findings"]}


def select(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def contents(path: Path) -> dict[str, Summary]:
    """Return what a file holds of each table, in its own words."""
    with closing(sqlite3.connect(path)) as connection:
        return {name: item for name, item in summarise(connection).items() if name in TABLES}


@contextmanager
def altering(path: Path) -> Iterator[sqlite3.Connection]:
    """Change a file, and its books with it: what somebody does who has read how it is made."""
    with closing(sqlite3.connect(path)) as connection, connection:
        known = connection.execute("SELECT table_name, row_key, thing FROM export_rows").fetchall()
        things = {(name, key): thing for name, key, thing in known}
        yield connection
        connection.execute("DELETE FROM export_rows")
        for table in TABLES.values():
            names = ", ".join(table.columns)
            for values in connection.execute(f"SELECT {names} FROM {table.name}").fetchall():
                row = dict(zip(table.columns, values, strict=True))
                place = (table.name, key_text(table, row))
                line = (*place, things.get(place, ""), row_digest(table, row))
                connection.execute("INSERT INTO export_rows VALUES (?, ?, ?, ?, NULL)", line)
        connection.execute("DELETE FROM export_tables")
        for name, item in summarise(connection).items():
            connection.execute("INSERT INTO export_tables VALUES (?, ?, ?)", (name, item.rows, item.digest))


def test_what_was_exported_verifies_without_network_and_without_a_token(exported: Path) -> None:
    answer = verify(exported, "--manifest", "m.json")

    assert answer.status == 0, answer
    assert answer.document["verified"] is True
    assert answer.document["attestations"] == 1
    assert answer.document["rows"] == sum(item.rows for item in contents(exported).values())


def test_the_digest_that_the_export_ended_with_is_the_one_that_is_found(auditor: CommandLine, attested: Job) -> None:
    told = auditor("audit", "export", "a.db", "-o", "json").document

    answer = verify(attested.tenant.folder / "a.db", "--digest", told["digest"])

    assert (answer.status, answer.document["digest"]) == (0, told["digest"])


def test_only_its_owner_may_read_file_and_manifest(exported: Path) -> None:
    assert [(exported.parent / name).stat().st_mode & 0o777 for name in ("a.db", "m.json")] == [0o600, 0o600]


def test_again_adds_only_what_is_new(exported: Path, attested: Job, auditor: CommandLine) -> None:
    nothing = auditor("audit", "export", "a.db", "-o", "json").document
    attest(attested)

    more = auditor("audit", "export", "a.db", "-o", "json").document

    assert (nothing["added"], nothing["changed"], nothing["gone"]) == (0, 0, 0)
    assert more["added"] > 0
    assert (verify(exported).document["attestations"], more["changed"]) == (2, 0)


def test_an_open_run_is_brought_up_to_date_by_the_next_export(auditor: CommandLine, job: Job) -> None:
    job.chainloop("attestation", "init")
    auditor("audit", "export", "a.db")
    job.chainloop("attestation", "reset")

    answer = auditor("audit", "export", "a.db", "-o", "json")

    assert answer.document["changed"] == 1
    assert select(job.tenant.folder / "a.db", "SELECT state FROM workflow_runs") == [("error",)]


@pytest.mark.parametrize("lines", [1, 2, 4, 6])
def test_an_export_that_is_killed_is_refused_by_verify_and_goes_on(
    auditor: CommandLine, attested: Job, lines: int
) -> None:
    path = attested.tenant.folder / "a.db"
    process = auditor.start("audit", "export", "a.db")
    assert process.stderr is not None
    for _ in range(lines):
        process.stderr.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()

    broken = verify(path)
    again = auditor("audit", "export", "a.db", "-o", "json")
    auditor("audit", "export", "fresh.db")

    assert "was not completed" in broken.document["error"]["message"]
    assert (again.status, verify(path).status) == (0, 0)
    assert contents(path) == contents(path.with_name("fresh.db"))


def test_another_organization_s_file_is_refused(exported: Path, control_plane, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("rival")
    rival = Tenant(control_plane.url, control_plane.token_file.read_text().strip(), folder)
    env = {"CHAINLOOP_CONTROL_PLANE_API": rival.url, "CHAINLOOP_TOKEN": rival.admin_token}

    answer = CommandLine(folder, env)("audit", "export", exported)

    assert answer.status == 2
    assert "another export" in answer.stderr
    assert verify(exported).status == 0


def test_a_token_that_only_reads_exports_all_but_who_holds_rights(attested: Job) -> None:
    answer = attested.reader()("audit", "export", "a.db")

    assert answer.status == 0, answer
    assert "only an administrator may" in answer.stderr
    assert select(attested.tenant.folder / "a.db", "SELECT count(*) FROM api_tokens") == [(0,)]
    assert verify(attested.tenant.folder / "a.db").document["attestations"] == 1


ALTERATIONS: dict[str, tuple[str, str]] = {
    "a workflow's name": ("UPDATE workflows SET name = 'other'", "claim-differs attestations"),
    "a project's name": ("UPDATE projects SET name = 'other'", "claim-differs attestations"),
    "a contract's name": ("UPDATE contracts SET name = 'other'", "claim-differs attestations"),
    "an organization's name": ("UPDATE organizations SET name = 'other'", "claim-differs attestations"),
    "a commit": ("UPDATE workflow_runs SET ci_head_sha = 'f'", "claim-differs attestations"),
    "a run's workflow": ("UPDATE workflow_runs SET workflow_id = 'other'", "claim-differs attestations"),
    "a revision": ("UPDATE workflow_runs SET contract_revision = 2", "contract-differs workflow_runs"),
    "a state": ("UPDATE attestations SET verified = 0, key_id = NULL", "run-differs workflow_runs"),
    "an end that has no attestation": ("UPDATE workflow_runs SET state = 'expired'", "run-differs workflow_runs"),
    "a material": (
        "UPDATE run_materials SET digest = 'sha256:0' WHERE name = 'binary'",
        "material-differs run_materials",
    ),
    "a material less": ("DELETE FROM run_materials WHERE name = 'version'", "material-differs run_materials"),
    "a bundle": ("UPDATE attestations SET bundle = CAST('{}' AS BLOB)", "bundle-differs attestations"),
    "a material more": (
        "INSERT INTO run_materials (run_id, name, type) SELECT id, 'sbom', 'STRING' FROM workflow_runs",
        "material-differs run_materials",
    ),
    "a material's type": (
        "UPDATE run_materials SET type = 'SBOM_CYCLONEDX_JSON' WHERE name = 'binary'",
        "material-differs run_materials",
    ),
    "no attestation": ("DELETE FROM attestations", "run-differs workflow_runs"),
    "another attestation": ("UPDATE workflow_runs SET attestation_digest = 'sha256:0'", "run-differs workflow_runs"),
    "no run": ("DELETE FROM workflow_runs", "run-missing attestations"),
    "a contract": (
        "UPDATE contract_revisions SET raw_body = CAST('{}' AS BLOB)",
        "contract-differs contract_revisions",
    ),
    "a key's time": ("UPDATE verification_keys SET valid_from = '2999-01-01T00:00:00Z'", "key-not-valid attestations"),
    "an old key": ("UPDATE verification_keys SET retired_at = '2020-01-01T00:00:00Z'", "key-not-valid attestations"),
    "a key that ended when it was used": (
        "UPDATE verification_keys SET retired_at = (SELECT stored_at FROM attestations)",
        "key-not-valid attestations",
    ),
    "no key": ("DELETE FROM verification_keys", "key-missing attestations"),
}


@pytest.mark.parametrize("case", ALTERATIONS)
def test_what_is_signed_is_found_although_the_books_were_changed_too(exported: Path, case: str) -> None:
    statement, expected = ALTERATIONS[case]
    with altering(exported) as connection:
        connection.execute(statement)

    answer = verify(exported)

    assert answer.status == 7, answer
    assert [finding for finding in found(answer) if finding.startswith(f"{expected} [")] != []
    assert not [finding for finding in found(answer) if finding.startswith(("row-", "table-"))]


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE organizations SET name = 'other'",),
        ("UPDATE workflows SET id = 'other'", "UPDATE workflow_runs SET workflow_id = 'other'"),
    ],
    ids=["organization", "workflow"],
)
def test_r20_a_run_that_somebody_calls_late_is_still_of_whom_it_says(
    exported: Path, statements: tuple[str, ...]
) -> None:
    with altering(exported) as connection:
        for statement in ("UPDATE workflow_runs SET late = 1", *statements):
            connection.execute(statement)

    answer = verify(exported)

    assert answer.status == 7, answer
    assert [finding for finding in found(answer) if finding.startswith("claim-differs attestations [")] != []


def test_r11_every_fact_of_a_run_that_is_signed_is_compared(exported: Path) -> None:
    columns = [name for name in TABLES["workflow_runs"].columns if name.startswith(("runner_", "ci_"))]
    unseen = []

    for column in (*columns, "project_version", "token_id"):
        path = Path(shutil.copy(exported, exported.with_name(f"{column}.db")))
        with altering(path) as connection:
            connection.execute(f"UPDATE workflow_runs SET {column} = 77")
        if not verify_file(path, load_public_key, None).findings:
            unseen.append(column)

    assert unseen == []


@pytest.mark.parametrize(
    "cell",
    [
        "attestations.run_id",
        "workflow_runs.contract_id",
        "workflow_runs.contract_revision",
        "verification_keys.public_key",
    ],
)
def test_text_that_is_none_is_found_and_ends_no_check(exported: Path, cell: str) -> None:
    table, _, column = cell.partition(".")
    with closing(sqlite3.connect(exported)) as connection, connection:
        connection.execute(f"UPDATE {table} SET {column} = CAST(x'ff' AS TEXT)")

    answer = verify(exported)

    assert answer.status == 7, answer
    assert [finding for finding in found(answer) if finding.startswith(f"row-changed {table} [")] != []


def test_a_run_under_the_id_of_another_one_is_found(exported: Path) -> None:
    with altering(exported) as connection:
        connection.execute("UPDATE workflow_runs SET id = 'other'")
        for table in ("attestations", "run_materials", "run_artifacts"):
            connection.execute(f"UPDATE {table} SET run_id = 'other'")

    answer = verify(exported)

    assert answer.status == 7
    assert [finding for finding in found(answer) if finding.startswith("claim-differs attestations [")] != []


def test_a_key_of_somebody_else_confirms_nothing(exported: Path) -> None:
    from chainloop_ci.signing.generate import generate_key

    _, public = generate_key()
    with altering(exported) as connection:
        connection.execute("UPDATE verification_keys SET public_key = ?", (public,))

    answer = verify(exported)

    assert answer.status == 7
    assert {finding.partition(" ")[0] for finding in found(answer)} == {"signer-not-trusted"}


def test_a_key_under_the_id_of_another_one_is_found(exported: Path) -> None:
    with altering(exported) as connection:
        connection.execute("UPDATE verification_keys SET id = 'other'")
        connection.execute("UPDATE attestations SET key_id = 'other'")

    answer = verify(exported)

    assert answer.status == 7
    assert [finding for finding in found(answer) if finding.startswith("key-differs attestations [")] != []


def test_a_contract_that_asks_for_more_than_was_attested_is_found(exported: Path) -> None:
    from chainloop_ci.digests import sha256_digest

    raw = bytes(select(exported, "SELECT raw_body FROM contract_revisions")[0][0])  # type: ignore[call-overload]
    more = raw + b"    - {name: sbom, type: SBOM_CYCLONEDX_JSON}\n"
    with altering(exported) as connection:
        digest = sha256_digest(more)
        connection.execute("UPDATE contract_revisions SET raw_body = ?, digest = ?", (more, digest))
        connection.execute("UPDATE workflow_runs SET contract_digest = ?", (digest,))

    answer = verify(exported)

    assert {finding.partition(" ")[0] for finding in found(answer)} == {"claim-differs", "missing-material"}


def test_what_nobody_signed_is_found_by_the_manifest_alone(exported: Path) -> None:
    with altering(exported) as connection:
        connection.execute("UPDATE audit_records SET address = '192.0.2.99'")

    alone, compared = verify(exported), verify(exported, "--manifest", "m.json")

    assert alone.status == 0
    assert compared.status == 7
    assert found(compared) == {"table-differs audit_records"}


def test_what_nobody_signed_is_found_by_the_digest_alone(exported: Path) -> None:
    digest = json.loads(exported.with_name("m.json").read_text())["digest"]
    with altering(exported) as connection:
        connection.execute("UPDATE audit_records SET address = '192.0.2.99'")

    answer = verify(exported, "--digest", digest)

    assert answer.status == 7
    assert f"expected the digest {digest}" in answer.document["error"]["message"]


def test_a_row_that_was_changed_is_named(exported: Path) -> None:
    with closing(sqlite3.connect(exported)) as connection, connection:
        (sequence,) = connection.execute("SELECT max(sequence) FROM audit_records").fetchone()
        connection.execute("UPDATE audit_records SET address = 'x' WHERE sequence = ?", (sequence,))

    answer = verify(exported)

    assert (answer.status, found(answer)) == (7, {f"row-changed audit_records [{sequence}]"})


def test_attestations_of_a_revoked_key_are_told_of(attested: Job, auditor: CommandLine) -> None:
    attest(attested)
    (key,) = attested.tenant.call("GET", "/verification-keys")["items"]
    attested.tenant.call("POST", f"/verification-keys/{key['id']}/revoke")
    auditor("audit", "export", "a.db")

    answer = verify(attested.tenant.folder / "a.db")

    assert answer.status == 0
    assert "this key was revoked" in answer.stderr
    assert f"key={key['name']} attestations=2" in answer.stderr


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [("no.db", None, "no such file"), ("text.db", b"minutes of a meeting " * 90, "cannot be read as an audit file")],
)
def test_what_is_no_audit_file_cannot_be_verified(tmp_path: Path, name: str, raw: bytes | None, said: str) -> None:
    if raw is not None:
        (tmp_path / name).write_bytes(raw)

    answer = verify(tmp_path / name)

    assert answer.status == 1
    assert said in answer.document["error"]["message"]


def without_sqlite_utils(folder: Path) -> dict[str, str]:
    (folder / "lean").mkdir()
    (folder / "lean" / "sqlite_utils.py").write_text("raise ImportError('not installed')")
    return {"PYTHONPATH": f"{folder / 'lean'}:{PROJECT}"}


def test_without_the_extra_the_export_says_how_to_install_it(auditor: CommandLine) -> None:
    answer = auditor("audit", "export", "a.db", env=without_sqlite_utils(auditor.folder))

    assert answer.status == 2
    assert "pip install 'chainloop-ci[audit]'" in answer.stderr
    assert not (auditor.folder / "a.db").exists()


def test_verifying_needs_no_extra(exported: Path) -> None:
    env = without_sqlite_utils(exported.parent)

    assert CommandLine(exported.parent)("audit", "verify", "a.db", env=env).status == 0


def run(*words: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


def test_sqlite_utils_finds_words_in_it(exported: Path) -> None:
    rows = json.loads(run("sqlite_utils", "search", exported, "run_materials", "binary"))

    assert [row["name"] for row in rows] == ["binary"]


def test_datasette_shows_its_tables_and_views(exported: Path) -> None:
    def ask(path: str) -> str:
        return run("datasette", exported, "--get", path)

    tables = json.loads(ask("/a.json"))
    (shown,) = json.loads(ask("/a/runs_with_names.json?_shape=array"))

    assert {table["name"] for table in tables["tables"]} >= set(TABLES)
    assert (shown["project"], shown["workflow"], shown["state"], shown["verified"]) == ("hello", "build", "success", 1)
