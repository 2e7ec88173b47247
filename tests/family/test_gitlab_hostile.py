"""T01 on GitLab: texts that want to be obeyed, in every input of the template and in what a stranger may choose.

Inputs that are GitLab's own business (names of job, stage and image, and the folder that artifacts are taken from) are
left out: a runner reads them, no script of ours.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.cli.options import Kind
from chainloop_ci.cli.plugin_inputs import OUTPUTS
from tests.family.gitlab import ROOT, Project, install_command, programs_without
from tests.family.gitlab_render import functions, inputs
from tests.family.hostile import CANARY_FILE, CANARY_NAME, HOSTILE, LEAST, sample

TEXTS = [
    row for row in inputs() if row.kind in (Kind.TEXT, Kind.PATH, Kind.LIST, Kind.PAIRS) and row.name != "report-dir"
]
STRANGERS = ("CI_COMMIT_REF_NAME", "CI_MERGE_REQUEST_TITLE", "CI_MERGE_REQUEST_DESCRIPTION", "CI_COMMIT_MESSAGE")
JOBS_OF_A_PIPELINE = 100
PLAYED = sample(6)
CHUNKS = [PLAYED[start : start + JOBS_OF_A_PIPELINE] for start in range(0, len(PLAYED), JOBS_OF_A_PIPELINE)]

RECORDER = """\
#!/bin/sh
env -0 > "{folder}/$CI_JOB_NAME"
"""


def escaped(text: str) -> str:
    """Return what GitLab makes `text` of: it replaces variables in values."""
    return text.replace("$", "$$")


def canaries(*places: Path) -> list[Path]:
    """Return every file that a text would have made, had it been run."""
    return [path for place in places for path in place.rglob(CANARY_FILE)]


def include(project: Project, jobs: Mapping[str, Mapping[str, Any]], more: Mapping[str, Mapping[str, str]]) -> None:
    """Write a pipeline that includes the template once for each job, and says more variables of it."""
    project.include()
    entries = [{"local": "templates/attestation.yml", "inputs": {"as": name, **row}} for name, row in jobs.items()]
    own = {name: {"variables": dict(variables)} for name, variables in more.items()}
    project.write_pipeline({"include": entries, **own})


@pytest.mark.real("gitlab-ci-local", "rsync")
@pytest.mark.parametrize("chunk", range(len(CHUNKS)))
def test_t01_a_text_in_an_input_reaches_the_command_as_it_is_and_nothing_else(tmp_path: Path, chunk: int) -> None:
    texts = {f"job-{index}": text for index, text in enumerate(CHUNKS[chunk])}
    command = tmp_path / "bin" / "chainloop"
    command.parent.mkdir()
    (tmp_path / "seen").mkdir()
    command.write_text(RECORDER.format(folder=tmp_path / "seen"))
    command.chmod(0o755)
    project = Project(tmp_path / "project", path=[str(command.parent)])
    given = {name: {row.name: escaped(text) for row in TEXTS} for name, text in texts.items()}
    include(project, given, {name: dict.fromkeys(STRANGERS, escaped(text)) for name, text in texts.items()})

    pipeline = project.run(timeout_seconds=570)

    assert pipeline.status == 0, pipeline.log[-3000:]
    for name, text in texts.items():
        entries = (tmp_path / "seen" / name).read_bytes().decode().split("\0")
        seen = dict(entry.split("=", 1) for entry in entries if entry)
        assert {row.name for row in TEXTS if seen.get(row.env) != text} == set(), (name, text[:80])
        assert {variable for variable in STRANGERS if seen.get(variable) != text} == set(), (name, text[:80])
        assert CANARY_NAME not in seen
    assert canaries(tmp_path) == []


def test_t01_the_family_has_enough_texts_and_the_template_enough_inputs() -> None:
    assert len(HOSTILE) >= LEAST
    assert sum(map(len, CHUNKS)) == len(PLAYED)
    assert {row.kind for row in TEXTS} >= {Kind.TEXT, Kind.PATH, Kind.LIST}


# --- the installation -------------------------------------------------------------------------------------------------

NAMED_PYTHON = "CHAINLOOP_INSTALL_PYTHON"
INSTALL = [row.env for row in inputs() if row.env.startswith("CHAINLOOP_INSTALL_") and row.env != NAMED_PYTHON]
NETWORK = ["CHAINLOOP_PROXY", "CHAINLOOP_NO_PROXY", "CHAINLOOP_CA_BUNDLE"]
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
STRANGER_PYTHON = """\
#!/bin/sh
# What is asked is whether it is a Python that serves.
[ "$2" != -c ] || echo "3.12.0 yes $0"
case "$2 $3" in
  "-m venv") mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-m pip") printf '%s\\n' "$@" >>"$RECORD" ;;
  "-m chainloop_ci") echo "the command ran" ;;
esac
"""
GIT = """\
#!/bin/sh
printf '%s\\n' "$#" >>"$RECORD"
[ "$1" != init ] || mkdir -p "$3/requirements"
[ "$1" != init ] || : >"$3/requirements/client.txt"
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the programs of an image with a Python and a git that only note what they are told."""
    folder = Path(programs_without(tmp_path_factory.mktemp("machine") / "bin", "python", "pip", "git", "chainloop"))
    for name, text in (("python3", STRANGER_PYTHON), ("git", GIT)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("shell", "every"), [(["sh", "-e"], 1), (["bash", "-eo", "pipefail"], 6)], ids=["sh: all", "bash: some"]
)
def test_t01_no_text_is_run_while_the_command_is_installed(
    tmp_path: Path, machine: Path, shell: list[str], every: int
) -> None:
    script = "\n".join((ROOT / "gitlab" / "scripts" / f"{name}.sh").read_text() for name in ("find", "install"))
    ran = []
    for index, text in enumerate(text for text in HOSTILE[::every] if text.strip()):
        home = tmp_path / str(index)
        home.mkdir()
        env = {"PATH": str(machine), "HOME": str(home), "TMPDIR": str(home), "CI_JOB_ID": "7"}
        done = subprocess.run(
            [*shell, "-c", f"{script}\nchainloop version"],
            cwd=home,
            env={**env, "RECORD": str(home / "record"), **dict.fromkeys((*INSTALL, *NETWORK), text)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        ran.append(done.returncode == 0 and done.stdout == "the command ran\n")
        assert CANARY_NAME not in done.stdout

    assert canaries(tmp_path) == []
    assert sum(ran) > len(ran) / 2, "most of the texts came as far as the installed command"


@pytest.mark.parametrize("shell", [["sh", "-e"], ["bash", "-eo", "pipefail"]], ids=["sh", "bash"])
def test_t01_no_text_is_run_while_a_python_of_that_name_is_looked_for(
    tmp_path: Path, machine: Path, shell: list[str]
) -> None:
    for text in (text for text in HOSTILE[::6] if text.strip()):
        env = {"PATH": str(machine), "HOME": str(tmp_path), NAMED_PYTHON: text}

        done = subprocess.run(
            [*shell, "-c", f"{functions()}\n(chainloop_find_python) || exit 1; echo found"],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

        assert (done.returncode, done.stdout) == (1, ""), text
        assert "is not there" in done.stderr
    assert canaries(tmp_path) == []


@pytest.mark.parametrize("variable", NETWORK)
def test_t01_no_text_in_a_setting_of_the_network_is_run_or_becomes_a_variable(tmp_path: Path, variable: str) -> None:
    program = f"{functions()}\nchainloop_python=$1 chainloop_home=$2\n(chainloop_network && env -0) || exit 1"
    usual = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for text in (text for text in HOSTILE[::6] if text.strip()):
        done = subprocess.run(
            ["sh", "-ec", program, "sh", sys.executable, tmp_path],
            cwd=tmp_path, env={**usual, variable: text},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

        made = {entry.partition(b"=")[0].decode() for entry in done.stdout.split(b"\0") if entry}
        assert made <= {*usual, variable, "PWD", "OLDPWD", "SHLVL", "_", *PROXY_VARIABLES, "NO_PROXY", "no_proxy"}
        assert done.returncode in (0, 1)
    assert canaries(tmp_path) == []


# --- the real command -------------------------------------------------------------------------------------------------


@pytest.mark.real("gitlab-ci-local", "rsync")
def test_t02_a_branch_or_a_title_never_makes_an_output(tmp_path: Path) -> None:
    texts = {f"job-{index}": text for index, text in enumerate(HOSTILE[:: len(HOSTILE) // 12])}
    project = Project(tmp_path / "project", path=[install_command(tmp_path / "bin")])
    project.write("contract.yaml", CONTRACT)
    common = {"dry-run": True, "contract": "contract.yaml", "materials": "version=1"}
    given = {name: {**common, "report-dir": f"report-{name}"} for name in texts}
    include(project, given, {name: dict.fromkeys(STRANGERS, escaped(text)) for name, text in texts.items()})

    pipeline = project.run("--concurrency", "1", timeout_seconds=300)

    assert canaries(tmp_path) == []
    assert [line for name in texts for line in pipeline.job(name).splitlines() if line.startswith(CANARY_NAME)] == []
    known = {row.variable for row in OUTPUTS}
    written = list(project.folder.glob("report-*/outputs.env"))
    assert len(written) == len(texts)
    for path in written:
        assert {line.split("=", 1)[0] for line in path.read_text().splitlines()} <= known


CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: build
spec:
  materials:
    - name: version
      type: STRING
"""
