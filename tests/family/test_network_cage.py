"""Behind a proxy with a password and a private authority: the command attests and resolves images, and is quiet."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane, free_port
from tests.conftest import PROJECT
from tests.family.act import Repository, copy_action, workflow
from tests.family.gitlab import Project
from tests.family.jenkins_builds import Build, Controller, require_libraries
from tests.family.network_cage import INSIDE, PASSWORD, PASSWORD_IN_URL, PROXY, USER, Cage, network_cage
from tests.integration.live import CONTRACT, IMPATIENT, Answer, Job
from tests.integration.registry import start_registry
from tests.integration.tls_proxy import Authority, start_proxy

pytestmark = [
    pytest.mark.real("ip", "nginx", "docker-registry", "skopeo"),
    pytest.mark.xdist_group("network-cage"),
]

CONTROL_PLANE, REGISTRY = "chainloop.example.com", "registry.example.com"
IMAGE = f"{REGISTRY}/app:1"
WITH_IMAGE = f"{CONTRACT}    - name: image\n      type: CONTAINER_IMAGE\n"


@dataclass
class Network:
    """The cage, and what stands outside of it."""

    cage: Cage
    authority: Path
    digest: str
    """Of the image in the registry."""

    @property
    def env(self) -> dict[str, str]:
        """Return what an administrator of this network tells everybody to set."""
        return {
            "CHAINLOOP_CONTROL_PLANE_API": f"https://{CONTROL_PLANE}",
            "CHAINLOOP_CA_BUNDLE": str(self.authority),
            "HTTPS_PROXY": self.cage.proxy,
        }


@pytest.fixture(scope="module")
def outside(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Run TLS in front of the control plane, and a registry, both with certificates of a private authority."""
    folder = tmp_path_factory.mktemp("network")
    private = Authority("Network CA")
    (folder / "ca.pem").write_text(private.pem)
    (folder / "nginx").mkdir()
    private.issue(
        folder / "nginx" / "chainloop.crt", folder / "nginx" / "chainloop.key", names=(CONTROL_PLANE, INSIDE[0])
    )
    certificate, key = folder / "registry.crt", folder / "registry.key"
    private.issue(certificate, key, names=(REGISTRY,))
    tls_port = free_port()
    with (
        network_cage() as cage,
        start_proxy(folder / "nginx", tls_port, control_plane.port),
        start_registry(folder, tls=(certificate, key)) as registry,
    ):
        pushed = registry.push_image("app", "1")
        told = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", f"docker://{pushed}"], check=True, capture_output=True
        )
        cage.inside = ("127.0.0.1", tls_port)
        cage.names = {
            f"{CONTROL_PLANE}:443": cage.inside,
            f"{REGISTRY}:443": ("127.0.0.1", int(registry.host.rpartition(":")[2])),
        }
        yield Network(cage, folder / "ca.pem", json.loads(told.stdout)["Digest"])


@pytest.fixture
def network(outside: Network) -> Network:
    """Return the network, whose proxy was asked for nothing yet."""
    outside.cage.asked.clear()
    outside.cage.direct = 0
    return outside


@pytest.fixture
def job(job: Job) -> Job:
    """Return a job that also has to attest an image."""
    job.tenant.put_contract(WITH_IMAGE)
    (job.chainloop.folder / "app").write_bytes(b"built")
    return job


def craft(network: Network, job: Job, env: Mapping[str, str], *words: str, image: str = IMAGE) -> Answer:
    """Attest from inside of the network."""
    materials = [f"binary={job.chainloop.folder / 'app'}", "version=1", f"image={image}"]
    options = [word for material in materials for word in ("--material", material)]
    return job.chainloop("attestation", "craft", "--replace", *options, *words, env=env, within=network.cage.command)


def refused(network: Network) -> str:
    """Return the proxy's address with a password that it does not take, made of the right one's letters."""
    return network.cage.proxy.replace(PASSWORD_IN_URL, f"{PASSWORD_IN_URL}wrong")


def test_nothing_but_the_proxy_can_be_reached(network: Network, job: Job) -> None:
    answer = craft(network, job, {**network.env, **IMPATIENT, "HTTPS_PROXY": ""})

    assert answer.status == 6, answer
    assert network.cage.asked == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "CHAINLOOP_PROXY"])
def test_a_step_attests_and_resolves_an_image_through_the_proxy(network: Network, job: Job, variable: str) -> None:
    env = {**network.env, "HTTPS_PROXY": "", variable: network.cage.proxy}

    answer = craft(network, job, env, "--bundle", str(job.chainloop.folder / "bundle.json"))

    assert answer.status == 0, answer.stderr
    assert network.cage.reached() == {f"{CONTROL_PLANE}:443", f"{REGISTRY}:443"}
    [run] = job.runs()
    assert run["state"] == "success"
    shown = job.reader()("attestation", "describe", "--bundle", str(job.chainloop.folder / "bundle.json"), "-o", "json")
    assert network.digest in shown.stdout


def test_our_own_variable_wins_over_the_one_for_everybody(network: Network, job: Job) -> None:
    env = {**network.env, "HTTPS_PROXY": refused(network), "CHAINLOOP_PROXY": network.cage.proxy}

    answer = craft(network, job, env)

    assert answer.status == 0, answer.stderr
    assert {status for _, status in network.cage.asked} == {200}


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy", "CHAINLOOP_NO_PROXY"])
def test_a_host_of_no_proxy_is_reached_without_it(network: Network, job: Job, variable: str) -> None:
    env = {**network.env, "CHAINLOOP_CONTROL_PLANE_API": f"https://{INSIDE[0]}", variable: "10.77.0.0/16"}

    answer = craft(network, job, env)

    assert answer.status == 0, answer.stderr
    assert network.cage.reached() == {f"{REGISTRY}:443"}
    assert network.cage.direct > 0


def test_a_host_that_is_not_in_no_proxy_is_asked_of_the_proxy(network: Network, job: Job) -> None:
    env = {**network.env, **IMPATIENT, "CHAINLOOP_CONTROL_PLANE_API": f"https://{INSIDE[0]}"}

    answer = craft(network, job, {**env, "NO_PROXY": "10.78.0.0/16"})

    assert answer.status == 6, answer.stderr
    assert network.cage.direct == 0
    assert set(network.cage.asked) == {(f"{INSIDE[0]}:443", 403)}


def test_the_private_authority_has_to_be_named(network: Network, job: Job) -> None:
    answer = craft(network, job, {**network.env, "CHAINLOOP_CA_BUNDLE": ""})

    assert answer.status == 6
    assert "CHAINLOOP_CA_BUNDLE" in answer.stderr


def test_a_registry_with_a_private_authority_needs_the_bundle(network: Network, job: Job) -> None:
    env = {**network.env, "CHAINLOOP_CA_BUNDLE": "", "CHAINLOOP_CONTROL_PLANE_API_CA": str(network.authority)}

    answer = craft(network, job, env)

    assert answer.status == 6
    assert f"the registry {REGISTRY}" in answer.stderr
    assert "CHAINLOOP_CA_BUNDLE" in answer.stderr


def test_a_proxy_that_refuses_the_password_ends_with_6(network: Network, job: Job) -> None:
    answer = craft(network, job, {**network.env, **IMPATIENT, "HTTPS_PROXY": refused(network)})

    assert answer.status == 6
    assert set(network.cage.asked) == {(f"{CONTROL_PLANE}:443", 407)}
    assert f"http://{PROXY[0]}:{PROXY[1]}" in answer.stderr
    assert "407" in answer.stderr


def test_a_proxy_that_refuses_a_registry_ends_with_6(network: Network, job: Job) -> None:
    direct = {"CHAINLOOP_CONTROL_PLANE_API": f"https://{INSIDE[0]}", "NO_PROXY": INSIDE[0]}

    answer = craft(network, job, {**network.env, **direct, "HTTPS_PROXY": refused(network)})

    assert answer.status == 6
    assert f"the registry {REGISTRY} gave no answer" in answer.stderr
    assert "407 Proxy Authentication Required" in answer.stderr


@pytest.mark.parametrize("passes", [True, False], ids=["accepted", "refused"])
def test_t02_the_proxy_s_password_is_shown_nowhere(network: Network, job: Job, tmp_path: Path, passes: bool) -> None:
    state, report = job.chainloop.folder / "state.json", tmp_path / "report"
    env = {**network.env, **IMPATIENT, "HTTPS_PROXY": network.cage.proxy if passes else refused(network)}

    answer = craft(
        network, job, env, "--debug", "--local-state-path", str(state), "--report-dir", str(report),
        image=IMAGE if passes else f"{REGISTRY}/nothing:1",
    )  # fmt: skip

    written = [path.read_text(errors="replace") for path in (*job.chainloop.folder.rglob("*"), *report.rglob("*"))
               if path.is_file() and path != job.key]  # fmt: skip
    assert network.cage.asked != []
    for text in (answer.stdout, answer.stderr, *written):
        for secret in (PASSWORD, PASSWORD_IN_URL, f"{USER}:"):
            assert secret not in text


# --- the plugins, which install the command first ---------------------------------------------------------------------

MATERIALS = f"binary=out/app\nversion=1\nimage={IMAGE}\n"


@pytest.mark.real("act")
def test_on_github_a_job_installs_attests_and_resolves_an_image(
    network: Network, job: Job, tmp_path: Path, wheels: Path
) -> None:
    machine = tmp_path / "machine"
    machine.mkdir()
    repository = Repository(tmp_path / "repository", machine, within=network.cage.command)
    repository.local["acme/chainloop@v1"] = copy_action(tmp_path / "action")
    repository.secrets |= {"TOKEN": job.token, "PROXY": network.cage.proxy, "KEY": str(job.key)}
    inputs = {
        "control-plane": f"https://{CONTROL_PLANE}",
        "token": "${{ secrets.TOKEN }}",
        "key": "${{ secrets.KEY }}",
        "proxy": "${{ secrets.PROXY }}",
        "ca-bundle": str(network.authority),
        "wheels": str(wheels),
        "python": sys.executable,
        "materials": MATERIALS,
    }
    build = {"run": "mkdir out && echo built > out/app"}
    repository.commit(build=workflow(build, {"uses": "acme/chainloop@v1", "with": inputs}))

    run = repository.run()

    assert run.status == 0, run.everything
    assert_attested(network, job)
    assert_quiet(run.everything)


@pytest.mark.real("gitlab-ci-local")
def test_on_gitlab_a_job_installs_attests_and_resolves_an_image(
    network: Network, job: Job, tmp_path: Path, wheels: Path
) -> None:
    variables = {
        "CHAINLOOP_CONTROL_PLANE_API": f"https://{CONTROL_PLANE}",
        "CHAINLOOP_TOKEN": job.token,
        "CHAINLOOP_SIGNING_KEY": str(job.key),
        "CHAINLOOP_PROXY": network.cage.proxy,
    }
    project = Project(tmp_path / "project", variables, within=network.cage.command)
    inputs = {
        "source": str(PROJECT),
        "wheels": str(wheels),
        "python": sys.executable,
        "ca-bundle": str(network.authority),
        "materials": MATERIALS,
    }
    build = {"stage": "build", "script": ["mkdir out", "echo built > out/app"], "artifacts": {"paths": ["out/"]}}
    project.include(inputs, {"build": build})

    pipeline = project.run()

    assert pipeline.status == 0, pipeline.log
    assert_attested(network, job)
    assert_quiet(pipeline.log)


@pytest.mark.real("mvn", "java")
def test_on_jenkins_a_job_installs_attests_and_resolves_an_image(
    network: Network, job: Job, tmp_path: Path, wheels: Path
) -> None:
    require_libraries()
    controller = Controller(tmp_path, within=network.cage.command)
    arguments = {
        "controlPlane": f"https://{CONTROL_PLANE}",
        "tokenCredentialsId": "token",
        "keyCredentialsId": "key",
        "proxyCredentialsId": "proxy",
        "caBundle": str(network.authority),
        "source": str(PROJECT),
        "wheels": str(wheels),
        "python": sys.executable,
    }
    given = ", ".join(f"{name}: '{value}'" for name, value in arguments.items())
    materials = f"materials: [binary: 'out/app', version: '1', image: '{IMAGE}']"
    build = Build(f"node {{\nsh 'mkdir out && echo built > out/app'\nchainloopAttest({given}, {materials})\n}}")
    build.env["PATH"] = controller.system
    build.credentials = {
        "token": {"kind": "string", "value": job.token},
        "key": {"kind": "file", "value": str(job.key)},
        "proxy": {"kind": "string", "value": network.cage.proxy},
    }
    controller.add("cage", build)

    ending = controller.play()["cage"]

    assert ending.result == "SUCCESS", ending
    assert_attested(network, job)
    assert_quiet(ending.log)


def assert_attested(network: Network, job: Job) -> None:
    """Check that the image was resolved and the attestation stored, through the proxy and in no other way."""
    assert [run["state"] for run in job.runs()] == ["success"]
    assert network.cage.reached() == {f"{CONTROL_PLANE}:443", f"{REGISTRY}:443"}
    assert {status for _, status in network.cage.asked} == {200}
    assert network.cage.direct == 0


def assert_quiet(log: str) -> None:
    """Check that the proxy's password is not in a log."""
    assert [secret for secret in (PASSWORD, PASSWORD_IN_URL) if secret in log] == []
