"""Images that skopeo, umoci and buildah made: their digests are ours, and podman's auth file opens a registry."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainloop_ci.errors import ImageUnresolvedError, RegistryLoginError
from chainloop_ci.oci.resolve import resolve_image
from tests.integration.live import Answer, CommandLine
from tests.integration.registry import PASSWORD, USER, Registry, make_layout, start_registry

CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: image
spec:
  materials:
    - name: image
      type: CONTAINER_IMAGE
      output: true
"""


def run(*words: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in words], check=True, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    return done.stdout.strip()


def skopeo_copy(source: str, target: str, *options: str) -> None:
    run("skopeo", "copy", "--quiet", "--insecure-policy", *options, source, target)


def seen_by_skopeo(source: str) -> str:
    return run("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", source)


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[Registry]:
    folder = tmp_path / "registry"
    folder.mkdir()
    with start_registry(folder, protected=True) as running:
        yield running


@pytest.mark.real("skopeo")
@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_a_layout_of_skopeo_has_the_digest_that_skopeo_sees(tmp_path: Path, kind: str):
    make_layout(tmp_path / "made")
    skopeo_copy(f"oci:{tmp_path}/made:image", f"{kind}:{tmp_path}/copy.tar:v1")

    image = resolve_image("copy.tar", env={}, cwd=tmp_path)

    assert image.digest == seen_by_skopeo(f"{kind}:{tmp_path}/copy.tar:v1")
    assert image.name == "oci-layout:v1"


@pytest.mark.real("umoci", "skopeo")
def test_a_layout_of_umoci_with_two_images_needs_the_digest(tmp_path: Path):
    layout = tmp_path / "image"
    run("umoci", "init", "--layout", layout)
    for tag in ("first", "second"):
        run("umoci", "new", "--image", f"{layout}:{tag}")
        run("umoci", "config", "--image", f"{layout}:{tag}", "--config.label", f"made={tag}")
    second = seen_by_skopeo(f"oci:{layout}:second")

    with pytest.raises(ImageUnresolvedError) as caught:
        resolve_image("image", env={}, cwd=tmp_path)

    assert any(second in finding.message for finding in caught.value.findings)
    assert resolve_image(f"image@{second}", env={}, cwd=tmp_path).name == "oci-layout:second"


@pytest.mark.real("buildah", "skopeo")
def test_a_layout_of_buildah_has_the_digest_that_skopeo_sees(tmp_path: Path):
    env = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    buildah = ("buildah", "--root", tmp_path / "store", "--runroot", tmp_path / "run")
    container = run(*buildah, "from", "scratch", env=env)
    run(*buildah, "commit", "-q", container, "localhost/app:1", env=env)
    run(*buildah, "push", "-q", "localhost/app:1", f"oci:{tmp_path}/image:v1", env=env)

    image = resolve_image("image", env={}, cwd=tmp_path)

    assert image.digest == seen_by_skopeo(f"oci:{tmp_path}/image:v1")


@pytest.mark.real("docker-registry", "skopeo", "htpasswd", "buildah")
def test_what_buildah_login_writes_opens_a_registry(protected: Registry, tmp_path: Path):
    reference = protected.push_image("team/app", "1.2")
    auth_file = tmp_path / "run" / "containers" / "auth.json"
    login = ("buildah", "login", "--tls-verify=false", "-u", USER, "-p", PASSWORD)
    run(*login, protected.host, env={"REGISTRY_AUTH_FILE": str(auth_file)})

    named = resolve_image(reference, env={"REGISTRY_AUTH_FILE": str(auth_file)})
    found = resolve_image(reference, env={"XDG_RUNTIME_DIR": str(tmp_path / "run")})

    assert named == found
    assert found.tag == "1.2"


@pytest.mark.real("docker-registry", "skopeo", "htpasswd")
def test_a_login_that_fails_stops_and_the_value_never_becomes_a_text(protected: Registry, tmp_path: Path):
    reference = protected.push_image("team/app", "1.2")
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    chainloop = CommandLine(tmp_path)
    chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")

    with pytest.raises(RegistryLoginError):
        resolve_image(reference, env={})
    answer = chainloop("attestation", "add", "--value", reference, "--name", "other")
    status = chainloop("attestation", "status", "-o", "json")

    assert answer.status == 5, answer.stderr
    assert "other" not in json.dumps(status.document)


@pytest.mark.real("docker-registry", "skopeo", "htpasswd")
def test_an_index_of_platforms_keeps_its_digest_from_registry_to_layout(tmp_path: Path):
    layout = tmp_path / "multi"
    digest = multi_platform(layout)
    (tmp_path / "registry").mkdir()
    with start_registry(tmp_path / "registry") as registry:
        target = f"docker://{registry.host}/team/multi:1"
        skopeo_copy(f"oci:{layout}", target, "--all", "--preserve-digests", "--dest-tls-verify=false")

        pushed = resolve_image(target.removeprefix("docker://"), env={})

    assert (pushed.digest, resolve_image("multi", env={}, cwd=tmp_path).digest) == (digest, digest)


def multi_platform(folder: Path) -> str:
    """Write a layout of an index with two platforms and return the digest of the index."""
    from tests.unit.oci.layouts import Layout

    layout = Layout(folder)
    children = [
        {**layout.manifest(bytes(1024 * size)), "platform": {"os": "linux", "architecture": name}}
        for size, name in ((1, "amd64"), (2, "arm64"))
    ]
    return layout.add(layout.index(*children))


@pytest.mark.real("docker-registry", "skopeo", "htpasswd")
def test_an_image_that_was_never_pushed_says_what_to_do(tmp_path: Path):
    (tmp_path / "registry").mkdir()
    with start_registry(tmp_path / "registry") as registry, pytest.raises(ImageUnresolvedError) as caught:
        resolve_image(f"{registry.host}/team/absent:1", env={})

    assert "push the image before this step" in (caught.value.hint or "")
    assert "--output type=oci,dest=image.tar" in (caught.value.hint or "")


@pytest.mark.real("skopeo")
def test_a_layout_is_added_without_a_type_and_becomes_a_subject_s_image(tmp_path: Path):
    make_layout(tmp_path / "image")
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    chainloop = CommandLine(tmp_path)
    chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")

    by_contract = chainloop("attestation", "add", "--value", "image", "--name", "image")
    inferred = chainloop("attestation", "add", "--value", "./image", "-o", "json")

    assert by_contract.status == 0, by_contract.stderr
    assert inferred.status == 0, inferred.stderr
    assert seen_by_skopeo(f"oci:{tmp_path}/image:image") in inferred.stdout
    assert "CONTAINER_IMAGE" in inferred.stdout


def test_r22_a_layout_below_proc_is_refused(tmp_path: Path):
    make_layout(tmp_path / "image")
    (tmp_path / "contract.yaml").write_text(CONTRACT)
    chainloop = CommandLine(tmp_path)
    chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")

    answer = chainloop("attestation", "add", "--value", "/proc/self/cwd/image", "--name", "image")

    assert answer.status == 1
    assert "system folder" in answer.stderr


PROJECT_FILE = """\
attestations:
  - name: build
    workflow: build
    project: hello
    materials:
      - {{name: image, type: CONTAINER_IMAGE, value: "{value}"}}
"""


def craft_as_the_project_file_says(folder: Path, value: str, env: dict[str, str]) -> Answer:
    """Try the contract with the image that a `.chainloop.yml` names."""
    folder.mkdir(exist_ok=True)
    (folder / "contract.yaml").write_text(CONTRACT)
    (folder / ".chainloop.yml").write_text(PROJECT_FILE.format(value=value))
    return CommandLine(folder)("attestation", "craft", "--dry-run", "--contract", "contract.yaml", env=env)


@pytest.mark.real("docker-registry", "skopeo", "htpasswd")
@pytest.mark.parametrize(
    ("variable", "file"),
    [
        ("REGISTRY_AUTH_FILE", "auth.json"),
        ("XDG_RUNTIME_DIR", "containers/auth.json"),
        ("DOCKER_CONFIG", "config.json"),
        ("HOME", ".docker/config.json"),
    ],
)
def test_an_image_that_the_project_file_names_gets_the_machine_s_login(
    protected: Registry, tmp_path: Path, variable: str, file: str
):
    reference = protected.push_image("team/app", "1.2")
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    place = tmp_path / "machine" / file
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"auths": {protected.host: {"auth": auth}}}))
    named = place if variable == "REGISTRY_AUTH_FILE" else tmp_path / "machine"

    answer = craft_as_the_project_file_says(tmp_path / "workspace", reference, {variable: str(named)})

    assert answer.status == 0, answer.stderr


@pytest.mark.real("docker-registry", "skopeo", "htpasswd")
def test_an_image_without_a_login_is_told_with_everything_else_that_is_wrong(protected: Registry, tmp_path: Path):
    reference = protected.push_image("team/app", "1.2")
    (tmp_path / "contract.yaml").write_text(CONTRACT + "    - {name: version, type: STRING}\n")
    craft = ("attestation", "craft", "--dry-run", "--contract", "contract.yaml")

    answer = CommandLine(tmp_path)(*craft, "--material", f"image={reference}")

    assert answer.status == 3, answer.stderr
    assert "the material image: the registry" in answer.stderr
    assert "docker login" in answer.stderr
    assert "the material version (STRING) is required" in answer.stderr


@pytest.mark.parametrize("value", ["../outside", "{folder}/outside", "../machine/config.json", "/proc/self/environ"])
def test_r22_the_machine_s_login_lets_the_project_file_name_nothing_outside(tmp_path: Path, value: str):
    make_layout(tmp_path / "outside")
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine" / "config.json").write_text("{}")
    env = {"DOCKER_CONFIG": str(tmp_path / "machine")}

    answer = craft_as_the_project_file_says(tmp_path / "workspace", value.format(folder=tmp_path), env)

    assert answer.status in (1, 3), answer.stderr
    assert "leads out of the workspace" in answer.stderr
