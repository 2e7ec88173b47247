"""R8 on a real disk that is really full: nothing is torn, reads go on, and space is all that it takes to recover."""

import pytest

from chainloop_ci.contract.types import MaterialType
from tests.integration.full_disk import LARGE, code, fill_the_log, operate, ready, start_on
from tests.integration.live import Tenant
from tests.integration.load import Acknowledged, Site, push_one
from tests.integration.small_disk import small_disk


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def plane(disk):
    with start_on(disk) as running:
        yield running


@pytest.fixture
def site(plane, tmp_path):
    return Site(Tenant(plane.url, plane.token_file.read_text().strip(), tmp_path))


@pytest.mark.parametrize("shortage", ["bytes", "names"])
def test_r8_a_full_disk_refuses_what_is_new_shows_what_is_there_and_recovers_without_restart(
    site, plane, disk, shortage
):
    seen = Acknowledged()
    push_one(site, seen)
    [(run, bundle)] = seen.bundles.items()
    [(digest, content)] = seen.uploads.items()
    job = site.job()
    assert job.begin().status_code == 201
    job.add_everything()

    if shortage == "bytes":
        disk.fill()
    else:
        disk.fill_names()
    assert code(job.upload(LARGE, "large.bin")) == (507, "store-full")
    if shortage == "bytes":
        assert code(fill_the_log(site)) == (507, "store-full")
        assert code(job.push()) == (507, "store-full")
        assert ready(plane)[0] == 503
    assert site.tenant.request("GET", f"/workflow-runs/{run}/attestation").data == bundle
    assert site.tenant.request("GET", f"/artifacts/{digest}").data == content

    disk.free()
    job.add_file("log", MaterialType.EVIDENCE, b"the log", "log.txt")
    assert job.push().status_code == 201
    doctor = operate(plane.token_file.parent, "doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert list((plane.token_file.parent / "blobs" / "incoming").iterdir()) == []


def test_r8_a_backup_that_finds_no_space_says_where_and_leaves_nothing(site, plane, disk, tmp_path):
    push_one(site, Acknowledged())
    disk.fill()

    done = operate(plane.token_file.parent, "backup", disk.folder / "backup")

    assert done.returncode == 1
    assert f"the disk of {disk.folder / 'backup'} is full" in done.stderr
    assert not (disk.folder / "backup").exists()
    assert operate(plane.token_file.parent, "backup", tmp_path / "backup").returncode == 0


def test_a_restore_that_finds_no_space_leaves_nothing(site, plane, disk, tmp_path):
    push_one(site, Acknowledged())
    assert operate(plane.token_file.parent, "backup", tmp_path / "backup").returncode == 0
    disk.fill()

    done = operate(disk.folder / "restored", "restore", tmp_path / "backup")

    assert (done.returncode, "is full" in done.stderr) == (1, True), done.stderr
    assert not (disk.folder / "restored").exists()
    disk.free()
    assert operate(disk.folder / "restored", "restore", tmp_path / "backup").returncode == 0


def test_r8_a_job_keeps_its_state_when_its_disk_is_full_and_goes_on_when_it_is_not(tenant, disk):
    job = tenant.job()
    job.chainloop.env["CHAINLOOP_LOCAL_STATE_PATH"] = str(disk.folder / "state.json")
    binary = tenant.folder / "app.bin"
    binary.write_bytes(b"a program")
    words = ("attestation", "init", "--workflow", "build", "--project", "hello")
    assert job.chainloop(*words).status == 0
    before = (disk.folder / "state.json").read_bytes()
    disk.fill()

    add = ("attestation", "add", "--name", "binary", "--value", binary)
    failed = job.chainloop(*add)

    assert failed.status == 1
    assert "No space left on device" in failed.stderr
    assert "free space" in failed.stderr
    assert (disk.folder / "state.json").read_bytes() == before
    disk.free()
    assert job.chainloop(*add).status == 0
    assert job.chainloop("attestation", "add", "--name", "version", "--value", "1").status == 0
    assert job.chainloop("attestation", "push").status == 0
