from __future__ import annotations

import base64
from pathlib import Path

import pytest

from chainloop_ci.cli.attestation import REPORTED
from chainloop_ci.cli.plugin_inputs import CONNECTION, INSTALL, step_inputs
from chainloop_ci.cli.report_secrets import find_secrets
from tests.unit.cli.conftest import Screen, TestWorld

PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----"


def secrets_of(tmp_path: Path, typed: dict[str, str] | None = None, **env: str) -> set[str]:
    world = TestWorld(
        env={"XDG_CONFIG_HOME": str(tmp_path), **env}, cwd=tmp_path, stdin=Screen(), stdout=Screen(), stderr=Screen()
    )
    return set(find_secrets(world, typed or {})) - {""}


def test_what_was_typed_and_what_stands_in_variables(tmp_path: Path) -> None:
    found = secrets_of(
        tmp_path,
        {"token": "typed-token", "registry_password": "typed-password"},
        CHAINLOOP_TOKEN="token",
        CHAINLOOP_SIGNING_PASSWORD="pass",
    )

    assert found == {"typed-token", "typed-password", "token", "pass"}


def test_what_the_configuration_keeps(tmp_path: Path) -> None:
    (tmp_path / "chainloop").mkdir()
    (tmp_path / "chainloop" / "config.toml").write_text('token = "kept-token"\nsigning-key = "build.key"\n')

    assert secrets_of(tmp_path) == {"kept-token"}


def test_a_configuration_that_cannot_be_read_is_told_by_others(tmp_path: Path) -> None:
    (tmp_path / "chainloop").mkdir()
    (tmp_path / "chainloop" / "config.toml").write_text("token = ")

    assert secrets_of(tmp_path) == set()


@pytest.mark.parametrize(
    ("reference", "masked"),
    [
        (PEM, {PEM}),
        (base64.b64encode(PEM.encode()).decode(), {PEM, base64.b64encode(PEM.encode()).decode()}),
        ("env://KEY", {PEM}),
        ("env://NONE", set()),
        ("build.key", set()),
        ("keys", set()),
    ],
)
def test_a_key_is_masked_and_the_place_of_one_is_not(tmp_path: Path, reference: str, masked: set[str]) -> None:
    assert secrets_of(tmp_path, KEY=PEM, CHAINLOOP_SIGNING_KEY=reference) == masked
    assert secrets_of(tmp_path, {"key": reference}, KEY=PEM) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("http://user:s3cret@proxy.test:3128", {"s3cret"}),
        ("user:s3%20cret@proxy.test", {"s3%20cret", "s3 cret"}),
        ("http://proxy.test", set()),
        ("http://[", set()),
    ],
)
@pytest.mark.parametrize("name", ["CHAINLOOP_PROXY", "HTTPS_PROXY", "http_proxy"])
def test_the_password_of_a_proxy(tmp_path: Path, name: str, address: str, masked: set[str]) -> None:
    assert secrets_of(tmp_path, **{name: address}) == masked


def test_every_secret_input_of_the_plugins_is_masked(tmp_path: Path) -> None:
    inputs = [*CONNECTION, *INSTALL, *(entry for command in REPORTED for entry in step_inputs(command))]
    names = {entry.env for entry in inputs if entry.secret}
    forms = {"CHAINLOOP_PROXY": "http://user:{}@proxy.test:3128", "CHAINLOOP_SIGNING_KEY": "-----BEGIN {}"}
    env = {name: forms.get(name, "{}").format(f"of-{name.lower()}") for name in names}

    masked = " ".join(secrets_of(tmp_path, **env))

    assert [name for name in names if f"of-{name.lower()}" not in masked] == []
