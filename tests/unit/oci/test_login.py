"""Where the login for a registry is looked for: podman's auth file (containers-auth.json(5)) and docker's."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from chainloop_ci.errors import PathRefusedError
from chainloop_ci.oci.login import MAX_FILE_BYTES, Login, auth_files, find_login
from chainloop_ci.workspace.paths import open_material


def auth(user: str, password: str = "s3cret") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(path: Path, **config: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def find(env: dict[str, str], name: str = "quay.io/acme/app") -> tuple[Login | None, list[str]]:
    notes: list[str] = []
    return find_login(name, env, None, open_material, notes), notes


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "REGISTRY_AUTH_FILE": str(tmp_path / "named.json"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "HOME": str(tmp_path / "home"),
    }


def places(folder: Path) -> list[Path]:
    return [
        folder / "named.json",
        folder / "run" / "containers" / "auth.json",
        folder / "home" / ".config" / "containers" / "auth.json",
        folder / "home" / ".docker" / "config.json",
    ]


def test_the_files_have_an_order(env: dict[str, str], tmp_path: Path):
    assert auth_files(env) == places(tmp_path)


@pytest.mark.parametrize("first", range(4))
def test_the_first_file_that_has_a_login_counts(env: dict[str, str], tmp_path: Path, first: int):
    for number, path in enumerate(places(tmp_path)):
        write(path, auths={"quay.io": auth(f"user{number}")} if number >= first else {"ghcr.io": auth("other")})

    login, _ = find(env)

    assert login is not None
    assert (login.username, login.origin) == (f"user{first}", str(places(tmp_path)[first]))


def test_the_longest_key_that_fits_counts(env: dict[str, str], tmp_path: Path):
    auths = {"quay.io": auth("host"), "quay.io/acme": auth("team"), "quay.io/acme/ap": auth("near")}
    write(tmp_path / "named.json", auths={**auths, "quay.io/acme/app/deep": auth("deep")})

    found = [login.username for name in ("quay.io/acme/app", "quay.io/other") if (login := find(env, name)[0])]

    assert found == ["team", "host"]


@pytest.mark.parametrize("key", ["docker.io", "https://index.docker.io/v1/", "docker.io/library", "index.docker.io"])
def test_docker_s_own_registry_has_many_names(env: dict[str, str], tmp_path: Path, key: str):
    write(tmp_path / "named.json", auths={key: auth("hub")})

    login, _ = find(env, "index.docker.io/library/nginx")

    assert login is not None
    assert login.username == "hub"


def test_an_identity_token_is_known_as_one(env: dict[str, str], tmp_path: Path):
    write(tmp_path / "named.json", auths={"quay.io": {"identitytoken": "refresh"}})

    login, _ = find(env)

    assert login == Login("<token>", "refresh", str(tmp_path / "named.json"), identity=True)


@pytest.mark.parametrize("config", [{"credHelpers": {"quay.io": "test"}}, {"credsStore": "test"}])
def test_a_credential_helper_of_podman_s_file_is_asked(env: dict[str, str], tmp_path: Path, config: dict[str, object]):
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"at-$host\\", \\"Secret\\": \\"s\\"}"\n')
    helper.chmod(0o755)
    write(tmp_path / "named.json", **config)

    login, _ = find({**env, "PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert login is not None
    assert (login.username, login.origin) == ("at-quay.io", "docker-credential-test")


@pytest.mark.parametrize(
    "content",
    [
        "", "no json", "[]", '{"auths": []}', '{"auths": {"quay.io": {"auth": "%"}}}', "[" * 99999,
        r'{"auths": {"quay.io": {"username": "\ud800", "password": "b"}}}',
        r'{"auths": {"quay.io": {"identitytoken": "\udfff"}}}',
        r'{"auths": {"quay.io": {"identitytoken": "\udcff"}}}',
        r'{"auths": {"quay.io": {"username": "a", "password": "\udc80"}}}',
    ],
)  # fmt: skip
def test_a_broken_file_is_noted_and_the_next_one_is_read(env: dict[str, str], tmp_path: Path, content: str):
    (tmp_path / "named.json").write_text(content)
    write(places(tmp_path)[-1], auths={"quay.io": auth("docker")})

    login, notes = find(env)

    assert login is not None
    assert login.username == "docker"
    assert str(tmp_path / "named.json") in notes[0]


def test_a_helper_that_answers_no_text_is_noted(env: dict[str, str], tmp_path: Path):
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\necho "{\\"Username\\": \\"a\\", \\"Secret\\": \\"\\\\ud800\\"}"\n')
    helper.chmod(0o755)
    write(tmp_path / "named.json", credsStore="test")

    login, notes = find({**env, "PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert login is None
    assert "cannot be used" in notes[0]


def test_a_password_of_bytes_that_are_no_text_goes_as_these_bytes():
    typed = b"caf\xe9".decode("utf-8", "surrogateescape")

    assert base64.b64decode(Login("ci", typed, "here").basic.removeprefix("Basic ")) == b"ci:caf\xe9"


def test_a_file_without_end_is_not_read(env: dict[str, str], tmp_path: Path):
    (tmp_path / "named.json").write_bytes(b" " * (MAX_FILE_BYTES + 1))

    assert "cannot be used" in find(env)[1][0]


def test_r22_a_pipe_in_place_of_the_file_is_not_waited_for(env: dict[str, str], tmp_path: Path):
    os.mkfifo(tmp_path / "named.json")

    login, notes = find(env)

    assert login is None
    assert PathRefusedError.__name__ in notes[0]


def test_a_login_is_never_shown():
    assert "s3cret" not in repr(Login("ci", "s3cret", "here"))
