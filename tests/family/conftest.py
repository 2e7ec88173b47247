"""The same control plane that the integration tests use, and what the plugins' tests share."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.family.act import Repository, copy_action
from tests.integration.conftest import control_plane, job, tenant
from tests.integration.live import Job

__all__ = ["control_plane", "job", "tenant"]


@pytest.fixture(scope="session")
def wheels() -> Path:
    """Return the folder of the lock's wheels, which `.ci/install-tools` fills."""
    tools = Path(os.environ.get("CHAINLOOP_TOOLS") or Path.home() / ".cache" / "chainloop-tools")
    digest = hashlib.sha256((PROJECT / "requirements" / "client.txt").read_bytes()).hexdigest()[:16]
    folder = tools / "wheels" / f"{digest}-{sys.version_info[0]}.{sys.version_info[1]}"
    if not folder.is_dir():
        reason = f"needs the wheels of requirements/client.txt in {folder} (`make tools` fetches them)"
        (pytest.fail if os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all" else pytest.skip)(reason)
    return folder


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a machine keeps between jobs; one folder for all workers, so that packages are installed once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "machine"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def repository(job: Job, tmp_path: Path, kept: Path, wheels: Path) -> Repository:
    """Return a repository that has our action as its own, and whose jobs may attest as `job`."""
    made = Repository(tmp_path / "repository", kept)
    copy_action(made.folder)
    return _equip(made, job, wheels)


@pytest.fixture
def stranger(job: Job, tmp_path: Path, kept: Path, wheels: Path) -> Repository:
    """Return a repository that uses our action by its address, as `acme/chainloop@v1`."""
    made = Repository(tmp_path / "stranger", kept)
    made.local["acme/chainloop@v1"] = copy_action(tmp_path / "action")
    return _equip(made, job, wheels)


def _equip(repository: Repository, job: Job, wheels: Path) -> Repository:
    repository.env |= {
        "CHAINLOOP_INSTALL_WHEELS": str(wheels),
        "CHAINLOOP_INSTALL_PYTHON": sys.executable,
        "CHAINLOOP_CONTROL_PLANE_API": job.tenant.url,
        "CHAINLOOP_SIGNING_KEY": str(job.key),
    }
    repository.secrets |= {"CHAINLOOP_TOKEN": job.token}
    return repository
