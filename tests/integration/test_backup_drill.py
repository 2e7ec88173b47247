"""The drill: a control plane under load is backed up again and again, and every backup is put to the test."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from chainloop_ci.digests import sha256_digest
from examples.demo.control_plane import ControlPlane
from tests.integration.live import PROJECT, Tenant, start_control_plane
from tests.integration.load import Acknowledged, Load, Site, push_one
from tests.waiting import wait_for

BACKUPS = 3
THREADS = 3
RUNS_BETWEEN = 8
DEADLINE_SECONDS = 60


@pytest.fixture
def plane(tmp_path):
    running = start_control_plane(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def site(plane, tmp_path):
    return Site(Tenant(plane.url, plane.token_file.read_text().strip(), tmp_path))


def operate(data, *words):
    command = [sys.executable, "-m", "server", *map(str, words), "--data", str(data), "-o", "json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def wait_for_runs(seen, count):
    wait_for(lambda: len(seen.bundles) >= count, f"{count} runs", seconds=DEADLINE_SECONDS)


def stored(data):
    """Return the state and the bundle of every run."""
    query = (
        "SELECT workflow_runs.id, state, bundle FROM workflow_runs LEFT JOIN attestations ON run_id = workflow_runs.id"
    )
    with closing(sqlite3.connect(data / "chainloop.db")) as connection:
        return {run: (state, bundle) for run, state, bundle in connection.execute(query)}


def test_a_backup_taken_under_load_restores_to_a_clean_server_with_every_acknowledged_run(plane, site, tmp_path):
    data, seen, before = plane.token_file.parent, Acknowledged(), []

    with Load(lambda: push_one(site, seen), THREADS):
        for number in range(BACKUPS):
            wait_for_runs(seen, (number + 1) * RUNS_BETWEEN)
            before.append(seen.copy())
            operate(data, "backup", tmp_path / f"backup-{number}")

    for number, acknowledged in enumerate(before):
        new = tmp_path / f"restored-{number}"
        operate(new, "restore", tmp_path / f"backup-{number}")
        assert operate(new, "doctor")["healthy"]
        runs = stored(new)
        assert {run: runs.get(run) for run in acknowledged.bundles} == {
            run: ("success", bundle) for run, bundle in acknowledged.bundles.items()
        }
        for digest, content in acknowledged.uploads.items():
            name = digest.removeprefix("sha256:")
            assert (new / "blobs" / name[:2] / name[2:4] / name).read_bytes() == content


def test_a_restored_control_plane_serves_what_the_old_one_did(plane, site, tmp_path):
    seen, data = Acknowledged(), tmp_path / "restored"
    push_one(site, seen)
    operate(plane.token_file.parent, "backup", tmp_path / "backup")
    operate(data, "restore", tmp_path / "backup")
    [(run, bundle)] = seen.bundles.items()
    [digest] = seen.uploads

    restored = ControlPlane(PROJECT, data)
    try:
        restored.wait()
        site.tenant.url = restored.url
        assert site.tenant.request("GET", f"/workflow-runs/{run}/attestation").data == bundle
        assert sha256_digest(site.tenant.request("GET", f"/artifacts/{digest}").data) == digest
        push_one(site, seen)
    finally:
        restored.stop()
