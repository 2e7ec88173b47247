"""The Dockerfile's images, built and run: a job in the first one, its control plane in the second."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainloop_ci import __version__
from examples.demo.control_plane import free_port
from tests.conftest import PROJECT
from tests.family.containers import USER, Builder, Container, Image, missing_parts
from tests.integration.live import CONTRACT, Tenant
from tests.soak.plane import wait_for

pytestmark = [pytest.mark.real("buildah", "debootstrap"), pytest.mark.xdist_group("images")]

START_SECONDS = 120
JOB_FOLDER = "/builds/hello"
DATA = "/var/lib/chainloop"
OWNER = int(USER.partition(":")[0])


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """Return what builds images, with the base of them."""
    missing = missing_parts()
    if missing or os.geteuid() != 0:
        reason = f"needs root, and what `.ci/install-tools --system` makes: {', '.join(missing) or 'all there'}"
        (pytest.fail if os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all" else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("images")
    made = Builder(folder)
    made.make_base()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def cli(builder: Builder) -> Image:
    """Return the image that jobs run in."""
    return builder.build("cli")


@pytest.fixture(scope="module")
def server(builder: Builder) -> Image:
    """Return the control plane's image."""
    return builder.build("server")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return a checkout with a contract and a file, as a runner hands it to the image's user."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "app").write_bytes(b"built")
    (folder / "contract.yaml").write_text(CONTRACT)
    for words in (
        ["init", "--quiet"],
        ["add", "app"],
        ["-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "Build"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    give(folder)
    return folder


def give(folder: Path) -> None:
    """Hand a folder over to the images' user."""
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, OWNER, OWNER)


class Served:
    """The control plane's image, running over one volume."""

    def __init__(self, image: Image, volume: Path) -> None:
        self.image = image
        self.volume = volume
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {"PORT": str(self.port), "CHAINLOOP_WORKERS": "1"}
        self.container: Container | None = None

    def start(self) -> Container:
        """Start it and wait until the health check passes."""
        container = self.container = self.image.start(env=self.env, mounts={self.volume: DATA})

        def is_healthy() -> bool:
            assert container.process.poll() is None, container.process.communicate()
            return self.is_healthy()

        wait_for(is_healthy, "a healthy control plane", seconds=START_SECONDS)
        return container

    def is_healthy(self) -> bool:
        """Run the image's own health check in it."""
        assert self.container is not None
        [kind, *command] = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.container.first is not None and self.image.enter(self.container, command, self.env).status == 0

    def stop(self) -> None:
        """End what still runs."""
        if self.container is not None and self.container.process.poll() is None:
            self.container.kill()

    def tenant(self, folder: Path) -> Tenant:
        """Return a new organization."""
        return Tenant(self.url, (self.volume / "admin-token").read_text().strip(), folder)


@pytest.fixture
def served(server: Image, tmp_path: Path) -> Iterator[Served]:
    """Return a control plane that is not started yet, over an empty volume of the image's user."""
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o700)
    give(volume)
    made = Served(server, volume)
    yield made
    made.stop()


def test_the_command_says_its_version(cli: Image) -> None:
    answer = cli.run("chainloop", "version")

    assert (answer.status, __version__ in answer.stdout) == (0, True), answer


def test_a_job_has_a_shell_and_its_own_python_and_is_not_root(cli: Image) -> None:
    answer = cli.run("sh", "-c", "id -u; command -v python3; touch /x || echo read-only")

    assert answer.stdout.split() == [str(OWNER), "/usr/bin/python3", "read-only"]


def test_a_whole_dry_run_in_a_job(cli: Image, workspace: Path) -> None:
    commit = subprocess.run(
        ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"],
        cwd=workspace, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    script = (
        "chainloop attestation craft --dry-run --contract contract.yaml --material binary=app --material version=1"
        " && chainloop attestation status -o json --full"
    )

    answer = cli.run("sh", "-ec", script, mounts={workspace: JOB_FOLDER}, folder=JOB_FOLDER)

    assert answer.status == 0, answer.stderr
    assert commit in answer.stdout


def test_the_builder_of_an_attestation_has_the_digest_of_what_is_installed(cli: Image) -> None:
    script = "import chainloop_ci.cli.builder as b; print(b.builder_id())"

    answer = cli.run("/opt/chainloop/bin/python", "-I", "-c", script)

    assert re.search(r"@sha256:[0-9a-f]{64}$", answer.stdout.strip()), answer


def test_an_attestation_outlives_its_control_plane_in_the_volume(
    cli: Image, served: Served, workspace: Path, tmp_path: Path
) -> None:
    first = served.start()
    job = served.tenant(tmp_path).job()
    shutil.copy(job.key, workspace / "signing.key")
    give(workspace)
    own = {"CHAINLOOP_SIGNING_KEY": "signing.key", "CHAINLOOP_LOCAL_STATE_PATH": "/dev/shm/state.json"}

    attested = cli.run(
        "chainloop", "attestation", "craft", "--material", "binary=app", "--material", "version=1",
        env={**job.chainloop.env, **own}, mounts={workspace: JOB_FOLDER}, folder=JOB_FOLDER,
    )  # fmt: skip
    stopped = first.end()
    served.start()

    assert attested.status == 0, attested.stderr
    assert stopped.status == 0, stopped.stderr
    assert [run["state"] for run in job.runs()] == ["success"]
    ready = job.tenant._http.request("GET", f"{served.url}/readyz")
    assert (ready.status, json.loads(ready.data)["status"]) == (200, "ready")


def test_r47_the_instance_token_is_a_private_file_of_the_volume_and_in_no_log(served: Served) -> None:
    ended = served.start().end()

    file = served.volume / "admin-token"
    assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, OWNER)
    assert {path.stat().st_mode & 0o077 for path in served.volume.rglob("*") if path.name != "lost+found"} == {0}
    assert file.read_text().strip() not in ended.stdout + ended.stderr


def test_the_control_plane_is_process_one_and_not_root(served: Served) -> None:
    container = served.start()

    status = Path(f"/proc/{container.first}/status").read_text()
    assert f"Uid:\t{OWNER}\t{OWNER}\t{OWNER}\t{OWNER}" in status
    assert re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)


def test_the_operator_s_commands_work_in_the_image(served: Served) -> None:
    served.start().end()

    saved = served.image.run("backup", f"{DATA}/before", env=served.env, mounts={served.volume: DATA})
    looked = served.image.run("doctor", env=served.env, mounts={served.volume: DATA})

    assert (saved.status, looked.status) == (0, 0), (saved, looked)
    assert (served.volume / "before" / "manifest.json").is_file()


def test_one_volume_and_one_port_are_all_that_an_engine_has_to_know(server: Image) -> None:
    assert set(server.config["Volumes"]) == {DATA}
    assert set(server.config["ExposedPorts"]) == {"8080/tcp"}
    assert server.config["User"] == USER


@pytest.mark.parametrize("name", ["cli", "server"])
def test_an_image_holds_only_what_it_runs(name: str, request: pytest.FixtureRequest) -> None:
    image: Image = request.getfixturevalue(name)

    packages = next(image.root.glob("opt/chainloop/lib/python3.*/site-packages"))
    assert {"pip", "hatchling", "pytest"} & {path.name for path in packages.iterdir()} == set()
    assert (packages / "server").is_dir() is (name == "server")
    assert not (image.root / "build").exists()
    assert list(image.root.glob("**/chainloop/.git")) == []


def test_every_package_of_an_image_is_locked_by_hash() -> None:
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")

    installs = re.findall(r"pip (?:--python \S+ )?install ([^&\n]+)", text)
    assert len(installs) == 4
    for words in installs:
        assert "--require-hashes" in words or "--no-index --no-deps wheel/" in words, words
