"""R6, R8 on a real disk without a byte left: what frees space and what ends a token work, and nothing else does."""

import json

import pytest

from server.services.disk_reserve import RESERVE_BYTES, RESERVE_NAME
from tests.integration.full_disk import LARGE, code, fill_the_log, operate, ready, start_on
from tests.integration.live import Tenant
from tests.integration.load import Acknowledged, Site, push_one
from tests.integration.small_disk import small_disk
from tests.soak.plane import wait_for

DEADLINE_SECONDS = 60
UPLOADS = 100


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", size="32m") as disk:
        yield disk


@pytest.fixture
def plane(disk):
    with start_on(disk) as running:
        yield running


@pytest.fixture
def site(plane, tmp_path):
    return Site(Tenant(plane.url, plane.token_file.read_text().strip(), tmp_path))


@pytest.fixture
def data(plane):
    return plane.token_file.parent


def fill(site, disk):
    """Leave no byte free on the disk, and no room in the database's log."""
    disk.fill()
    assert code(fill_the_log(site)) == (507, "store-full")


def upload_for_nobody(site):
    """Leave uploads whose run ended without an attestation."""
    job = site.job()
    assert job.begin().status_code == 201
    for number in range(UPLOADS):
        assert job.upload(b"%d" % number * 1000, f"{number}.bin").status_code == 201
    assert job.upload(LARGE, "large.bin").status_code == 201
    assert cancel(site, job).status == 200


def cancel(site, job, **as_whom):
    wish = {"trigger": "cancellation", "reason": "not needed"}
    return site.tenant.request("POST", f"/workflow-runs/{job.run_id}/cancel", wish, **as_whom)


def token_id(site, name):
    items = site.tenant.call("GET", "/api-tokens")["items"]
    return next(item["id"] for item in items if item["name"].startswith(name))


def size(data):
    path = data / RESERVE_NAME
    return path.stat().st_size if path.exists() else 0


def test_r8_a_server_that_starts_keeps_space_back_that_stores_do_not_get(site, disk, data):
    assert size(data) == RESERVE_BYTES

    fill(site, disk)
    job = site.job()

    assert code(job.begin()) == (507, "store-full")
    assert size(data) == RESERVE_BYTES


def test_r8_gc_frees_space_on_a_disk_without_a_byte_left(site, plane, disk, data):
    upload_for_nobody(site)
    fill(site, disk)

    swept = operate(data, "gc", "--older-than", "0h")

    assert swept.returncode == 0, swept.stderr
    assert f"removed {UPLOADS + 1} uploads that no attestation refers to" in swept.stdout
    push_one(site, Acknowledged())
    doctor = operate(data, "doctor")
    assert doctor.returncode == 0, doctor.stdout


def test_r8_gc_works_on_a_full_disk_of_a_server_that_was_stopped(site, plane, disk, data):
    upload_for_nobody(site)
    fill(site, disk)
    plane.stop()
    disk.fill()

    swept = operate(data, "gc", "--older-than", "0h")

    assert swept.returncode == 0, swept.stderr
    assert f"removed {UPLOADS + 1} uploads" in swept.stdout
    assert operate(data, "doctor").returncode == 0


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_r6_a_leaked_token_is_ended_on_a_disk_without_a_byte_left(site, plane, disk, data, end):
    fill(site, disk)
    leaked = token_id(site, "t-")

    answer = site.tenant.request("POST", f"/api-tokens/{leaked}/{end}", {} if end == "rotate" else None)

    assert answer.status == 200, answer.data
    assert site.tenant.request("GET", "/whoami", token=site.token).status == 401
    assert ready(plane)[0] == 503
    assert 0 < size(data) < RESERVE_BYTES
    assert operate(data, "doctor").returncode == 0


def test_r3_a_leaked_key_is_revoked_on_a_disk_without_a_byte_left(site, disk):
    fill(site, disk)
    [key] = site.tenant.call("GET", "/verification-keys")["items"]

    answer = site.tenant.request("POST", f"/verification-keys/{key['id']}/revoke")

    assert answer.status == 200, answer.data


def test_r8_an_operator_ends_a_run_on_a_full_disk_and_a_job_does_not_spend_the_reserve(site, disk, data):
    job = site.job()
    assert job.begin().status_code == 201
    fill(site, disk)

    assert cancel(site, job, token=site.token, headers=job.headers).status == 507
    assert size(data) == RESERVE_BYTES
    assert cancel(site, job).status == 200


def test_r6_the_operator_replaces_an_instance_token_on_a_disk_without_a_byte_left(site, disk, data):
    fill(site, disk)

    created = operate(data, "token", "create", "--name", "second")
    revoked = operate(data, "token", "revoke", "--name", "first-administrator")

    assert (created.returncode, revoked.returncode) == (0, 0), created.stderr + revoked.stderr
    assert created.stdout.startswith("clp_")


def test_r8_without_a_reserve_the_command_says_what_to_remove(site, disk, data):
    upload_for_nobody(site)
    fill(site, disk)
    (data / RESERVE_NAME).unlink()
    disk.fill()
    fill(site, disk)

    refused = operate(data, "gc", "--older-than", "0h")

    assert refused.returncode == 1
    assert f"error: the disk of {data} is full" in refused.stderr
    assert "old backups" in refused.stderr


def test_r8_the_dispatcher_makes_the_reserve_whole_again(site, disk, data):
    fill(site, disk)
    leaked = token_id(site, "t-")
    assert site.tenant.request("POST", f"/api-tokens/{leaked}/revoke").status == 200
    assert size(data) < RESERVE_BYTES
    disk.free()

    wait_for(lambda: size(data) == RESERVE_BYTES, "the reserve is made again", seconds=DEADLINE_SECONDS)


def test_backup_and_restore_leave_the_reserve_out(site, data, tmp_path):
    push_one(site, Acknowledged())

    backup = operate(data, "backup", tmp_path / "backup", "-o", "json")

    assert backup.returncode == 0, backup.stderr
    assert not (tmp_path / "backup" / RESERVE_NAME).exists()
    assert RESERVE_NAME not in json.dumps(json.loads(backup.stdout))
    (tmp_path / "restored").mkdir(mode=0o700)
    (tmp_path / "restored" / RESERVE_NAME).touch()
    restored = operate(tmp_path / "restored", "restore", tmp_path / "backup")
    assert restored.returncode == 0, restored.stderr
