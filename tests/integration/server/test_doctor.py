"""What `doctor` finds: each fault is put into an honest data folder by hand, and named with what to do about it."""

import base64
import itertools
import os
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from chainloop_ci.digests import sha256_digest
from server.admin.doctor import MAX_EXAMPLES, diagnose
from server.model.sweeps import ABANDONED, INTERVALS, SweepName
from server.secret_box import SealedFor
from server.store.database import Database, sqlite_url
from server.store.times import to_text
from tests.integration.server.conftest import EPOCH
from tests.integration.server.jobs import BINARY


@pytest.fixture
def data(job, services, config):
    """Return the data folder of a server that took an attestation, a refused one and a canceled run."""
    job.begin()
    job.add_everything()
    assert job.push(b"{}").status_code == 422
    assert job.push().status_code == 201
    return config.data


@pytest.fixture
def execute(data, database_url):
    """Return a function that changes the database behind the server's back; references are not looked after."""

    def execute(statement, **values):
        # The server's own engine would look after references.
        url = database_url.replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url or sqlite_url(data / "chainloop.db"))
        with engine.begin() as connection:
            if database_url:
                connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(statement), values)
        engine.dispose()

    return execute


@pytest.fixture
def look(services, data):
    """Return a function that returns the findings by the name of their check."""

    def look(now=EPOCH):
        found = diagnose(services.config, services.database, now=now)
        assert all(check.advice for check in found.checks if check.problems or check.warnings)
        problems = {check.name: check.problems for check in found.checks if check.problems}
        warnings = {check.name: check.warnings for check in found.checks if check.warnings}
        assert found.healthy == (not problems)
        return problems, warnings

    return look


def test_an_honest_folder_has_no_finding_but_that_nothing_was_swept(look):
    assert look() == ({}, {"sweeps": tuple(f"sweep {name} was never done" for name in INTERVALS)})


def test_looking_changes_nothing(look, data):
    stale = data / "blobs" / "incoming" / "stale"
    stale.write_bytes(b"half")
    os.utime(stale, (0, 0))
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and not path.name.endswith("-shm")}

    look()

    after = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and not path.name.endswith("-shm")}
    assert after == before


@pytest.mark.parametrize(
    ("statement", "check", "said"),
    [
        ("UPDATE organizations SET used_bytes = 7", "counters", "used_bytes: expected"),
        ("UPDATE workflows SET runs_count = 9 WHERE runs_count = 1", "counters", "runs_count: expected 1, found 9"),
        ("UPDATE run_durations SET runs = 4", "counters", "success on GITHUB_ACTION: runs: expected 1, found 4"),
        ("DELETE FROM run_durations", "counters", "runs: expected 1, found 0"),
        ("UPDATE workflow_runs SET stored_bytes = 1", "counters", "stored_bytes: expected"),
        ("UPDATE workflow_runs SET refusals = 0", "counters", "refusals: expected 1, found 0"),
        ("UPDATE workflow_runs SET refusals = 5", "counters", "refusals: expected 1, found 5"),
        ("UPDATE workflow_runs SET state = 'lost'", "run states", "-"),
        ("UPDATE workflow_runs SET finished_at = NULL", "run states", "-"),
        ("DELETE FROM attestations", "attestations of runs", "-"),
        ("UPDATE attestations SET digest = 'sha256:1'", "attestation digests", "sha256:"),
        ("UPDATE attestations SET run_id = 'gone'", "database file", "refers to a row of workflow_runs"),
        ("DROP INDEX ix_runs_commit", "schema", "ix_runs_commit"),
        ("ALTER TABLE workflows ADD COLUMN extra TEXT", "schema", "extra"),
        ("DROP TABLE sweeps", "schema", "sweeps"),
    ],
)
def test_a_row_that_contradicts_others_is_named(look, execute, statement, check, said):
    execute(statement)

    problems, _ = look()

    assert any(said in text for text in problems[check]), problems


def test_a_counter_below_zero_is_named(look, execute, acme):
    execute("INSERT INTO counters VALUES (:id, 'uploads_of_tests', '', -1)", id=acme.id)

    problems, _ = look()

    assert "expected 0 or more, found -1" in problems["counters"][0]


def test_an_organization_over_its_quota_is_a_warning(look, execute):
    execute("UPDATE organizations SET quota_bytes = 1")

    problems, warnings = look()

    assert problems == {}
    assert "of a quota of 1" in warnings["quotas"][0]


@pytest.mark.parametrize(
    ("succeeded", "said"),
    [
        (timedelta(minutes=15), None),
        (timedelta(hours=1), "expired-runs was done 1 hour ago, it is due every 1 minute"),
        (timedelta(days=2), "expired-runs was done 2 days ago, it is due every 1 minute"),
    ],
)
def test_doctor_and_readyz_judge_the_same_sweeps_late(look, execute, services, clock, succeeded, said):
    clock.advance(hours=1)
    for name in INTERVALS:
        age = succeeded if name == SweepName.RUNS else timedelta(0)
        columns = "name, started_at, outcome, detail, succeeded_at"
        execute(
            f"INSERT INTO sweeps ({columns}) VALUES (:name, :at, 'done', '{{}}', :done)",
            name=name.value,
            at=to_text(clock()),
            done=to_text(clock() - age),
        )

    _, warnings = look(clock())

    assert warnings.get("sweeps", ()) == ((f"sweep {said}",) if said else ())
    assert warnings.get("sweeps", ()) == tuple(finding.message for finding in services.health.look().warnings)


def path_of(data):
    name = sha256_digest(BINARY).removeprefix("sha256:")
    return data / "blobs" / name[:2] / name[2:4] / name


class SweptWhileLooking(Database):
    """A database from which a sweep takes what it named when it is asked for the last time."""

    def __init__(self, engine, reads, sweep):
        super().__init__(engine)
        self._reads = iter(range(reads))
        self._sweep = sweep

    def read(self):
        if next(self._reads, None) is None:
            self._sweep()
        return super().read()


def test_a_blob_that_is_swept_meanwhile_is_not_missing(services, data, execute):
    counted = itertools.count()
    counting = SweptWhileLooking(services.database.engine, 0, lambda: next(counted))
    diagnose(services.config, counting, now=EPOCH)
    path_of(data).unlink()

    def sweep():
        execute("DELETE FROM artifacts WHERE digest = :digest", digest=sha256_digest(BINARY))

    # One read more than without a fault: whether the blob that is not there is wanted.
    database = SweptWhileLooking(services.database.engine, next(counted), sweep)
    found = diagnose(services.config, database, now=EPOCH)

    assert {check.name for check in found.checks if check.problems} == set()


def test_a_blob_that_is_gone_or_became_another_is_named(look, data):
    path_of(data).write_bytes(b"another")
    altered, _ = look()
    path_of(data).unlink()
    missing, _ = look()

    assert "now hashes to" in altered["stored blobs"][0]
    assert "is missing" in missing["stored blobs"][0]


def test_uploads_that_were_broken_off_are_counted_and_those_that_go_on_are_not(look, data):
    incoming = data / "blobs" / "incoming"
    for name, age in (("old", ABANDONED.total_seconds() + 60), ("new", 0)):
        (incoming / name).write_bytes(b"half")
        moment = EPOCH.timestamp() - age
        os.utime(incoming / name, (moment, moment))

    problems, warnings = look()

    assert problems == {}
    assert warnings["unfinished uploads"] == ("1 with 4 bytes were broken off",)


def test_many_findings_are_shown_in_part_and_counted(look, execute):
    for number in range(MAX_EXAMPLES + 3):
        execute("INSERT INTO projects VALUES (:id, 'gone', :name, '2026')", id=f"p{number}", name=f"x{number}")

    problems, _ = look()

    assert len(problems["database file"]) == MAX_EXAMPLES + 1
    assert problems["database file"][-1] == "and 3 more"


SEALED_FOR = SealedFor("registration", "org", "registration", "https://github.com")


def test_a_key_that_sealed_a_credential_and_is_lost_is_a_problem(services, data, look):
    with services.database.write() as connection:
        sealed = services.secrets.seal(connection, "canary-9b1e-credential", SEALED_FOR)
        services.secrets.seal(connection, "another", SEALED_FOR)
    assert services.secrets.open(sealed, SEALED_FOR) == "canary-9b1e-credential"
    assert "keys of credentials" not in look()[0]

    (data / "secret.key").unlink()

    (problem,) = look()[0]["keys of credentials"]
    assert "which this server does not have" in problem
    assert "canary-9b1e" not in problem


def test_a_file_of_keys_that_cannot_be_read_is_a_problem(services, data, look):
    with services.database.write() as connection:
        services.secrets.seal(connection, "text", SEALED_FOR)

    (data / "secret.key").write_text("no key\n")

    (problem,) = look()[0]["keys of credentials"]
    assert "secret.key cannot be used" in problem
    assert "no key" not in problem


def test_after_a_change_of_keys_the_old_one_is_still_wanted(services, data, look):
    with services.database.write() as connection:
        services.secrets.seal(connection, "text", SEALED_FOR)
    path = data / "secret.key"
    before = path.read_text()
    path.write_text(f"{base64.b64encode(bytes(range(32))).decode()}\n{before}")
    with services.database.write() as connection:
        services.secrets.seal(connection, "text", SEALED_FOR)
    assert "keys of credentials" not in look()[0]

    path.write_text(path.read_text().splitlines()[0])

    assert len(look()[0]["keys of credentials"]) == 1
