"""The GitHub actions in a network whose only exit is a proxy with a password, with an authority of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane, free_port
from tests.family.composite import Composite
from tests.family.password_proxy import PASSWORD, PasswordProxy, password_proxy
from tests.integration.live import Job
from tests.integration.tls_proxy import Authority, start_proxy

pytestmark = [pytest.mark.real("nginx"), pytest.mark.xdist_group("nginx")]
NAME = "chainloop.test"
"""No resolver knows it: without the proxy it cannot be reached."""


@pytest.fixture
def proxy(control_plane: ControlPlane, tmp_path: Path) -> Iterator[PasswordProxy]:
    folder, port = tmp_path / "tls", free_port()
    folder.mkdir()
    authority = Authority("authority of the network")
    (tmp_path / "ca.pem").write_text(authority.pem)
    authority.issue(folder / "chainloop.crt", folder / "chainloop.key", names=(NAME,))
    with start_proxy(folder, port, control_plane.port), password_proxy(port) as running:
        yield running


@pytest.fixture
def machine(job: Job, proxy: PasswordProxy, tmp_path: Path, kept: Path, wheels: Path) -> Composite:
    made = Composite(tmp_path / "job", kept)
    (made.workspace / "app").write_text("built")
    made.env |= {
        "CHAINLOOP_INSTALL_WHEELS": str(wheels),
        "CHAINLOOP_CONTROL_PLANE_API": f"https://{NAME}",
        "CHAINLOOP_TOKEN": job.token,
        "CHAINLOOP_SIGNING_KEY": str(job.key),
        "CHAINLOOP_CA_BUNDLE": str(tmp_path / "ca.pem"),
        "CHAINLOOP_PATIENCE_SECONDS": "1",
    }
    return made


INPUTS = {"project": "hello", "workflow": "build", "materials": "binary=app\nversion=1.2.3"}


def test_a_step_attests_through_the_proxy_and_trusts_the_authority(
    machine: Composite, proxy: PasswordProxy, job: Job
) -> None:
    done = machine.run("craft", {**INPUTS, "proxy": proxy.address()})

    assert done.status == 0, done.log
    assert [run["state"] for run in job.runs()] == ["success"]
    assert set(proxy.asked) == {f"{NAME}:443"}


def test_a_proxy_that_refuses_is_code_6_and_its_password_is_never_shown(
    machine: Composite, proxy: PasswordProxy, job: Job
) -> None:
    done = machine.run("craft", {**INPUTS, "proxy": proxy.address("another-word")})

    assert done.status == 6, done.log
    assert proxy.refused
    shown = [line for line in done.log.splitlines() if not line.startswith("::add-mask::")]
    assert not any("another-word" in line for line in shown)
    assert "another-word" not in done.summary
    assert job.runs() == []


def test_no_proxy_is_obeyed(machine: Composite, proxy: PasswordProxy) -> None:
    done = machine.run("craft", {**INPUTS, "proxy": proxy.address(), "no-proxy": f"other.test,{NAME}"})

    assert done.status == 6, done.log
    assert (proxy.asked, proxy.refused) == ([], 0)


def test_without_the_authority_the_connection_is_not_trusted(machine: Composite, proxy: PasswordProxy) -> None:
    machine.env["CHAINLOOP_CA_BUNDLE"] = ""

    done = machine.run("craft", {**INPUTS, "proxy": proxy.address()})

    assert done.status != 0
    assert "certificate" in done.log


def test_the_authorities_of_the_machine_stay_trusted(machine: Composite, proxy: PasswordProxy) -> None:
    machine.run("craft", {**INPUTS, "proxy": proxy.address()})

    [bundle] = (machine.folder / "temp" / "chainloop").glob("ca-*.pem")
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 1


def test_the_password_of_the_proxy_is_masked_first(machine: Composite, proxy: PasswordProxy) -> None:
    done = machine.run("craft", {**INPUTS, "proxy": proxy.address()})

    masks = [line for line in done.log.splitlines()[:6] if line.startswith("::add-mask::")]
    assert f"::add-mask::{PASSWORD}" in masks
