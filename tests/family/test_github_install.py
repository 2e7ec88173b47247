"""How the command gets into a job on GitHub: whole, from the lock alone, once for a machine."""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.family.composite import Composite

NOT_CRAFTED = "no attestation is being crafted here"
"""What `status` says of a job that has none: the command was reached."""


@pytest.fixture
def machine(tmp_path: Path, wheels: Path) -> Composite:
    """Return a machine that keeps nothing yet, with the lock's wheels and uv: the faster of the two installers."""
    made = Composite(tmp_path / "job", tmp_path / "kept")
    made.env |= {"CHAINLOOP_INSTALL_WHEELS": str(wheels)}
    with_uv(made)
    return made


@pytest.fixture
def warm(tmp_path: Path, wheels: Path, kept: Path) -> Composite:
    """Return a machine of which an earlier job has made use."""
    made = Composite(tmp_path / "job", kept)
    made.env |= {"CHAINLOOP_INSTALL_WHEELS": str(wheels)}
    return made


def kept_folders(machine: Composite) -> list[str]:
    return sorted(path.name.split("-")[0] for path in (machine.kept / "chainloop").iterdir())


def copy_wheels(wheels: Path, target: Path) -> Path:
    return Path(shutil.copytree(wheels, target))


def with_uv(machine: Composite) -> None:
    folder = machine.folder / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "sort", "git"):
        (folder / name).symlink_to(shutil.which(name) or name)
    (folder / "uv").symlink_to(Path(sys.executable).parent / "uv")
    machine.env["PATH"] = str(folder)


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest, machine: Composite) -> Composite:
    """Return the machine with one of the two installers."""
    if request.param == "pip":
        (machine.folder / "bin" / "uv").unlink()
    return machine


def test_a_second_step_uses_what_the_first_one_installed(installer: Composite) -> None:
    first = installer.run("status")
    installer.env["CHAINLOOP_INSTALL_WHEELS"] = ""  # nothing is left to install
    second = installer.run("status")

    assert NOT_CRAFTED in first.log, first.log
    assert NOT_CRAFTED in second.log, second.log
    assert kept_folders(installer) == ["code", "env"]


def test_t05_a_wheel_with_a_flipped_byte_is_refused_by_its_hash(installer: Composite, wheels: Path) -> None:
    own = copy_wheels(wheels, installer.folder / "wheels")
    [wheel] = own.glob("click-*.whl")
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    installer.env["CHAINLOOP_INSTALL_WHEELS"] = str(own)

    refused = installer.run("status")

    assert refused.status == 1
    assert "::error title=Chainloop cannot be installed::a package is not the one of the lock" in refused.log
    assert kept_folders(installer) == []


def test_t06_a_higher_version_in_the_folder_is_not_taken(installer: Composite, wheels: Path) -> None:
    own = copy_wheels(wheels, installer.folder / "wheels")
    write_wheel(own, "click", "99.0.0")
    write_wheel(own, "chainloop_ci", "99.0.0")
    installer.env["CHAINLOOP_INSTALL_WHEELS"] = str(own)

    done = installer.run("status")

    assert NOT_CRAFTED in done.log, done.log
    assert not list((installer.kept / "chainloop").rglob("click-99*"))
    assert not list((installer.kept / "chainloop").rglob("chainloop_ci-99*"))


def write_wheel(folder: Path, name: str, version: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        info = f"{name}-{version}.dist-info"
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('somebody else')\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_a_missing_wheel_is_said_with_what_the_installer_printed(installer: Composite, wheels: Path) -> None:
    own = copy_wheels(wheels, installer.folder / "wheels")
    next(own.glob("oras-*.whl")).unlink()
    installer.env["CHAINLOOP_INSTALL_WHEELS"] = str(own)

    refused = installer.run("status")

    assert refused.status == 1
    assert "oras" in refused.log
    assert refused.log.count("::error") == 1
    assert "::group::What the installer printed" in refused.log


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("wheels", "nowhere", "input wheels: expected a folder, found none at 'nowhere'"),
        ("package-index", "ftp://x", "input package-index: expected an address that begins with https://"),
        ("proxy", "socks5://proxy:3128", "input proxy: expected an address like http://"),
        ("ca-bundle", "nowhere.pem", "input ca-bundle: 'nowhere.pem' cannot be read"),
    ],
)
def test_an_input_that_cannot_be_used_is_named(machine: Composite, name: str, value: str, said: str) -> None:
    machine.env["CHAINLOOP_INSTALL_WHEELS"] = ""

    refused = machine.run("status", {name: value})

    assert refused.status == 1
    assert f"::error title=Chainloop cannot be installed::{said}" in refused.log


def test_an_index_that_does_not_answer_is_unreachable(installer: Composite) -> None:
    installer.env["CHAINLOOP_INSTALL_WHEELS"] = ""
    installer.env |= {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}

    refused = installer.run("status", {"package-index": "http://user:hidden-word@127.0.0.1:9/simple"})

    assert refused.status == 6, refused.log
    assert "the package index did not answer" in refused.log
    assert "hidden-word" not in refused.log.replace("::add-mask::hidden-word\n", "")


def test_two_jobs_of_a_machine_may_install_at_once(machine: Composite, wheels: Path) -> None:
    jobs = [Composite(machine.folder / str(number), machine.kept, dict(machine.env)) for number in range(3)]

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda job: job.run("status", timeout_seconds=300), jobs))

    assert [NOT_CRAFTED in entry.log for entry in done] == [True] * 3, [entry.log for entry in done]
    assert kept_folders(machine) == ["code", "env"]


def test_what_a_killed_install_left_is_not_used(machine: Composite) -> None:
    machine.run("status")
    [environment] = (machine.kept / "chainloop").glob("env-*")
    (environment / ".complete").unlink()
    shutil.rmtree(environment / "lib")

    done = machine.run("status")

    assert NOT_CRAFTED in done.log, done.log


def test_an_environment_whose_python_is_gone_is_made_anew(machine: Composite) -> None:
    machine.run("status")
    [environment] = (machine.kept / "chainloop").glob("env-*")
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to("/nowhere/python3")

    done = machine.run("status")

    assert NOT_CRAFTED in done.log, done.log


def test_a_machine_that_keeps_nothing_installs_for_the_job(machine: Composite) -> None:
    machine.env["RUNNER_TOOL_CACHE"] = "/proc/nowhere"

    done = machine.run("status")

    assert NOT_CRAFTED in done.log, done.log
    assert list((machine.folder / "temp" / "chainloop").glob("env-*"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("PYTHONPATH", "{trap}"), ("PYTHONHOME", "{trap}"), ("PIP_TARGET", "{trap}"), ("VIRTUAL_ENV", "{trap}")],
)
def test_the_job_s_own_python_settings_do_not_count(warm: Composite, name: str, value: str) -> None:
    trap = warm.folder / "trap"
    for module in ("click", "chainloop_ci", "log"):
        (trap / module).mkdir(parents=True)
        (trap / module / "__init__.py").write_text("raise SystemExit('the job s own module')\n")
    warm.env[name] = value.format(trap=trap)

    done = warm.run("status")

    assert NOT_CRAFTED in done.log, done.log


def test_modules_in_the_workspace_are_not_imported(warm: Composite) -> None:
    for module in ("click", "chainloop_ci", "log", "json"):
        (warm.workspace / f"{module}.py").write_text("raise SystemExit('the workspace s module')\n")

    done = warm.run("status")

    assert NOT_CRAFTED in done.log, done.log


def test_nothing_is_written_for_later_steps(warm: Composite) -> None:
    done = warm.run("status")

    assert (done.env, done.path) == ({}, "")


def test_nothing_is_written_into_the_checkout_of_the_action(warm: Composite) -> None:
    def files() -> list[Path]:
        # Other tests import what lies there.
        return sorted(path for path in (PROJECT / "actions").rglob("*") if "__pycache__" not in path.parts)

    before = files()

    warm.run("status")

    assert files() == before


def test_the_builder_is_the_digest_of_the_files_that_run(warm: Composite) -> None:
    warm.run("status")

    [record] = list((warm.kept / "chainloop").glob(f"code-{digest_of_code(warm)}*/chainloop_ci-*.dist-info/RECORD"))
    for name, digest in rows(record):
        content = (record.parents[1] / name).read_bytes()
        assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    files = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "chainloop_ci").rglob("*") if path.is_file()}
    assert {name for name, _ in rows(record) if ".dist-info" not in name} == {
        name for name in files if "__pycache__" not in name
    }


def digest_of_code(machine: Composite) -> str:
    """Return the beginning of the name of the newest code folder."""
    newest = max((machine.kept / "chainloop").glob("code-*"), key=lambda path: path.stat().st_mtime_ns)
    record = next(newest.glob("*.dist-info/RECORD")).read_bytes()
    assert newest.name == f"code-{hashlib.sha256(record).hexdigest()[:24]}"
    return newest.name.removeprefix("code-")


def rows(record: Path) -> Iterator[tuple[str, str]]:
    for line in record.read_text(encoding="utf-8").splitlines():
        name, digest, _ = line.rsplit(",", 2)
        if digest:
            yield name, digest


def test_another_commit_of_the_action_gets_a_folder_of_its_own(machine: Composite, tmp_path: Path) -> None:
    from tests.family.act import copy_action

    other = Composite(tmp_path / "other", machine.kept, dict(machine.env), action=copy_action(tmp_path / "action"))
    (other.action / "chainloop_ci" / "cli" / "version.py").write_text("# changed\n")

    machine.run("status")
    other.run("status")

    assert kept_folders(machine) == ["code", "code", "env"]
