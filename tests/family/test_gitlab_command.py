"""How the command gets into a GitLab job: from the image, from a checkout of ours, or by being told what to do."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.family.git_server import GitServer, git_server
from tests.family.gitlab import ROOT, Project, install_command, programs_without

SCRIPTS = ROOT / "gitlab" / "scripts"
SHELLS = {"bash": ["bash", "-eo", "pipefail"], "sh": ["sh", "-e"]}
"""As GitLab Runner starts them: bash where the image has it."""
JOB_TOKEN = "glcbt-64_job-token-of-the-test"


@dataclass(frozen=True)
class Image:
    """What a job of one image does."""

    folder: Path
    path: str
    shell: str = "bash"

    def run(self, *after: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the template's script, then lines of a job's own."""
        parts = [(SCRIPTS / f"{name}.sh").read_text() for name in ("find", "install")]
        (self.folder / "home").mkdir(exist_ok=True)
        job = {"PATH": self.path, "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder), "CI_JOB_ID": "91"}
        return subprocess.run(
            [*SHELLS[self.shell], "-c", "\n".join([*parts, *after])],
            cwd=self.folder,
            env={**job, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the programs of an image without Python."""
    return programs_without(tmp_path_factory.mktemp("image") / "bin", "python", "pip", "chainloop")


@pytest.fixture(params=sorted(SHELLS))
def image(request: pytest.FixtureRequest, tmp_path: Path, bare: str) -> Image:
    """Return an image without Python, with each of the shells."""
    return Image(tmp_path, bare, request.param)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout of ours: what is needed of it to install the command."""
    shutil.copytree(
        ROOT / "chainloop_ci", tmp_path / "ours" / "chainloop_ci", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "requirements", tmp_path / "ours" / "requirements")
    return tmp_path / "ours"


@pytest.fixture
def server(tmp_path: Path, checkout: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "git") as running:
        running.publish("acme/chainloop", checkout, tag="v0.1.0")
        yield running


def from_wheels(wheels: Path) -> dict[str, str]:
    return {"CHAINLOOP_INSTALL_PYTHON": sys.executable, "CHAINLOOP_INSTALL_WHEELS": str(wheels)}


# --- what a job is told -----------------------------------------------------------------------------------------------


def test_an_image_without_the_command_is_told_the_ways_to_get_it(image: Image) -> None:
    done = image.run("echo never reached", env={"CI_REGISTRY_IMAGE": "registry.gitlab.test/acme/app"})

    assert done.returncode == 1
    assert done.stdout == ""
    for words in (
        "no command `chainloop` in the image of this job",
        "docker build --target cli --tag registry.gitlab.test/acme/app/chainloop:1 .",
        "docker push registry.gitlab.test/acme/app/chainloop:1",
        "input `image`",
        "Python 3.11",
        "input `source`",
    ):
        assert words in done.stderr


def test_an_image_without_python_is_told_what_was_looked_for(image: Image, checkout: Path) -> None:
    done = image.run("echo never reached", env={"CHAINLOOP_INSTALL_SOURCE": str(checkout)})

    assert (done.returncode, done.stdout) == (1, "")
    assert "no Python 3.11 or newer with its module venv" in done.stderr
    assert "found: none" in done.stderr
    assert "docker build --target cli" in done.stderr


def test_a_python_that_is_too_old_is_named(image: Image, checkout: Path) -> None:
    old = image.folder / "old" / "python3"
    old.parent.mkdir()
    old.write_text(f'#!/bin/sh\necho "3.9.2 yes {old}"\n')
    old.chmod(0o755)

    done = Image(image.folder, f"{old.parent}:{image.path}", image.shell).run(
        env={"CHAINLOOP_INSTALL_SOURCE": str(checkout)}
    )

    assert done.returncode == 1
    assert f"found: python3 ({old}) is 3.9.2" in done.stderr


def test_a_program_that_is_no_python_is_not_taken_for_one(image: Image, checkout: Path) -> None:
    done = image.run(env={"CHAINLOOP_INSTALL_SOURCE": str(checkout), "CHAINLOOP_INSTALL_PYTHON": "true"})

    assert done.returncode == 1
    assert "found: true does not answer as Python 3 does" in done.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "no command"),
        ("{folder}", "requirements/client.txt is not in it"),
        ("http://127.0.0.1:9/x", "could not fetch"),
    ],
    ids=["none", "another folder", "no server"],
)
def test_a_source_that_is_none_is_named(image: Image, source: str, words: str) -> None:
    env = {"CHAINLOOP_INSTALL_SOURCE": source.format(folder=image.folder), "CHAINLOOP_INSTALL_PYTHON": sys.executable}

    done = image.run("echo never reached", env=env)

    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr


@pytest.mark.parametrize("source", ["https://127.0.0.1:9/acme/chainloop", "git@127.0.0.1:acme/chainloop.git"])
def test_an_address_is_never_a_folder_that_the_change_under_review_holds(image: Image, source: str) -> None:
    theirs = image.folder / source / "requirements" / "client.txt"
    theirs.parent.mkdir(parents=True)
    theirs.touch()

    done = image.run(env={"CHAINLOOP_INSTALL_SOURCE": source, "CHAINLOOP_INSTALL_PYTHON": sys.executable})

    assert done.returncode == 1
    assert "git could not fetch" in done.stderr


def test_without_git_a_source_is_a_folder(image: Image, tmp_path: Path) -> None:
    programs = programs_without(tmp_path / "no-git", "python", "pip", "chainloop", "git")
    env = {"CHAINLOOP_INSTALL_SOURCE": "https://gitlab.test/a.git", "CHAINLOOP_INSTALL_PYTHON": sys.executable}

    done = Image(image.folder, programs, image.shell).run(env=env)

    assert done.returncode == 1
    assert "no folder here, and there is no git" in done.stderr


# --- installing -------------------------------------------------------------------------------------------------------


def test_a_command_of_the_image_is_used_as_it_is(image: Image, tmp_path: Path) -> None:
    command = install_command(tmp_path / "image-bin")

    done = Image(image.folder, f"{command}:{image.path}", image.shell).run(
        "command -v chainloop", env={"CHAINLOOP_INSTALL_SOURCE": "/nowhere"}
    )

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"{command}/chainloop", "")


def test_the_command_is_installed_from_a_folder_without_an_index(image: Image, checkout: Path, wheels: Path) -> None:
    done = image.run("chainloop version", "env", env={"CHAINLOOP_INSTALL_SOURCE": str(checkout), **from_wheels(wheels)})

    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout
    assert "PIP_" not in done.stdout, "the job's own environment is as it was"


def test_the_job_s_own_settings_of_pip_put_the_packages_nowhere_else(
    image: Image, checkout: Path, wheels: Path
) -> None:
    theirs = {"PIP_TARGET": str(image.folder / "theirs"), "PIP_NO_BINARY": ":all:", "PIP_DRY_RUN": "1"}
    env = {"CHAINLOOP_INSTALL_SOURCE": str(checkout), **from_wheels(wheels), **theirs}

    done = image.run("chainloop version", "env", env=env)

    assert done.returncode == 0, done.stderr
    assert not (image.folder / "theirs").exists()
    assert f"PIP_TARGET={image.folder / 'theirs'}" in done.stdout, "the job's own environment is as it was"


def test_the_same_settings_of_pip_count_as_for_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "actions" / "_shared"))
    kept = re.search(r"PIP_\(([A-Z_|]+)\)", importlib.import_module("environment")._KEPT.pattern)
    assert kept
    script = (SCRIPTS / "install.sh").read_text()
    settings = script[script.index("chainloop_pip_settings() {") : script.index("chainloop_install() {")]

    here = {
        name for line in settings.splitlines() if line.endswith(";;") for name in re.findall(r"PIP_([A-Z_]+)", line)
    }

    assert here == set(kept[1].split("|"))


@pytest.fixture
def python_without_packages(tmp_path: Path) -> str:
    """Return a Python that seems to be one, and makes no environment: what comes before it is looked at."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$2" = -c ] && echo "3.12.0 yes {python}"\n')
    python.chmod(0o755)
    return str(python)


def fetch_from(server: GitServer, folder: Path, path: str, python: str, *, own_server: str) -> bool:
    """Fetch the source as a job of `own_server` does; tell whether it is there."""
    env = {
        "CI_SERVER_URL": own_server,
        "CI_JOB_TOKEN": JOB_TOKEN,
        "CHAINLOOP_INSTALL_SOURCE": f"{server.url}/acme/chainloop.git",
        "CHAINLOOP_INSTALL_REF": "v0.1.0",
        "CHAINLOOP_INSTALL_PYTHON": python,
    }
    Image(folder, path).run(env=env)
    return any(folder.glob("chainloop-91-*/source/chainloop_ci/__main__.py"))


@pytest.mark.parametrize("ours", [True, False], ids=["same server", "another"])
def test_only_the_jobs_own_server_gets_its_token(
    tmp_path: Path, bare: str, server: GitServer, python_without_packages: str, ours: bool
) -> None:
    with git_server(server.folder, is_private=True) as private:
        own = private.url if ours else "https://gitlab.test"

        fetched = fetch_from(private, tmp_path, bare, python_without_packages, own_server=own)

    assert fetched is ours
    given = {b64decode(header.removeprefix("Basic ")).decode() for header in private.credentials if header}
    assert given == ({f"gitlab-ci-token:{JOB_TOKEN}"} if ours else set())


def test_r23_a_server_that_the_jobs_own_one_leads_to_does_not_get_the_token(
    tmp_path: Path, bare: str, server: GitServer, python_without_packages: str
) -> None:
    with git_server(tmp_path / "empty", moved_to=server.url.replace("127.0.0.1", "localhost")) as own:
        fetched = fetch_from(own, tmp_path, bare, python_without_packages, own_server=own.url)

    assert fetched
    assert not any(server.credentials)


def test_t06_a_package_with_another_hash_is_not_installed(
    tmp_path: Path, bare: str, checkout: Path, wheels: Path
) -> None:
    poisoned = shutil.copytree(wheels, tmp_path / "wheels")
    wheel = next(poisoned.glob("click-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    env = {"CHAINLOOP_INSTALL_SOURCE": str(checkout), **from_wheels(poisoned)}

    done = Image(tmp_path, bare).run("echo never reached", env=env)

    assert (done.returncode, done.stdout) == (1, "")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr


def test_t06_no_source_package_is_built(tmp_path: Path, bare: str, checkout: Path, wheels: Path) -> None:
    sources = shutil.copytree(wheels, tmp_path / "wheels")
    wheel = next(sources.glob("click-*.whl"))
    wheel.rename(sources / f"click-{wheel.name.split('-')[1]}.tar.gz")
    env = {"CHAINLOOP_INSTALL_SOURCE": str(checkout), **from_wheels(sources)}

    done = Image(tmp_path, bare).run("echo never reached", env=env)

    assert (done.returncode, done.stdout) == (1, "")
    assert "No matching distribution found for click" in done.stderr


def test_what_the_job_imports_has_no_say_in_the_command(
    tmp_path: Path, bare: str, checkout: Path, wheels: Path
) -> None:
    for place in (tmp_path / "click", tmp_path / "theirs" / "click"):
        place.mkdir(parents=True)
        (place / "__init__.py").write_text("raise SystemExit('the job was imported')")
    theirs = {"PYTHONPATH": str(tmp_path / "theirs"), "PYTHONHOME": str(tmp_path)}

    done = Image(tmp_path, bare).run(
        f"PYTHONPATH={theirs['PYTHONPATH']} PYTHONHOME={theirs['PYTHONHOME']} chainloop version",
        env={"CHAINLOOP_INSTALL_SOURCE": str(checkout), **from_wheels(wheels)},
    )

    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout


def put_command(place: Path, folder: str = "chainloop-91") -> Path:
    """Put a command where an installation has it."""
    command = place / folder / "bin" / "chainloop"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho installed\n")
    command.chmod(0o755)
    return command


def test_after_script_finds_what_script_installed_though_another_place_is_there_now(image: Image) -> None:
    put_command(image.folder)
    (image.folder / "later").mkdir()

    done = image.run("chainloop", env={"RUNNER_TEMP_PROJECT_DIR": str(image.folder / "later")})

    assert (done.returncode, done.stdout) == (0, "installed\n"), done.stderr


def test_a_command_that_somebody_else_has_put_there_is_not_run(image: Image) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that is somebody else's")
    os.chown(put_command(image.folder).parents[1], 12345, 12345)

    done = image.run("chainloop")

    assert (done.returncode, done.stdout) == (1, "")
    assert "no command `chainloop`" in done.stderr


def home_of_job(image: Image, token: str) -> str:
    """Return the name of the folder that a job with this token installs the command in."""
    done = subprocess.run(
        [*SHELLS[image.shell], "-c", (SCRIPTS / "find.sh").read_text() + 'echo "$chainloop_home"'],
        env={"PATH": image.path, "TMPDIR": str(image.folder), "CI_JOB_ID": "91", "CI_JOB_TOKEN": token},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return Path(done.stdout.strip()).name


def test_a_command_that_an_earlier_job_has_left_for_this_one_is_not_run(image: Image) -> None:
    # The numbers of jobs to come can be foreseen; their tokens cannot.
    put_command(image.folder)
    put_command(image.folder, home_of_job(image, "the token of another job"))

    planted = image.run("chainloop", env={"CI_JOB_TOKEN": JOB_TOKEN})
    put_command(image.folder, home_of_job(image, JOB_TOKEN))
    own = image.run("chainloop", env={"CI_JOB_TOKEN": JOB_TOKEN})

    assert (planted.returncode, planted.stdout) == (1, "")
    assert "no command `chainloop`" in planted.stderr
    assert (own.returncode, own.stdout) == (0, "installed\n"), own.stderr


def test_a_link_to_a_folder_of_our_own_is_not_followed(image: Image) -> None:
    put_command(image.folder, "a checkout of theirs")
    (image.folder / "chainloop-91").symlink_to(image.folder / "a checkout of theirs")

    done = image.run("chainloop")

    assert (done.returncode, done.stdout) == (1, "")
    assert "no command `chainloop`" in done.stderr


# --- as a pipeline ----------------------------------------------------------------------------------------------------


@pytest.mark.real("gitlab-ci-local", "rsync")
def test_a_job_whose_image_has_no_command_says_what_to_do(tmp_path: Path, bare: str) -> None:
    project = Project(tmp_path / "project", system=bare)
    project.include({"dry-run": True})

    pipeline = project.run()

    assert pipeline.status == 1
    assert "no command `chainloop` in the image of this job" in pipeline.job("chainloop")


@pytest.mark.real("gitlab-ci-local", "rsync")
def test_a_job_of_an_image_with_python_installs_the_command(
    tmp_path: Path, bare: str, server: GitServer, wheels: Path
) -> None:
    project = Project(tmp_path / "project", {"CI_JOB_TOKEN": JOB_TOKEN}, system=bare)
    project.write("contract.yaml", CONTRACT)
    inputs = {"dry-run": True, "contract": "contract.yaml", "materials": "version=1.2.3"}
    source = {"source": f"{server.url}/acme/chainloop.git", "wheels": str(wheels), "python": sys.executable}
    project.include(inputs | source)

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert "material added" in pipeline.job("chainloop")
    assert {header[:6] for header in server.credentials} == {""}, "it is not the job's own server"
    assert JOB_TOKEN not in pipeline.log


CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: build
spec:
  materials:
    - name: version
      type: STRING
"""
