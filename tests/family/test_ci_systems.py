"""docs/ci-systems.md: the commands of each example attest under that system's environment."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.registry import get_runner
from tests.family.gitlab import install_command
from tests.integration.live import CONTRACT, Job, Tenant
from tests.integration.test_runners import STEP, require_namespaces
from tests.unit.runners.environments import SURROUNDINGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ci-systems.md").read_text(encoding="utf-8")
REPORTS = "chainloop-report"
SECRETS = ("CHAINLOOP_CONTROL_PLANE_API", "CHAINLOOP_TOKEN", "CHAINLOOP_SIGNING_KEY")


@dataclass(frozen=True)
class Step:
    """One command of an example, with the variables that the example gives it."""

    command: str
    env: Mapping[str, str] = field(default_factory=dict)


def block(title: str) -> str:
    """Return the example of a section."""
    match = re.search(rf"^## {re.escape(title)}$.*?^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert match, title
    return match[1]


def circleci(secrets: Mapping[str, str]) -> Iterator[Step]:
    job = yaml.safe_load(block("CircleCI"))["jobs"]["attest"]
    for step in job["steps"]:
        if run := step.get("run"):
            yield Step(run["command"], {**secrets, **job["environment"], **run.get("environment", {})})


def azure(secrets: Mapping[str, str]) -> Iterator[Step]:
    """Azure replaces $(NAME) by a variable that it knows; secrets reach a script only by `env`."""
    for step in yaml.safe_load(block("Azure Pipelines"))["jobs"][0]["steps"]:
        if "script" in step:
            known = {
                name: re.sub(r"\$\((\w+)\)", lambda match: secrets.get(match[1], match[0]), value)
                for name, value in step.get("env", {}).items()
            }
            yield Step(step["script"], known)


def teamcity(secrets: Mapping[str, str]) -> Iterator[Step]:
    text = block("TeamCity")
    given = dict(re.findall(r'param\("env\.(\w+)", "([^"]*)"\)', text))
    masked = re.findall(r'password\("env\.(\w+)"', text)
    for script in re.findall(r'scriptContent = """(.*?)"""', text, re.DOTALL):
        yield Step(script, {**given, **{name: secrets[name] for name in masked}, **plane(secrets)})


def tekton(secrets: Mapping[str, str]) -> Iterator[Step]:
    said = {"$(context.taskRun.name)": "api-run-x7k2p-build", "$(context.taskRun.namespace)": "ci"}
    for step in yaml.safe_load(block("Tekton"))["spec"]["steps"]:
        env = {row["name"]: row.get("value", secrets.get(row["name"], "")) for row in step["env"]}
        yield Step(step["script"], {name: said.get(value, value) for name, value in env.items()})


def dagger(secrets: Mapping[str, str]) -> Iterator[Step]:
    """The calls of the chain, in their order."""
    calls = [node for node in ast.walk(ast.parse(block("Dagger"))) if isinstance(node, ast.Call)]
    env = {"CHAINLOOP_REPORT_DIR": REPORTS}
    words = []
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name == "with_env_variable":
            key, value = (ast.literal_eval(argument) for argument in call.args)
            env[key] = value
        elif name == "with_secret_variable":
            key = ast.literal_eval(call.args[0])
            env[key] = secrets[key]
        elif name == "with_exec":
            words = ast.literal_eval(call.args[0])
    yield Step(" ".join(words), {**env, **plane(secrets)})


def plane(secrets: Mapping[str, str]) -> dict[str, str]:
    """Return what stands in an example as https://chainloop.example.com."""
    return {"CHAINLOOP_CONTROL_PLANE_API": secrets["CHAINLOOP_CONTROL_PLANE_API"]}


EXAMPLES: dict[RunnerType, Callable[[Mapping[str, str]], Iterator[Step]]] = {
    RunnerType.CIRCLECI_BUILD: circleci,
    RunnerType.AZURE_PIPELINE: azure,
    RunnerType.TEAMCITY_PIPELINE: teamcity,
    RunnerType.TEKTON_PIPELINE: tekton,
    RunnerType.DAGGER_PIPELINE: dagger,
}


def run(job: Job, kind: RunnerType, step: Step) -> subprocess.CompletedProcess[str]:
    """Run a step where the system runs it: its variables, an image with the command, and Tekton's folder."""
    folder = job.chainloop.folder
    around = [] if kind is not RunnerType.TEKTON_PIPELINE else tekton_step(folder)
    env = {
        "PATH": f"{install_command(folder / 'image')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin",
        "HOME": str(folder),
        **SURROUNDINGS[kind].facts.env,
        **step.env,
    }
    return subprocess.run(
        [*around, "sh", "-ec", step.command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def tekton_step(folder: Path) -> list[str | Path]:
    require_namespaces()
    for name in ("root", "account"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "account" / "namespace").write_text("ci")
    return ["unshare", "--map-root-user", "--mount", STEP, folder / "root", folder / "account"]


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_the_example_attests_under_its_system(tenant: Tenant, kind: RunnerType) -> None:
    job = tenant.job(f"{CONTRACT}  runner:\n    type: {kind.value}\n")
    (job.chainloop.folder / "out").mkdir()
    (job.chainloop.folder / "out" / "app").write_text("the build")
    secrets = {name: job.chainloop.env[name] for name in SECRETS}

    done = [run(job, kind, step) for step in EXAMPLES[kind](secrets)]

    assert [answer.returncode for answer in done] == [0] * len(done), done
    (stored,) = job.runs()
    assert (stored["state"], stored["runnerType"]) == ("success", kind.value)
    assert "success" in (job.chainloop.folder / REPORTS / "outputs.env").read_text()


def test_every_system_without_a_plugin_has_an_example() -> None:
    plugins = {RunnerType.GITHUB_ACTION, RunnerType.GITLAB_PIPELINE, RunnerType.JENKINS_JOB}
    others = {RunnerType.CHAINLOOP_SANDBOX, RunnerType.GENERIC}

    assert set(EXAMPLES) == set(RunnerType) - plugins - others
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert [get_runner(kind).title.split()[0].lower() for kind in EXAMPLES] == [
        title.split()[0].lower() for title in titles if title != "Azure"
    ]


@pytest.mark.parametrize(("title", "schema"), [("CircleCI", "circle-ci"), ("Azure Pipelines", "azure-pipelines")])
def test_the_example_is_what_the_system_reads(title: str, schema: str, tmp_path: Path) -> None:
    example = tmp_path / "example.yml"
    example.write_text(block(title))
    program = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent)) or "check-jsonschema"
    transform = ["--data-transform", "azure-pipelines"] if schema == "azure-pipelines" else []

    words: list[Any] = [program, "--builtin-schema", f"vendor.{schema}", *transform, example]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
