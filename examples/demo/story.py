"""The story that the demo tells: an operator, a developer's job, the operator again, three refusals, statuses."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from examples.demo.control_plane import ControlPlane
from examples.demo.statuses import Cast, tell_of_statuses
from examples.demo.terminal import DemoError, Terminal
from examples.forge.github import FakeGitHub

# What a job on GitHub Actions sees; the demo claims to be one, and the control plane shows it as claimed.
GITHUB_JOB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "dyson",
    "GITHUB_JOB": "build",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REPOSITORY": "cyberdyne/skynet",
    "GITHUB_REPOSITORY_OWNER": "cyberdyne",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_RUN_ID": "3411479373",
    "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e",
    "GITHUB_WORKFLOW": "build",
    "RUNNER_NAME": "GitHub Actions 5",
    "RUNNER_OS": "Linux",
    "RELEASE_CHANNEL": "stable",
}


@dataclass(frozen=True)
class Evidence:
    """The files that the build made."""

    wheel: Path
    sbom: Path
    tests: Path
    lint: Path

    def materials(self) -> dict[str, Path | str]:
        """Return what the contract asks for: material → value."""
        return {
            "wheel": self.wheel, "sbom": self.sbom, "tests": self.tests, "lint": self.lint,
            "changelog": Path("CHANGELOG.md"), "version": "0.1.0",
        }  # fmt: skip


def tell(project: Path, folder: Path, control_plane: ControlPlane, forge: FakeGitHub) -> str:
    """Run the whole story and return its last line."""
    terminal = Terminal(folder=project, path=project / ".venv" / "bin")
    terminal.env["XDG_CONFIG_HOME"] = str(folder / "config")
    terminal.env["CHAINLOOP_CONTROL_PLANE_API"] = control_plane.url
    evidence = _build(terminal, project, folder)
    tokens = _operator_sets_up(terminal, folder, control_plane)
    run_id, digest = _job_attests(terminal, folder, evidence, tokens["ci"])
    _operator_looks(terminal, folder, control_plane, tokens["read"], run_id, digest, evidence)
    _three_refusals(terminal, folder, control_plane, tokens["ci"], evidence)
    cast = Cast(tokens["admin"], _job(folder, tokens["ci"], "of-pull-request-state.json"))
    tell_of_statuses(terminal, folder, forge, cast, evidence.materials())
    return f"demo: ok run={run_id} digest={digest} verified=true"


def _build(terminal: Terminal, project: Path, folder: Path) -> Evidence:
    terminal.say("The build: a wheel, an SBOM of its environment, a test report and a linter's report, by real tools")
    out = folder / "build"
    terminal.run("python", "-m", "hatchling", "build", "-t", "wheel", "-d", out)
    made = Evidence(
        wheel=next(out.glob("*.whl")), sbom=out / "sbom.json", tests=out / "junit.xml", lint=out / "bandit.sarif"
    )
    terminal.run(
        "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", made.wheel
    )
    terminal.run("cyclonedx-py", "environment", "--of", "JSON", "-o", made.sbom, project / ".venv" / "bin" / "python")
    terminal.run(
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={made.tests}",
        "tests/unit/test_digests.py",
    )
    terminal.run("bandit", "-q", "--exit-zero", "-r", "chainloop_ci", "-f", "sarif", "-o", made.lint)
    return made


def _operator_sets_up(terminal: Terminal, folder: Path, control_plane: ControlPlane) -> dict[str, str]:
    terminal.say("The operator (SecOps): organization, contract, workflow, service account and key")
    instance = {"CHAINLOOP_TOKEN": control_plane.token_file.read_text().strip()}
    terminal.run("chainloop", "organization", "create", "cyberdyne", env=instance)
    admin = _token(terminal, instance, "admin", "--org", "cyberdyne", "--role", "admin")
    as_admin = {"CHAINLOOP_TOKEN": admin}
    terminal.run("chainloop", "workflow", "contract", "lint", "examples/contracts/demo.yaml", env=as_admin)
    terminal.run("chainloop", "workflow", "contract", "apply", "-f", "examples/contracts/demo.yaml", env=as_admin)
    terminal.run(
        "chainloop", "workflow", "create", "--name", "build", "--project", "skynet", "--team", "core",
        "--contract", "demo", env=as_admin,
    )  # fmt: skip
    ci = _token(terminal, as_admin, "ci-build", "--role", "attest", "--project", "skynet", "--workflow", "build")
    read = _token(terminal, as_admin, "auditor", "--role", "read")
    key = folder / "signing.key"
    terminal.run(
        "chainloop", "organization", "key", "create", "--name", "ci-build", "--workflow", "skynet/build",
        "--private-key", key, "--public-key", folder / "signing.pub",
        env={**as_admin, "CHAINLOOP_SIGNING_PASSWORD": ""},
    )  # fmt: skip
    return {"admin": admin, "ci": ci, "read": read}


def _token(terminal: Terminal, env: dict[str, str], name: str, *options: str) -> str:
    words = ("chainloop", "organization", "api-token", "create", "--name", name, *options)
    print("$ " + " ".join(words), flush=True)
    created = json.loads(terminal.run(*words, "-o", "json", env=env, show=False))
    print(f"  token {name} with the role {created['token']['role']} (its secret is shown once, not here)")
    return str(created["secret"])


def _job(folder: Path, token: str, state: str = "state.json") -> dict[str, str]:
    return {
        **GITHUB_JOB,
        "CHAINLOOP_TOKEN": token,
        "CHAINLOOP_SIGNING_KEY": str(folder / "signing.key"),
        "CHAINLOOP_LOCAL_STATE_PATH": str(folder / state),
    }


def _job_attests(terminal: Terminal, folder: Path, evidence: Evidence, token: str) -> tuple[str, str]:
    terminal.say("The developer's job: init, add what the contract asks for, push")
    job = _job(folder, token)
    terminal.run("chainloop", "attestation", "init", env=job)
    for name, value in evidence.materials().items():
        terminal.run("chainloop", "attestation", "add", "--name", name, "--value", value, env=job)
    terminal.run("chainloop", "attestation", "status", "--full", env=job)
    status = json.loads(terminal.run("chainloop", "attestation", "status", "-o", "json", env=job, show=False))
    terminal.run("chainloop", "attestation", "push", "--bundle", folder / "bundle.json", env=job)
    digest = "sha256:" + hashlib.sha256((folder / "bundle.json").read_bytes()).hexdigest()
    return str(status["attestationID"]), digest


def _operator_looks(
    terminal: Terminal,
    folder: Path,
    control_plane: ControlPlane,
    token: str,
    run_id: str,
    digest: str,
    evidence: Evidence,
) -> None:
    terminal.say("The operator: lists, describes, verifies, downloads")
    reader = {"CHAINLOOP_TOKEN": token}
    terminal.run("chainloop", "workflow", "ls", env=reader)
    terminal.run("chainloop", "workflow", "run", "ls", env=reader)
    terminal.run("chainloop", "workflow", "run", "describe", "--id", run_id, env=reader)
    public_key = folder / "signing.pub"
    detail = json.loads(
        terminal.run(
            "chainloop", "workflow", "run", "describe", "--digest", digest, "--verify", "--key", public_key,
            "-o", "json", env=reader, show=False,
        )
    )  # fmt: skip
    if detail["verified"] is not True or detail["attestation"]["digest"] != digest:
        raise DemoError(f"expected the run {run_id} to be verified with the digest {digest}")
    terminal.run("chainloop", "attestation", "verify", "--bundle", folder / "bundle.json", "--key", public_key)
    terminal.run("chainloop", "workflow", "run", "describe", "--id", run_id, "-o", "statement", env=reader)
    wheel = "sha256:" + hashlib.sha256(evidence.wheel.read_bytes()).hexdigest()
    terminal.run("chainloop", "artifact", "download", "-d", wheel, "--path", folder / "downloaded", env=reader)
    copy = folder / "downloaded" / evidence.wheel.name
    if copy.read_bytes() != evidence.wheel.read_bytes():
        raise DemoError(f"expected {copy} to be the wheel that was attested")
    _verify_with_openssl(terminal, folder, run_id, reader)
    metrics = terminal.run(
        "curl", "-sS", "--fail", "-H", f"Authorization: Bearer {token}", f"{control_plane.url}/metrics",
        show=False,
    )  # fmt: skip
    print("$ curl -H 'Authorization: Bearer …' " + f"{control_plane.url}/metrics")
    if 'chainloop_workflow_up{org="cyberdyne"' not in metrics:
        raise DemoError("expected the metrics to have chainloop_workflow_up of this organization")
    print("\n".join("  " + line for line in metrics.splitlines() if line.startswith("chainloop_workflow_up")))


def _verify_with_openssl(terminal: Terminal, folder: Path, run_id: str, reader: dict[str, str]) -> None:
    terminal.say("The signature once more, with openssl alone: the PAE bytes, the signature, the public key")
    pae = terminal.run(
        "chainloop", "workflow", "run", "describe", "--id", run_id, "-o", "payload-pae", env=reader, show=False
    )
    (folder / "payload.pae").write_bytes(pae.encode())
    bundle = json.loads((folder / "bundle.json").read_bytes())
    (folder / "payload.sig").write_bytes(base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"]))
    terminal.run(
        "openssl", "dgst", "-sha256", "-verify", folder / "signing.pub", "-signature", folder / "payload.sig",
        folder / "payload.pae",
    )  # fmt: skip


def _three_refusals(
    terminal: Terminal, folder: Path, control_plane: ControlPlane, token: str, evidence: Evidence
) -> None:
    terminal.say("Refusal 1: the wrong runner (a laptop; the contract asks for GITHUB_ACTION)")
    laptop = {
        "CHAINLOOP_TOKEN": token, "RELEASE_CHANNEL": "stable",
        "CHAINLOOP_LOCAL_STATE_PATH": str(folder / "laptop.json"),
    }  # fmt: skip
    terminal.run("chainloop", "attestation", "init", env=laptop, status=3)

    terminal.say("Refusal 2: materials are missing")
    job = {**_job(folder, token, "second.json"), "GITHUB_RUN_ID": "3411479374"}
    terminal.run("chainloop", "attestation", "init", env=job, show=False)
    terminal.run("chainloop", "attestation", "add", "--name", "sbom", "--value", evidence.sbom, env=job, show=False)
    terminal.run("chainloop", "attestation", "push", env=job, status=3)

    terminal.say("Refusal 3: a bundle with one changed byte, sent with curl; the run keeps its state")
    state = json.loads((folder / "second.json").read_text())
    run_id = state["attestation"]["workflow"]["workflowRunId"]
    bundle = json.loads((folder / "bundle.json").read_bytes())
    payload = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload[payload.index(b"skynet")] ^= 1
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (folder / "tampered.json").write_text(json.dumps(bundle))
    address = f"{control_plane.url}/api/v1/workflow-runs/{run_id}/attestation"
    answer = terminal.run(
        "curl", "-sS", "-X", "PUT", "-w", "\n%{http_code}", "--data-binary", f"@{folder / 'tampered.json'}",
        "-H", f"Authorization: Bearer {token}", "-H", f"Chainloop-Run-Handle: {state['chainloopCi']['runHandle']}",
        "-H", "Content-Type: application/vnd.dev.sigstore.bundle.v0.3+json",
        address,
        shown_as=f"curl -X PUT --data-binary @tampered.json {address}",
    )  # fmt: skip
    body, _, http_status = answer.rpartition("\n")
    if http_status != "422" or json.loads(body)["code"] != "attestation-refused":
        raise DemoError(f"expected HTTP 422 attestation-refused, found {http_status}")
    terminal.run("chainloop", "attestation", "verify", "--bundle", folder / "tampered.json",
                 "--key", folder / "signing.pub", status=7)  # fmt: skip
    terminal.run("chainloop", "attestation", "reset", "--reason", "end of the demo", env=job)
