"""Backups: whole, private, checked on the way back, and never half a data folder (operator's commands)."""

import errno
import itertools
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import ExitStack

import pytest

from chainloop_ci.digests import sha256_digest
from server.admin.backup import take_backup
from server.admin.backup_manifest import MAX_LOST
from server.admin.backup_progress import Progress
from server.admin.command import main
from server.admin.data_folder import RESTORING, make_folder, open_existing
from server.admin.folder_lock import LOCK_NAME, hold_folder
from server.cas.filesystem import FilesystemBlobs
from server.config import ServerConfig
from server.secret_box import SealedFor, open_secret_box
from server.services.secrets import Secrets
from server.store import schema
from server.store.database import open_engine, sqlite_url
from tests.integration.server.between import BetweenReadAndWrite
from tests.integration.server.conftest import EPOCH
from tests.integration.server.jobs import BINARY, Job, Key, put_contract, register_key

pytestmark = pytest.mark.engine("sqlite")

SILENT = Progress(lambda _: None, lambda: 0.0)


@pytest.fixture
def operate(tmp_path, capsys):
    """Return a function that runs one operator's command and returns status, output and errors."""

    def operate(*arguments, data=tmp_path):
        capsys.readouterr()
        status = main([*map(str, arguments), "--data", str(data)], {})
        return status, *capsys.readouterr()

    return operate


@pytest.fixture
def attested(api, acme, tmp_path):
    """Return the bundle of a run in a data folder that also has a token file."""
    key = Key()
    put_contract(api, acme)
    register_key(api, acme, key)
    job = Job(api(acme.token("attest", "workflow")), acme, key)
    job.begin()
    job.add_everything()
    bundle = key.bundle(job.payload())
    assert job.push(bundle).status_code == 201
    (tmp_path / "admin-token").write_text("clp_secret\n")
    return bundle


@pytest.fixture
def backup(operate, attested, tmp_path):
    """Return the folder of a backup of it."""
    folder = tmp_path.parent / f"{tmp_path.name}-backup"
    assert operate("backup", folder)[0] == 0
    return folder


@pytest.fixture
def new(tmp_path):
    """Return a data folder that does not exist yet."""
    return tmp_path.parent / f"{tmp_path.name}-new"


def blob(folder, content=BINARY):
    name = sha256_digest(content).removeprefix("sha256:")
    return folder / "blobs" / name[:2] / name[2:4] / name


def bundles(data):
    connection = sqlite3.connect(data / "chainloop.db")
    found = [row[0] for row in connection.execute("SELECT bundle FROM attestations")]
    connection.close()
    return found


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_backup_restores_to_a_folder_that_doctor_finds_clean(operate, attested, backup, new):
    status, out, _ = operate("restore", backup, data=new)

    assert (status, out.splitlines()[0][:27]) == (0, "restored 1 runs, 3 artifact")
    assert operate("doctor", data=new)[0] == 0
    assert bundles(new) == [attested]
    assert blob(new).read_bytes() == BINARY
    assert (new / "admin-token").read_text() == "clp_secret\n"


def test_backup_and_data_folder_are_for_their_owner_only(operate, backup, new):
    operate("restore", backup, data=new)

    for folder in (backup, new):
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()}
        assert modes | {stat.S_IMODE(folder.stat().st_mode)} == {0o700}
        secrets = [folder / "admin-token", folder / "chainloop.db", blob(folder)]
        assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_the_manifest_says_what_the_backup_holds(operate, attested, tmp_path):
    folder = tmp_path / "elsewhere"

    _, out, _ = operate("backup", folder, "-o", "json")

    manifest = json.loads((folder / "manifest.json").read_text())
    assert json.loads(out) == manifest
    assert manifest["schemaVersion"] == schema.head_version()
    assert manifest["database"]["digest"] == sha256_digest((folder / "chainloop.db").read_bytes())
    assert (manifest["blobs"], manifest["lostBlobs"], manifest["rows"]["workflow_runs"]) == (3, 0, 1)
    assert [file["name"] for file in manifest["secrets"]] == ["admin-token"]
    assert (folder / "blobs.txt").read_text().count("sha256:") == 3


def test_a_backup_says_where_it_is_and_that_it_shares_the_disk(operate, attested, tmp_path):
    (tmp_path / "main").mkdir()

    status, out, _ = operate("backup", tmp_path / "main" / ".." / "elsewhere")

    assert status == 0
    assert out.splitlines()[0].endswith(f" in {tmp_path / 'elsewhere'}")
    assert "hard links to the store's" in out


def test_on_the_same_disk_a_blob_is_stored_once_in_data_folder_and_backup_and_again_when_restored(
    operate, backup, new, tmp_path
):
    operate("restore", backup, data=new)

    assert blob(backup).stat().st_ino == blob(tmp_path).stat().st_ino
    assert blob(new).stat().st_ino != blob(tmp_path).stat().st_ino


def test_on_another_disk_blobs_are_copied_and_checked(operate, attested, tmp_path, new, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    blob(tmp_path, b"anything").parent.mkdir(parents=True, exist_ok=True)
    blob(tmp_path).write_bytes(b"rotten")

    status, out, err = operate("backup", new)

    assert status == 1
    assert "hard link" not in out
    assert sha256_digest(BINARY) in err
    assert json.loads((new / "manifest.json").read_text())["lost"] == [sha256_digest(BINARY)]
    assert not blob(new).exists()


def test_a_backup_goes_on_without_a_blob_that_is_lost_and_says_so(operate, attested, tmp_path, new):
    blob(tmp_path).unlink()
    folder = tmp_path / "elsewhere"

    status, _, err = operate("backup", folder)
    restored = operate("restore", folder, data=new)

    assert (status, sha256_digest(BINARY) in err, "lacks 1 artifact" in err) == (1, True, True)
    assert (restored[0], "1 artifacts were missing" in restored[2]) == (0, True)
    assert "FAIL  stored blobs" in operate("doctor", data=new)[1]


def test_of_many_blobs_that_are_lost_the_first_are_named_and_all_counted(services, attested, tmp_path):
    connection = sqlite3.connect(tmp_path / "chainloop.db")
    connection.executemany(
        "INSERT INTO artifacts SELECT organization_id, ?, size_bytes, filename, backend, created_at, created_by,"
        " last_uploaded_at, referenced_at FROM artifacts WHERE digest = ?",
        [(f"sha256:{number:064x}", sha256_digest(BINARY)) for number in range(MAX_LOST + 1)],
    )
    connection.commit()
    connection.close()

    manifest = take_backup(
        services.config, services.database, tmp_path / "elsewhere", now=services.world.now, progress=SILENT
    ).manifest

    assert (manifest.lost_blobs, len(manifest.lost)) == (MAX_LOST + 1, MAX_LOST)


class Sweeping(FilesystemBlobs):
    """Blobs of which one is swept, with its row, after the first snapshot named it."""

    sweep = staticmethod(lambda: None)

    def link_from(self, other, digest):
        Sweeping.sweep()
        return super().link_from(other, digest)


def test_what_a_sweep_removes_meanwhile_is_no_hole(operate, attested, tmp_path, new, monkeypatch):
    def sweep():
        blob(tmp_path).unlink(missing_ok=True)
        connection = sqlite3.connect(tmp_path / "chainloop.db")
        connection.execute("UPDATE organizations SET used_bytes = used_bytes - ? WHERE used_bytes > 0", [len(BINARY)])
        connection.execute("DELETE FROM artifacts WHERE digest = ?", [sha256_digest(BINARY)])
        connection.commit()
        connection.close()
        Sweeping.sweep = staticmethod(lambda: None)

    Sweeping.sweep = staticmethod(sweep)
    monkeypatch.setattr("server.admin.backup.FilesystemBlobs", Sweeping)
    folder = tmp_path / "elsewhere"

    status, out, _ = operate("backup", folder)

    assert (status, "2 artifacts" in out) == (0, True)
    assert operate("restore", folder, data=new)[0] == 0
    assert operate("doctor", data=new)[0] == 0


def test_a_blob_that_goes_in_a_write_that_has_not_ended_is_not_lost(services, attested, tmp_path):
    writer = sqlite3.connect(services.config.database_path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM artifacts WHERE digest = ?", [sha256_digest(BINARY)])
    blob(tmp_path).unlink()

    def end():
        if writer.in_transaction:
            writer.execute("COMMIT")

    between = BetweenReadAndWrite(services.database.engine, end)
    taken = take_backup(services.config, between, tmp_path / "elsewhere", now=services.world.now, progress=SILENT)
    writer.close()

    assert (taken.manifest.lost_blobs, taken.manifest.blobs) == (0, 2)


def test_what_was_swept_after_it_was_copied_is_not_in_the_backup(operate, attested, tmp_path, monkeypatch):
    class Swept(FilesystemBlobs):
        def link_from(self, other, digest):
            linked = super().link_from(other, digest)
            execute(tmp_path, "DELETE FROM artifacts")
            for kept in list(other.list_kept()):
                other.remove(kept.digest)
            return linked

    monkeypatch.setattr("server.admin.backup.FilesystemBlobs", Swept)
    folder = tmp_path / "elsewhere"

    status, out, _ = operate("backup", folder)

    assert (status, "0 artifacts" in out) == (0, True)
    assert list(FilesystemBlobs(folder / "blobs").list_kept()) == []


@pytest.mark.parametrize("left", ["file", "unfinished"])
def test_a_backup_is_not_written_into_a_folder_that_holds_something(operate, attested, tmp_path, left):
    folder = tmp_path / "elsewhere"
    (folder / "blobs").mkdir(parents=True)
    if left == "file":
        (folder / "manifest.json").write_text("{}")
    before = everything(folder)

    status, _, err = operate("backup", folder)

    assert (status, everything(folder)) == (1, before)
    assert ("was not finished" in err) == (left == "unfinished")


def test_a_backup_that_fails_leaves_nothing(services, attested, tmp_path):
    folder = tmp_path / "elsewhere"

    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        take_backup(services.config, services.database, folder, now=fail, progress=SILENT)

    assert not folder.exists()


def test_a_backup_of_a_folder_without_database_is_refused(operate, new, tmp_path):
    status, _, err = operate("backup", tmp_path / "elsewhere", data=new)

    assert (status, "there is no database" in err) == (2, True)


def test_a_backup_of_a_newer_schema_is_refused(operate, attested, tmp_path):
    execute(tmp_path, "UPDATE alembic_version SET version_num = '9999'")

    status, _, err = operate("backup", tmp_path / "elsewhere")

    assert (status, "a newer one made it" in err) == (1, True)


def execute(data, statement):
    connection = sqlite3.connect(data / "chainloop.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_every_damaged_part_of_a_backup_is_named_and_nothing_is_restored(operate, backup, new):
    for name in ("chainloop.db", "admin-token"):
        with (backup / name).open("ab") as file:
            file.write(b"x")
    blob(backup).unlink()

    status, _, err = operate("restore", backup, data=new)

    assert status == 1
    assert "3 of its parts" in err
    assert all(name in err for name in ("chainloop.db: expected", "admin-token: expected", blob(backup).name))
    assert not new.exists()


def test_a_line_of_the_list_of_blobs_that_names_none_is_damage_and_not_passed_over(operate, backup, new):
    manifest = json.loads((backup / "manifest.json").read_text())
    blob_list = backup / manifest["blobList"]["name"]
    with blob_list.open("a") as file:
        file.write("sha512:00 1\n")
    raw = blob_list.read_bytes()
    manifest["blobList"] |= {"sizeBytes": len(raw), "digest": sha256_digest(raw)}
    (backup / "manifest.json").write_text(json.dumps(manifest))

    status, _, err = operate("restore", backup, data=new)

    assert (status, new.exists()) == (1, False)
    assert f"{blob_list.name}: line {raw.count(bytes([10]))} is no digest and size" in err


def test_a_blob_that_became_another_is_named(operate, backup, new):
    content = blob(backup).read_bytes()
    blob(backup).unlink()
    blob(backup).write_bytes(content[:-1] + b"x")

    status, _, err = operate("restore", backup, data=new)

    assert (status, "now hashes to" in err) == (1, True)


@pytest.mark.parametrize("name", ["chainloop.db", "blobs.txt", "admin-token"])
def test_a_file_that_is_gone_is_named(operate, backup, new, name):
    (backup / name).unlink()

    status, _, err = operate("restore", backup, data=new)

    assert (status, f"{name}: expected" in err) == (1, True)


def test_a_folder_without_manifest_is_no_backup(operate, backup, new):
    (backup / "manifest.json").unlink()

    status, _, err = operate("restore", backup, data=new)

    assert (status, "is no finished backup" in err, new.exists()) == (1, True, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "has format 2"),
        ({"takenAt": "yesterday"}, "cannot be used"),
        ({"blobs": "three"}, "cannot be used"),
        ({"schemaVersion": "9999"}, "a newer one made it"),
    ],
)
def test_a_manifest_that_this_server_cannot_follow_is_refused(operate, backup, new, change, said):
    manifest = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(manifest | change))

    status, _, err = operate("restore", backup, data=new)

    assert (status, said in err, new.exists()) == (1, True, False)


@pytest.mark.parametrize("raw", ["", "[]", "{", "null"])
def test_a_manifest_that_is_none_is_refused(operate, backup, new, raw):
    (backup / "manifest.json").write_text(raw)

    assert operate("restore", backup, data=new)[0] == 1


def test_names_that_lead_out_of_a_backup_are_refused(operate, backup, new):
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["secrets"][0]["name"] = "../admin-token"
    (backup / "manifest.json").write_text(json.dumps(manifest))

    status, _, err = operate("restore", backup, data=new)

    assert (status, "names files that no backup has" in err) == (1, True)


def test_a_data_folder_that_holds_something_is_not_touched(operate, backup, tmp_path):
    before = everything(tmp_path)

    status, _, err = operate("restore", backup)

    assert (status, "move it away first" in err) == (1, True)
    assert {name: raw for name, raw in everything(tmp_path).items() if name.name != "in-use.lock"} == before


def test_a_folder_that_is_being_served_is_not_restored(operate, backup, new):
    new.mkdir()
    with hold_folder(ServerConfig(data=new), "serving on 127.0.0.1 port 8080"):
        status, _, err = operate("restore", backup, data=new)

    assert (status, "is in use by process" in err) == (1, True)


def test_a_server_that_takes_the_folder_before_the_restore_that_made_it_keeps_it(operate, backup, new, monkeypatch):
    with ExitStack() as server:

        def make_for_another(config, **how):
            make_folder(config, **how)
            server.enter_context(hold_folder(config, "serving on 127.0.0.1 port 8080"))

        monkeypatch.setattr("server.admin.restore.make_folder", make_for_another)

        status, _, err = operate("restore", backup, data=new)

        assert (status, "is in use by process" in err) == (1, True)
        assert os.listdir(new) == [LOCK_NAME]


def test_an_empty_data_folder_is_restored_as_it_is(operate, backup, new):
    new.mkdir(mode=0o700)
    inode = new.stat().st_ino

    assert operate("restore", backup, data=new)[0] == 0
    assert new.stat().st_ino == inode


def test_while_a_restore_is_not_finished_nothing_uses_the_folder(operate, backup, new):
    operate("restore", backup, data=new)
    (new / RESTORING).mkdir()

    for command in ("migrate", "doctor", "gc", "token list"):
        status, _, err = operate(*command.split(), data=new)
        assert (status, "restore into" in err) == (1, True)


def test_a_restore_that_was_interrupted_is_done_again(operate, attested, backup, new):
    operate("restore", backup, data=new)
    shutil.copytree(new, new / RESTORING)
    (new / "chainloop.db").unlink()

    assert operate("restore", backup, data=new)[0] == 0
    assert operate("doctor", data=new)[0] == 0
    assert bundles(new) == [attested]


@pytest.mark.real("strace")
def test_a_restore_killed_at_any_of_its_renames_is_not_served_and_is_done_again(operate, backup, new):
    """Three artifacts get their names in the folder of the restore; then everything gets its place."""
    command = [sys.executable, "-m", "server", "restore", str(backup), "--data", str(new)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
    killed = 0

    for when in itertools.count(1):
        inject = f"inject=rename:signal=SIGKILL:when={when}"
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=rename", "-e", inject, *command], env=env, timeout=60
        )
        if done.returncode == 0:
            break
        killed += 1
        status, _, err = operate("doctor", data=new)
        assert (status, "was interrupted" in err) == (1, True)

    assert killed >= len(["blobs", "chainloop.db", "admin-token"])
    assert operate("doctor", data=new)[0] == 0
    assert not (new / RESTORING).exists()


def test_an_older_backup_is_restored_and_asks_for_a_migration(operate, tmp_path, new):
    old = tmp_path / "old"
    old.mkdir()
    engine = open_engine(sqlite_url(old / "chainloop.db"))
    schema.upgrade(engine, "0001")
    engine.dispose()
    operate("backup", tmp_path / "elsewhere", data=old)

    status, out, _ = operate("restore", tmp_path / "elsewhere", data=new)

    assert (status, "python -m server migrate" in out) == (0, True)
    assert operate("doctor", data=new)[0] == 1
    assert operate("migrate", data=new)[0] == 0
    assert operate("doctor", data=new)[0] == 0


def test_a_backup_is_repeatable_while_the_database_is_open(services, attested, tmp_path):
    database = open_existing(services.config)
    manifests = [
        take_backup(services.config, database, tmp_path / name, now=lambda: EPOCH, progress=SILENT).manifest
        for name in ("first", "second")
    ]

    assert manifests[0].rows == manifests[1].rows
    assert manifests[0].blob_list == manifests[1].blob_list


SEALED_FOR = SealedFor("registration", "org", "registration", "https://github.com")


def _seal(config, database):
    secrets = Secrets(open_secret_box(config, os.urandom), lambda: EPOCH)
    with database.write() as connection:
        return secrets.seal(connection, "canary-2f00-credential", SEALED_FOR)


def test_a_restored_server_opens_the_credentials_that_were_sealed_before(operate, attested, tmp_path, new):
    config = ServerConfig(data=tmp_path)
    sealed = _seal(config, open_existing(config))
    folder = tmp_path.parent / f"{tmp_path.name}-sealed"

    assert operate("backup", folder)[0] == 0
    assert operate("restore", folder, data=new)[0] == 0

    box = open_secret_box(ServerConfig(data=new), os.urandom)
    assert box.open(sealed, SEALED_FOR) == "canary-2f00-credential"
    assert stat.S_IMODE((new / "secret.key").stat().st_mode) == 0o600
    assert operate("doctor", data=new)[0] == 0


def test_a_key_that_is_made_while_a_backup_is_taken_is_in_it(attested, tmp_path):
    config = ServerConfig(data=tmp_path)
    database = open_existing(config)
    sealed = []

    class Sealing(Progress):
        """Seals the first credential while the database is being copied."""

        def of(self, what, unit):
            if what == "database" and not sealed:
                sealed.append(_seal(config, database))
            return super().of(what, unit)

    progress = Sealing(lambda _: None, lambda: 0.0)
    taken = take_backup(config, database, tmp_path.parent / f"{tmp_path.name}-b", now=lambda: EPOCH, progress=progress)

    assert {file.name for file in taken.manifest.secrets} == {"admin-token", "secret.key"}
    assert taken.manifest.rows["secret_canaries"] == 1
    database.engine.dispose()
