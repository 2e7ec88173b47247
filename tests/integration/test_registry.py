"""Images in a real registry: our digest is skopeo's (must show 6)."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainloop_ci.crafting.ports import RegistryCredentials
from chainloop_ci.errors import ImageUnresolvedError, RegistryLoginError, UnreachableError
from chainloop_ci.oci.resolve import resolve_image
from tests.integration.registry import PASSWORD, USER, Registry, start_registry

real = pytest.mark.real("docker-registry", "skopeo", "htpasswd")


@pytest.fixture
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """Run a registry, with a password when the test asks for one."""
    with start_registry(tmp_path, protected=getattr(request, "param", False)) as running:
        yield running


def skopeo_digest(registry: Registry, reference: str) -> str:
    login = ["--creds", f"{USER}:{PASSWORD}"] if registry.protected else []
    answer = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", *login, "--format", "{{.Digest}}", f"docker://{reference}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout.strip()


@real
@pytest.mark.parametrize("registry", [False, True], indirect=True, ids=["open", "with password"])
def test_a_tag_has_the_digest_that_skopeo_sees(registry: Registry) -> None:
    reference = registry.push_image("team/app", "1.2")
    credentials = RegistryCredentials(registry.host, USER, PASSWORD) if registry.protected else None

    image = resolve_image(reference, env={}, credentials=credentials)

    assert image.digest == skopeo_digest(registry, reference)
    assert (image.name, image.tag, image.has_latest_tag) == (f"{registry.host}/team/app", "1.2", False)


@real
def test_a_tag_that_latest_points_to_as_well_is_the_latest(registry: Registry) -> None:
    reference = registry.push_image("team/app", "1.2")
    registry.push_image("team/app", "latest")

    assert resolve_image(reference, env={}).has_latest_tag is True


@real
@pytest.mark.parametrize("registry", [True], indirect=True)
def test_the_docker_configuration_opens_a_registry_with_password(registry: Registry, tmp_path: Path) -> None:
    reference = registry.push_image("team/app", "1.2")
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))

    assert resolve_image(reference, env={"DOCKER_CONFIG": str(tmp_path)}).digest == skopeo_digest(registry, reference)


@real
@pytest.mark.parametrize("registry", [True], indirect=True)
@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_login_that_fails_names_the_user_and_not_the_password(registry: Registry, password: str | None) -> None:
    reference = registry.push_image("team/app", "1.2")
    credentials = RegistryCredentials(registry.host, USER, password) if password else None

    with pytest.raises(RegistryLoginError, match=f"user {USER}" if password else "no login") as caught:
        resolve_image(reference, env={}, credentials=credentials)

    assert "wrong" not in str(caught.value)


@real
def test_an_image_that_was_never_pushed_is_unresolved(registry: Registry) -> None:
    with pytest.raises(ImageUnresolvedError, match="knows no"):
        resolve_image(f"{registry.host}/team/absent:1", env={})


def test_a_registry_that_is_down_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(UnreachableError, match=host):
        resolve_image(f"{host}/team/app:1", env={}, pause=lambda seconds: None)
