"""Steps of a job, with what each left for the CI system."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from defusedxml.ElementTree import fromstring

from tests.family.github_files import LogCommand, read_commands, read_file
from tests.unit.cli.conftest import Result

BOTH = ("--material", "commit=deadbeef", "--material", "binary=app.bin")
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def private_pem() -> str:
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, encryption).decode()


@dataclass
class Step:
    """One step of a job: its result and what it left for the CI system."""

    result: Result
    folder: Path

    @property
    def outputs(self) -> dict[str, str]:
        return read_file(self.folder / "output")

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text(encoding="utf-8")

    def commands(self, *names: str) -> list[LogCommand]:
        return [command for command in read_commands(self.result.err) if not names or command.name in names]

    @property
    def verdict(self) -> str:
        return self.summary.splitlines()[2].strip("*")


@dataclass
class Runner:
    """Runs `attestation` commands like GitHub's runner does; each step has files of its own."""

    chainloop: object
    folder: Path
    env: dict[str, str]
    steps: list[Step] = field(default_factory=list)

    def __call__(self, *words: str, env: dict[str, str] | None = None, **facts: object) -> Step:
        place = self.folder / f"step-{len(self.steps)}"
        place.mkdir()
        files = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}
        for name in files.values():
            (place / name).touch()
        own = {variable: str(place / name) for variable, name in files.items()}
        result = self.chainloop("attestation", *words, env={**self.env, **own, **(env or {})}, **facts)
        self.steps.append(Step(result, place))
        return self.steps[-1]


@pytest.fixture
def github(chainloop, plane, private_pem: str, tmp_path: Path) -> Runner:
    (tmp_path / "app.bin").write_bytes(b"binary")
    env = {
        "CHAINLOOP_CONTROL_PLANE_API": "https://cp.test",
        "CHAINLOOP_SIGNING_KEY": private_pem,
        "CHAINLOOP_TOKEN": "clp_the-token",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "octocat",
        "GITHUB_REPOSITORY": "acme/app",
        "GITHUB_REPOSITORY_OWNER": "acme",
        "GITHUB_RUN_ID": "1",
        "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e",
        "GITHUB_WORKFLOW_REF": "acme/app/.github/workflows/ci.yml@refs/heads/main",
        "GITHUB_WORKSPACE": str(tmp_path),
        "RUNNER_OS": "Linux",
    }

    def invoke(*words: str, **facts: object) -> Result:
        return chainloop(*words, plane=plane, **facts)

    (tmp_path / "runner").mkdir()
    return Runner(invoke, tmp_path / "runner", env)


def cases_of(folder: Path) -> dict[str, list[str]]:
    """Return the requirements of a JUnit report, each with the kinds of what is said of it."""
    root = fromstring((folder / "junit.xml").read_text(encoding="utf-8"))
    return {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
