"""A data folder of the first whole main loop under today's server, and that time's command line at it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.digests import sha256_digest
from examples.demo.control_plane import ControlPlane
from server.store import schema
from tests.conftest import lack
from tests.integration.first_loop import (
    ASKED,
    FirstLoop,
    OldJob,
    fail_in_every_way,
    look,
    run_id_of,
    unpack_first_loop,
)
from tests.integration.live import PROJECT, CommandLine

pytestmark = pytest.mark.xdist_group("first-loop")

WRITTEN = {"success": 10, "initialized": 3, "error": 4, "canceled": 1}
"""Nobody had written down in that version that a run has expired."""


@pytest.fixture(scope="module")
def first_loop(tmp_path_factory: pytest.TempPathFactory) -> FirstLoop:
    """Return what that version's server and command line wrote."""
    folder = tmp_path_factory.mktemp("first-loop")
    missing = unpack_first_loop(folder / "tree")
    if missing:
        lack(missing)
    return FirstLoop(folder / "tree", folder)


@dataclass(frozen=True)
class Upgraded:
    """The folder, migrated and served."""

    first: FirstLoop
    data: Path
    plane: ControlPlane
    migrated: str
    """What `migrate` said."""

    @property
    def jobs(self) -> tuple[OldJob, OldJob]:
        """Return the jobs of both organizations."""
        return self.first.strict.at(self.plane.url), self.first.lenient.at(self.plane.url)


def operate(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of today's operator."""
    env = {"PATH": os.environ["PATH"], "CHAINLOOP_DATA": str(data)}
    command = [sys.executable, "-m", "server", *words]
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def upgraded(first_loop: FirstLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    """Upgrade a copy of the folder as the operator's guide says."""
    data = tmp_path_factory.mktemp("upgraded") / "data"
    shutil.copytree(first_loop.data, data)
    migrated = operate(data, "migrate")
    assert migrated.returncode == 0, migrated.stderr
    plane = ControlPlane(PROJECT, data)
    plane.wait()
    yield Upgraded(first_loop, data, plane, migrated.stdout)
    plane.stop()


def test_it_is_served_only_when_it_was_migrated(first_loop: FirstLoop, tmp_path: Path) -> None:
    shutil.copytree(first_loop.data, tmp_path / "data")

    refused = operate(tmp_path / "data", "serve")

    assert refused.returncode == 1
    assert "the database has schema 0001" in refused.stderr
    assert "python -m server migrate" in refused.stderr


def test_it_was_written_by_that_version_and_holds_what_happens_to_runs(first_loop: FirstLoop) -> None:
    with closing(sqlite3.connect(first_loop.data / "chainloop.db")) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM workflow_runs GROUP BY state").fetchall())
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()

    assert version == "0001" != schema.head_version()
    assert states == WRITTEN


def test_migrate_takes_everything_along_and_doctor_is_content(upgraded: Upgraded) -> None:
    doctor = operate(upgraded.data, "doctor")

    assert f"schema 0001 -> {schema.head_version()}" in upgraded.migrated
    assert (doctor.returncode, doctor.stderr) == (0, ""), doctor.stdout
    assert "FAIL" not in doctor.stdout


def lost(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Find what a document of that time says and today's does not say any more."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            if name in new:
                yield from lost(value, new[name], f"{place}/{name}")
            else:
                yield f"{place}/{name}: gone"
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, value in enumerate(old):
            yield from lost(value, new[number], f"{place}/{number}")
    elif old != new:
        yield f"{place}: {old!r} became {new!r}"


def said_otherwise(first: FirstLoop) -> tuple[str, ...]:
    """Return the beginnings of what is to be said otherwise: of the run that expired, and of the one whose key was
    revoked, which that version did not look at again (R3)."""
    items = first.documents[first.strict.job.tenant.organization]["/workflow-runs"]["items"]
    [(number, expired)] = [(number, item["id"]) for number, item in enumerate(items) if item["state"] == "expired"]
    digest = sha256_digest(first.strict.bundles["revoke"])
    [revoked] = [item["id"] for item in items if item.get("attestationDigest") == digest]
    reasons = (f"/workflow-runs/{expired}/run/reason: ''", f"/workflow-runs/items/{number}/reason: ''")
    verdict = (
        "verification/key/result: 'yes' became 'no'",
        "verification/key/reason",
        "verified: True",
        "limitsOfTrust",
    )
    return (*reasons, *(f"/workflow-runs/{revoked}/{place}" for place in verdict))


def is_news(line: str) -> bool:
    """Tell whether it is no contradiction: runs had no pages then, and a token is used by whoever looks."""
    return "/viewUrl: '' became" in line or "/lastUsedAt: " in line


def test_what_that_server_said_of_it_is_what_today_s_says(upgraded: Upgraded) -> None:
    found = []
    for job in upgraded.jobs:
        then, now = upgraded.first.documents[job.job.tenant.organization], look(job.job.tenant)
        found += [line for path in then for line in lost(then[path], now.get(path), path) if not is_news(line)]

    expected = said_otherwise(upgraded.first)
    assert [line for line in found if not line.startswith(expected)] == []
    assert len(found) == len(expected)


def test_every_bundle_is_there_byte_for_byte_and_verifies_as_it_did(upgraded: Upgraded, tmp_path: Path) -> None:
    reader = CommandLine(tmp_path)
    for then, job in zip((upgraded.first.strict, upgraded.first.lenient), upgraded.jobs, strict=True):
        for run, bundle in then.bundles.items():
            stored = job.job.tenant.request("GET", f"/attestations/{sha256_digest(bundle)}")
            assert (stored.status, stored.data) == (200, bundle)
            (tmp_path / "bundle.json").write_bytes(stored.data)
            key = {"retire": "retire.pub", "revoke": "revoke.pub", "unknown-key": "foreign.pub"}.get(run, "build.pub")
            verified = reader("attestation", "verify", "--bundle", "bundle.json", "--key", job.chainloop.folder / key)
            # Nobody signed it.
            assert verified.status == (9 if run == "unsigned" else 0), (run, verified)


def test_an_auditor_s_file_of_it_verifies_without_network(upgraded: Upgraded, tmp_path: Path) -> None:
    for then, job in zip((upgraded.first.strict, upgraded.first.lenient), upgraded.jobs, strict=True):
        tenant, name = job.job.tenant, f"{job.job.tenant.organization}.db"
        online = {"CHAINLOOP_CONTROL_PLANE_API": tenant.url, "CHAINLOOP_TOKEN": tenant.admin_token}
        exported = CommandLine(tmp_path, online)("audit", "export", name)

        verified = CommandLine(tmp_path)("audit", "verify", name, "-o", "json")

        assert exported.status == 0, exported
        assert verified.status == 0, verified
        assert verified.document["attestations"] >= len(then.bundles)


def test_its_client_ends_a_run_that_was_open_during_the_upgrade(upgraded: Upgraded) -> None:
    job = upgraded.jobs[0]
    run_id = run_id_of(upgraded.first.state("open"))

    job.push("open")

    run = job.job.tenant.call("GET", f"/workflow-runs/{run_id}")["run"]
    assert (run["state"], run["contractRevision"]) == ("success", 2)
    assert run["attestationDigest"] == sha256_digest(job.bundles["open"])


def test_its_client_attests_from_init_to_push_and_what_it_pushed_verifies(upgraded: Upgraded, tmp_path: Path) -> None:
    job = upgraded.jobs[0]
    job.begin("new", ASKED[-1])

    job.push("new")

    stored = job.job.tenant.request("GET", f"/attestations/{sha256_digest(job.bundles['new'])}")
    assert stored.data == job.bundles["new"]
    detail = job.job.tenant.call("GET", f"/workflow-runs/{job.job.runs()[0]['id']}")
    assert (detail["run"]["state"], detail["verified"]) == ("success", True)


def test_its_client_fails_as_it_did_and_says_what_to_do(upgraded: Upgraded) -> None:
    then = upgraded.first.refusals

    now = fail_in_every_way(upgraded.jobs[0], "now")

    assert {name: answer.status for name, answer in now.items()} == {name: one.status for name, one in then.items()}
    assert all(answer.stderr.count("ERR") == 1 and "hint: " in answer.stderr for answer in now.values()), now
    assert not any("Traceback" in answer.stderr for answer in now.values())
