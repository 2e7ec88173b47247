"""The steps of the Jenkins library as a pipeline uses them: real shells, the real command, a live control plane."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.cli.plugin_inputs import JENKINS_CREDENTIALS, camel
from examples.demo.control_plane import ControlPlane
from tests.family.hostile import CANARY_FILE, sample
from tests.family.jenkins_builds import ROOT, Build, Controller, Ending, require_libraries
from tests.family.jenkins_render import arguments, group
from tests.integration.live import CONTRACT, Job, Tenant

# One worker plays all pipelines.
pytestmark = [pytest.mark.xdist_group("jenkins"), pytest.mark.real("mvn", "java")]

IDS = "tokenCredentialsId: 'chainloop-token', keyCredentialsId: 'chainloop-key'"
ADD = """
    sh 'mkdir -p out && echo built > out/app'
    chainloopAdd(name: 'binary', value: 'out/app')
"""
BOTH = f"{ADD}\n    chainloopAdd(name: 'version', value: '1.2.3')"
MAKE = "sh 'mkdir -p out && echo built > out/app'"
MATERIALS = "materials: [binary: 'out/app', version: '1.2.3']"
BODIES = {
    "attest": f"""
        {MAKE}
        def outputs = chainloopAttest({IDS}, {MATERIALS}, annotations: ['team=core'])
        echo "digest=${{outputs.attestationDigest}} state=${{outputs.state}} run=${{outputs.runId}}"
    """,
    "attest-after-failure": f"{MAKE}\n chainloopAttest({IDS}, {MATERIALS})",
    "with": f"withChainloop({IDS}) {{ {BOTH}\n sh 'env | sort > seen' }}",
    "with-build-end": f"""
        withChainloop({IDS}, buildWebhook: env.WEBHOOK, buildWebhookCredentialsId: 'build-webhook') {{
            {BOTH}
            sh 'env | sort > seen'
        }}
    """,
    "with-failure": f"withChainloop({IDS}) {{ {ADD}\n sh 'exit 7' }}",
    "with-exception": f"withChainloop({IDS}) {{ {ADD}\n throw new IllegalStateException('of the body') }}",
    "with-abort": f"withChainloop({IDS}) {{ {ADD}\n interrupt('ABORTED') }}",
    "with-unstable": f"withChainloop({IDS}) {{ {BOTH} }}",
    "with-missing": f"withChainloop({IDS}) {{ {ADD} }}",
    "without-arguments": "chainloopAttest()",
    "without-value": "chainloopAdd(name: 'x')",
    "without-source": "chainloopInstall { echo 'never' }",
    "unknown-argument": "chainloopAttest(controlplane: 'x', token: 'canary-of-a-token', materails: [:], zzz: 1)",
    "unusable-arguments": f"chainloopAttest({IDS}, workflow: ['a'], annotations: [a: 'b\\nc'], version: new Date(0))",
    "unknown-credential": "chainloopAttest(tokenCredentialsId: 'nobody', keyCredentialsId: 'chainloop-key')",
    "without-command": f"chainloopAttest({IDS}, {MATERIALS})",
    "without-python": f"chainloopAttest({IDS}, {MATERIALS}, source: '{ROOT}')",
    "install": f"""
        chainloopInstall(source: '{ROOT}') {{ sh 'command -v chainloop >first; chainloop version' }}
        chainloopInstall(source: '{ROOT}') {{ sh 'command -v chainloop >second' }}
        {MAKE}
        chainloopAttest({IDS}, {MATERIALS}, source: '{ROOT}')
    """,
    "windows": "chainloopAttest(dryRun: true, workflow: '& calc', source: 'C:\\\\x')",
    "fork": f"{MAKE}\n chainloopAttest({MATERIALS}, contract: 'contract.yaml')",
    "not-serializable": "def match = ('a' =~ /a/)\n echo 'one'\n echo 'two'\n echo match.toString()",
    "with-remote": f"withChainloop({IDS}, remoteState: true) {{ {BOTH} }}",
    "hostile": """
        withEnv(['NUMBER=empty', 'CHAINLOOP_PROJECT_VERSION=9']) {
            chainloopAttest(version: '', workflow: null)
        }
        for (int i = 0; i < COUNT; i++) {
            String text = readFile(file: "hostile/${i}")
            withEnv(["NUMBER=${i}".toString()]) {
                chainloopAttest(ATTEST)
                withChainloop(WITH) { echo 'inside' }
                chainloopAdd(ADD)
            }
            try {
                withChainloop(IDENTIFIERS) { echo 'never' }
            } catch (Exception refused) {
                writeFile(file: "unknown/${i}", text: refused.message)
            }
        }
    """,
    "hostile-install": """
        for (int i = 0; i < COUNT; i++) {
            String text = readFile(file: "hostile/${i}")
            try {
                chainloopInstall(INSTALL) { echo 'never' }
            } catch (Exception refused) {
                writeFile(file: "refused/${i}", text: refused.message)
            }
        }
    """,
}
DOCUMENTED = {
    "smallest": (ROOT / "jenkins" / "README.md", "## The smallest pipeline"),
    "several-agents": (ROOT / "docs" / "many-jobs.md", "## Jenkins"),
}
"""Pipelines as readers copy them: the first one after a heading."""
MAKEFILE = b"all:\n\tmkdir -p out && echo built in $$NODE_NAME > out/app\n"
CONTRACTS = {
    "smallest": CONTRACT.replace("    - name: version\n      type: STRING\n", ""),
    "several-agents": CONTRACT.replace(
        "    - name: version\n      type: STRING\n", "    - name: binary-arm64\n      type: ARTIFACT\n"
    ).replace("name: binary\n", "name: binary-amd64\n"),
}
FACTS: Mapping[str, Mapping[str, Any]] = {
    "with-unstable": {"result": "UNSTABLE"},
    "attest-after-failure": {"result": "FAILURE"},
    "windows": {"unix": False},
    "hostile": {"serializable": False},
    "hostile-install": {"serializable": False},
}
TEXTS = tuple(text for text in sample(6) if text)
NO_PLACE = frozenset({"report-dir", "source"})
"""Not in the loop of hostile texts: folders that are looked into before and after the command."""
COMMANDS = ("craft", "init", "push", "add")


@dataclass(frozen=True)
class Played:
    """What became of all builds."""

    endings: Mapping[str, Ending]
    jobs: Mapping[str, Job]

    def run(self, name: str) -> dict[str, Any]:
        """Return the one run of a build."""
        (run,) = self.jobs[name].runs()
        return run


@pytest.fixture(scope="module")
def played(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Played:
    """Play every pipeline once."""
    require_libraries()
    controller = Controller(tmp_path_factory.mktemp("jenkins"))
    jobs = {}
    documented = {name: _documented(*place, control_plane.url) for name, place in DOCUMENTED.items()}
    for name, body in {**BODIES, "example": _example(), **documented}.items():
        place = tmp_path_factory.mktemp("tenant")
        tenant = Tenant(control_plane.url, control_plane.token_file.read_text().strip(), place)
        jobs[name] = tenant.job(CONTRACTS.get(name, CONTRACT))
        build = Build(body, **FACTS.get(name, {}))
        build.credentials = {
            "chainloop-token": {"kind": "string", "value": jobs[name].token},
            "chainloop-key": {"kind": "file", "value": str(jobs[name].key)},
        }
        if name != "without-arguments":
            build.env["CHAINLOOP_CONTROL_PLANE_API"] = control_plane.url
        if name == "with-build-end":
            _watch(jobs[name], build)
        _equip(name, build, controller, wheels)
        build.pipeline = f"node {{\n{build.pipeline}\n}}"
        controller.add(name, build)
    return Played(controller.play(), jobs)


def _watch(job: Job, build: Build) -> None:
    """Register the job as the source of its workflow, and give the build what its webhook needs."""
    body = {"source": "jenkins:https://jenkins.test/job/hello", "ciFile": "Jenkinsfile"}
    source = job.tenant.call("PUT", f"/workflows/{job.workflow_id}/source", body)["sourceId"]
    made = job.tenant.call("POST", f"/sources/{source}/secret", {})
    build.env["WEBHOOK"] = f"{job.tenant.url}/webhooks/generic/{source}"
    build.credentials["build-webhook"] = {"kind": "string", "value": made["secret"]}


def _example() -> str:
    """Return the example as far as it is a pipeline: the library is loaded by the test."""
    text = (ROOT / "examples" / "jenkins" / "Jenkinsfile").read_text()
    assert re.search(r"^@Library\('chainloop@v0\.1\.0'\) _( //.*)?\n\nnode \{\n", text, re.MULTILINE)
    return text.split("node {\n", 1)[1].rsplit("}", 1)[0]


def _documented(page: Path, heading: str, url: str) -> str:
    """Return a pipeline of a page; replaced is what a reader replaces, the two addresses."""
    section = page.read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1]
    text = section.split("```groovy\n", 1)[1].split("```", 1)[0].split("\nnode {", 1)[1].rsplit("}", 1)[0]
    for address, replaced in (("https://github.com/acme/chainloop.git", ROOT), ("https://chainloop.example.com", url)):
        assert text.count(f"'{address}'") == 1, page
        text = text.replace(f"'{address}'", f"'{replaced}'")
    return text


def _equip(name: str, build: Build, controller: Controller, wheels: Path) -> None:
    if name in ("without-command", "without-python", "hostile-install"):
        build.env["PATH"] = controller.system
    if name in DOCUMENTED:
        del build.env["CHAINLOOP_CONTROL_PLANE_API"]  # the pipeline says it
        build.sources["Makefile"] = MAKEFILE
    if name in ("install", *DOCUMENTED):
        python = {"CHAINLOOP_INSTALL_PYTHON": sys.executable, "CHAINLOOP_INSTALL_WHEELS": str(wheels)}
        build.env |= {"PATH": controller.system, **python}
    if name == "fork":
        build.env["CHANGE_FORK"] = "somebody"
        build.files["contract.yaml"] = (ROOT / "examples" / "contracts" / "minimal.yaml").read_bytes()
    if name.startswith("hostile"):
        build.files |= {f"hostile/{number}": text.encode() for number, text in enumerate(TEXTS)}
        for word, step, kept in (
            ("ATTEST", "chainloopAttest", NO_PLACE),
            ("WITH", "withChainloop", NO_PLACE),
            ("ADD", "chainloopAdd", NO_PLACE),
            ("INSTALL", "chainloopInstall", frozenset()),
        ):
            given = ", ".join(f"{camel(row.name)}: text" for row in arguments(step) if row.name not in kept)
            build.pipeline = build.pipeline.replace(f"({word})", f"({given})")
        build.pipeline = build.pipeline.replace("COUNT", str(len(TEXTS)))
        identifiers = ", ".join(f"{argument}: text" for argument, _, _ in JENKINS_CREDENTIALS.values())
        build.pipeline = build.pipeline.replace("IDENTIFIERS", identifiers)
    if name == "hostile":
        fake = controller.folder_of(name) / "programs" / "chainloop"
        fake.parent.mkdir(parents=True)
        fake.write_text('#!/bin/sh\nexec env -0 >"$HOME/seen-$2-$NUMBER"\n')
        fake.chmod(0o755)
        tokens = {"CHAINLOOP_TOKEN": "x", "CHAINLOOP_SIGNING_KEY": "x"}
        build.env |= {"PATH": f"{fake.parent}:{controller.system}", **tokens}


# --- endings ----------------------------------------------------------------------------------------------------------


def test_one_step_attests_and_returns_its_outputs(played: Played) -> None:
    ending, run = played.endings["attest"], played.run("attest")

    assert ending.result == "SUCCESS", ending.trace
    assert run["state"] == "success"
    assert re.search(rf"digest=sha256:[0-9a-f]{{64}} state=success run={run['id']}\n", ending.log)


def test_a_failed_build_is_not_attested_by_a_step_after_it(played: Played) -> None:
    ending = played.endings["attest-after-failure"]

    assert ending.result == "SUCCESS", ending.trace
    assert played.run("attest-after-failure")["state"] == "error"


@pytest.mark.parametrize("name", ["with", "with-remote", "example", "install", *DOCUMENTED])
def test_the_end_of_a_pipeline_is_a_stored_attestation(played: Played, name: str) -> None:
    ending = played.endings[name]

    assert ending.result == "SUCCESS", ending.trace + ending.log
    assert played.run(name)["state"] == "success"


def test_parallel_branches_on_several_agents_add_to_one_attestation(played: Played) -> None:
    agents = played.endings["several-agents"].workspace.parent / "agents"

    # Each agent has its own copy of the command, and its own file.
    for name in ("amd64", "arm64"):
        assert list((agents / name / "home" / ".cache" / "chainloop").glob("programs-*"))
        assert (agents / name / "workspace" / "out" / "app").read_text() == f"built in {name}\n"


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("with-failure", "error", "script returned exit code 7"),
        ("with-exception", "error", "of the body"),
        ("with-abort", "canceled", "ABORTED"),
        ("with-missing", "error", "script returned exit code 3"),
    ],
)
def test_another_ending_ends_the_run_and_stays_the_error_of_the_build(
    played: Played, name: str, state: str, message: str
) -> None:
    ending = played.endings[name]

    assert (ending.result, ending.message) == ("FAILURE", message), ending.trace
    assert played.run(name)["state"] == state


def test_what_is_missing_is_said_in_the_words_of_the_steps(played: Played) -> None:
    log = played.endings["with-missing"].log

    assert "call `chainloopAdd(name: 'binary', value: '<file>')` in `withChainloop`" in log
    assert "attestation add" not in log


def test_what_the_body_throws_is_thrown_as_it_is(played: Played) -> None:
    assert played.endings["with-exception"].type == "java.lang.IllegalStateException"
    assert played.endings["with-abort"].type.endswith(".FlowInterruptedException")


def test_an_unstable_build_ends_its_run_as_failed(played: Played) -> None:
    assert played.endings["with-unstable"].result == "SUCCESS"
    assert played.run("with-unstable")["state"] == "error"


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "without-arguments",
            "chainloopAttest: controlPlane is required; chainloopAttest: tokenCredentialsId is required; "
            "chainloopAttest: keyCredentialsId is required",
        ),
        ("without-value", "chainloopAdd: value is required"),
        ("without-source", "chainloopInstall: source is required"),
        (
            "unknown-argument",
            "chainloopAttest: unknown argument controlplane, did you mean controlPlane?; "
            "chainloopAttest: unknown argument token, did you mean tokenCredentialsId?; "
            "chainloopAttest: unknown argument materails, did you mean materials?; "
            "chainloopAttest: unknown argument zzz; "
            "chainloopAttest: tokenCredentialsId is required; chainloopAttest: keyCredentialsId is required",
        ),
        (
            "unusable-arguments",
            "chainloopAttest: workflow is one text, not several; "
            "chainloopAttest: annotations has an entry with a line break: one entry is one line; "
            "chainloopAttest: version takes text, a number, true or false",
        ),
        ("unknown-credential", "Could not find credentials entry with ID 'nobody'"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_once(played: Played, name: str, message: str) -> None:
    ending = played.endings[name]

    assert (ending.result, ending.message) == ("FAILURE", message), ending.trace
    assert "canary-of-a-token" not in ending.log
    assert played.jobs[name].runs() == []


def test_an_agent_without_the_command_is_told_the_ways_to_get_it(played: Played) -> None:
    ending = played.endings["without-command"]

    assert ending.message == "script returned exit code 1", ending.trace
    for words in ("no command `chainloop` on this agent (agent-1)", "`source`", "chainloopInstall", "docker build"):
        assert words in ending.log


def test_an_agent_without_python_is_told_what_was_looked_for(played: Played) -> None:
    ending = played.endings["without-python"]

    assert ending.message == "script returned exit code 1", ending.trace
    for words in ("no Python 3.11 or newer", "(agent-1); found: none", "python3-venv", "docker build"):
        assert words in ending.log


def test_a_build_says_signed_that_it_has_ended_and_its_own_commands_never_see_the_secret(played: Played) -> None:
    ending, job = played.endings["with-build-end"], played.jobs["with-build-end"]

    came = job.tenant.call("GET", "/inbound-webhooks")["items"]
    seen = (ending.workspace / "seen").read_text()
    assert ending.result == "SUCCESS", ending.trace
    assert [(item["event"], item["outcome"] in ("received", "handled")) for item in came] == [("build.ended", True)]
    assert played.run("with-build-end")["state"] == "success"
    assert "whsec_" not in seen + ending.log


# --- installing -------------------------------------------------------------------------------------------------------


def test_the_command_is_installed_once_for_an_agent_and_version(played: Played) -> None:
    workspace = played.endings["install"].workspace

    first = (workspace / "first").read_text().strip()

    assert first == (workspace / "second").read_text().strip()
    assert Path(first).is_relative_to(workspace.parent / "home" / ".cache" / "chainloop")
    assert [path.name for path in (workspace.parent / "home" / ".cache" / "chainloop").glob("env-*")] != []


def test_windows_gets_one_command_and_nothing_that_was_given(played: Played) -> None:
    ending = played.endings["windows"]

    assert ending.result == "SUCCESS", ending.trace
    assert "chainloop attestation craft\r\n" in ending.log
    assert "calc" not in ending.log


# --- trust ------------------------------------------------------------------------------------------------------------


def test_r35_a_change_from_a_fork_is_checked_and_green(played: Played) -> None:
    ending = played.endings["fork"]

    assert ending.result == "SUCCESS", ending.trace + ending.log
    assert played.jobs["fork"].runs() == []


def test_t05_secrets_are_in_no_log_and_not_in_the_builds_own_commands(played: Played) -> None:
    for name, ending in played.endings.items():
        job = played.jobs[name]
        secret = job.key.read_text().splitlines()[1]
        assert job.token not in ending.log + ending.trace, name
        assert secret not in ending.log + ending.trace, name
    seen = (played.endings["with"].workspace / "seen").read_text()
    assert "CHAINLOOP_CONTROL_PLANE_API=" in seen
    assert "CHAINLOOP_TOKEN=" not in seen
    assert "CHAINLOOP_SIGNING_KEY=" not in seen


def test_t01_a_hostile_text_is_the_value_of_a_variable_and_nothing_else(played: Played) -> None:
    ending = played.endings["hostile"]
    assert ending.result == "SUCCESS", ending.trace
    home = ending.workspace.parent / "home"

    for command in COMMANDS:
        rows = [row for name in ("connection", "install", command) for row in group(name) if row.name not in NO_PLACE]
        for number, text in enumerate(TEXTS):
            pairs = (home / f"seen-{command}-{number}").read_bytes().decode().rstrip("\0").split("\0")
            env = dict(pair.split("=", 1) for pair in pairs)
            wrong = [row.name for row in rows if env.get(row.env) != text]
            assert wrong == [], (command, number, text[:80])
    assert list(ending.workspace.parents[1].rglob(CANARY_FILE)) == []


def test_an_empty_argument_leaves_the_variable_of_the_pipeline_alone(played: Played) -> None:
    seen = played.endings["hostile"].workspace.parent / "home" / "seen-craft-empty"

    assert b"\0CHAINLOOP_PROJECT_VERSION=9\0" in b"\0" + seen.read_bytes()


def test_t01_a_hostile_id_or_place_of_the_command_runs_nothing(played: Played) -> None:
    ids, install = played.endings["hostile"], played.endings["hostile-install"]
    assert install.result == "SUCCESS", install.trace

    assert len(list((install.workspace / "refused").iterdir())) == len(TEXTS)
    assert len(list((ids.workspace / "unknown").iterdir())) == len(TEXTS)
    assert list(install.workspace.parents[1].rglob(CANARY_FILE)) == []


def test_what_cannot_be_kept_over_a_restart_is_found(played: Played) -> None:
    # Else the other pipelines would prove nothing about serializability.
    ending = played.endings["not-serializable"]

    assert ending.result == "FAILURE"
    assert "NotSerializableException" in ending.trace


def test_every_pipeline_was_played(played: Played) -> None:
    assert set(played.endings) == {*BODIES, "example", *DOCUMENTED}
