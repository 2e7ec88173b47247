"""A pipeline whose jobs craft one attestation, each on a machine of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.live import Answer, CommandLine, Job

MATERIALS = 20
TWENTY = "apiVersion: chainloop.dev/v1\nkind: Contract\nmetadata: {name: build}\nspec:\n  materials:\n" + "".join(
    f"    - {{name: leg-{number}, type: ARTIFACT}}\n" for number in range(MATERIALS)
)


class Pipeline:
    """A GitHub pipeline whose jobs run on machines of their own."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self._folder = folder
        self._machines = 0
        self.shared: dict[str, str] = {}
        """What the first job puts out, as the variables of the others."""

    def machine(self, attempt: int = 1, run_id: str = "77") -> CommandLine:
        """Return the command line on a new machine."""
        self._machines += 1
        folder = self._folder / f"machine-{self._machines}"
        folder.mkdir()
        env = {name: value for name, value in self.job.chainloop.env.items() if name != "CHAINLOOP_LOCAL_STATE_PATH"}
        github = {
            "GITHUB_ACTOR": "dev",
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_REPOSITORY_OWNER": "acme",
            "GITHUB_RUN_ID": run_id,
            "GITHUB_RUN_ATTEMPT": str(attempt),
            "GITHUB_SHA": "0" * 40,
            "GITHUB_JOB": f"job-{self._machines}",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(folder),
        }
        return CommandLine(folder, {**env, **github, **self.shared})

    def begin(self) -> Answer:
        """Begin the attestation in the first job."""
        answer = self.machine()("attestation", "init", "--remote-state", "-o", "json")
        assert answer.status == 0, answer.stderr
        self.shared = {
            "CHAINLOOP_ATTESTATION_ID": answer.document["attestationID"],
            "CHAINLOOP_SEALED_HANDLE": answer.document["sealedHandle"],
        }
        return answer

    def add(self, name: str, value: str | Path, *words: str, attempt: int = 1) -> Answer:
        """Add a material in a job of its own."""
        machine = self.machine(attempt)
        if isinstance(value, str) and name != "version":
            (machine.folder / name).write_text(value)
            value = machine.folder / name
        return machine("attestation", "add", "--name", name, "--value", value, *words)

    def add_at_once(self, attempt: int = 1, content: str = "content") -> list[Answer]:
        """Add all of `TWENTY` at the same time, each in a job of its own."""
        machines = [self.machine(attempt) for _ in range(MATERIALS)]

        def add(number: int) -> Answer:
            machine = machines[number]
            (machine.folder / "out").write_text(f"{content} of leg {number}")
            return machine("attestation", "add", "--name", f"leg-{number}", "--value", "out")

        with ThreadPoolExecutor(MATERIALS) as jobs:
            return list(jobs.map(add, range(MATERIALS)))

    def push(self, attempt: int = 1) -> Answer:
        """Push in the last job."""
        return self.machine(attempt)("attestation", "push", "-o", "json")

    def detail(self, run_id: str = "") -> dict[str, Any]:
        """Return what the control plane knows of a run."""
        run_id = run_id or self.shared["CHAINLOOP_ATTESTATION_ID"]
        found: dict[str, Any] = self.job.tenant.call("GET", f"/workflow-runs/{run_id}")
        return found
