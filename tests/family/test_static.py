"""What ships for CI systems passes their checkers: zizmor (pedantic), the schemas of GitHub, actionlint."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT
from tests.family.github_render import ACTIONS

ACTION_FILES = tuple(action.folder / "action.yml" for action in ACTIONS)
WORKFLOWS = tuple(
    sorted(
        path
        for folder in (PROJECT, PROJECT / "examples" / "github")
        for path in (folder / ".github" / "workflows").glob("*.yml")
    )
)
USES = re.compile(r"uses: *(?P<action>[^\s#]+)(?P<rest>.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
SUPPRESSED = re.compile(r"# zizmor: ignore\[[a-z-]+\](?P<reason>.*)$", re.MULTILINE)


def program(name: str) -> Path:
    """Return a program of the environment that the tests run in (`requirements/dev.txt`)."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: install requirements/dev.txt")
    return Path(found)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, words)), cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Return a folder with what zizmor is to read, and nothing that lies about in a work tree."""
    for path in (*ACTION_FILES, *WORKFLOWS):
        target = tmp_path / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def test_t01_zizmor_finds_nothing(shipped: Path) -> None:
    done = run(program("zizmor"), "--offline", "--no-config", "--persona", "pedantic", "--format", "json", shipped)

    assert json.loads(done.stdout) == [], done.stdout
    assert done.returncode == 0, done.stderr


def test_zizmor_reads_every_file(shipped: Path) -> None:
    for path in (*ACTION_FILES, *WORKFLOWS):
        place = shipped / path.relative_to(PROJECT)
        text = place.read_text(encoding="utf-8")
        place.write_text(text.replace(" run: ", " run: echo ${{ github.head_ref }} # ", 1), encoding="utf-8")

    done = run(program("zizmor"), "--offline", "--no-config", "--format", "json", shipped)

    places = {
        location["symbolic"]["key"]["Local"]["verbatim_path"]
        for finding in json.loads(done.stdout)
        if finding["ident"] == "template-injection"
        for location in finding["locations"]
    }
    assert places == {str(shipped / path.relative_to(PROJECT)) for path in (*ACTION_FILES, *WORKFLOWS)}


@pytest.mark.parametrize("path", (*ACTION_FILES, *WORKFLOWS), ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_suppressed_finding_has_a_reason(path: Path) -> None:
    reasons = SUPPRESSED.findall(path.read_text(encoding="utf-8"))

    assert all(len(reason.split()) > 2 for reason in reasons), reasons


def test_the_actions_are_of_github_s_schema() -> None:
    done = run(program("check-jsonschema"), "--builtin-schema", "vendor.github-actions", *ACTION_FILES)

    assert done.returncode == 0, done.stdout


def test_the_workflows_are_of_github_s_schema() -> None:
    done = run(program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)

    assert done.returncode == 0, done.stdout


@pytest.mark.real("actionlint")
def test_actionlint_finds_nothing() -> None:
    # It also looks into the actions that a workflow uses: names of inputs, required ones.
    done = run("actionlint", "-no-color", *WORKFLOWS)

    assert done.returncode == 0, done.stdout


def test_t05_every_action_that_is_used_is_pinned_by_its_commit() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*ACTION_FILES, *WORKFLOWS)]
    used = [match for text in texts for match in USES.finditer(text)]

    others = [match for match in used if not match["action"].startswith("./")]

    assert others, "nothing is used"
    assert [match[0] for match in others if not PINNED.fullmatch(match["action"])] == []
    assert [match[0] for match in others if not re.match(r" # v\d+\.\d+\.\d+", match["rest"])] == []


def test_all_tests_are_run_as_root_and_those_of_other_users_by_another() -> None:
    jobs = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}

    assert [line for line in commands["test"] if "run" in line] == [".ci/run"]
    assert commands["unprivileged"] == ["make test ARGS=tests/unit"]


def test_a_run_of_all_tests_becomes_root_and_keeps_the_python_it_was_given(tmp_path: Path) -> None:
    for name, script in {"id": "echo 1000", "sudo": 'echo "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"

    done = subprocess.run(
        [PROJECT / ".ci" / "run"],
        env={"PATH": path, "LD_LIBRARY_PATH": "/python/lib", "CHAINLOOP_TOOLS": str(tmp_path / "tools")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    program = PROJECT / ".ci" / "run"
    assert done.stdout == f"--set-home env PATH={path} LD_LIBRARY_PATH=/python/lib bash {program}\n", done.stderr
    assert not (tmp_path / "tools").exists()


def test_a_run_of_all_tests_is_one_in_a_checkout_of_any_name(tmp_path: Path) -> None:
    # To env a word with = in it is a variable: it would show them all and end well.
    checkout = tmp_path / "of=mine" / ".ci"
    checkout.mkdir(parents=True)
    shutil.copy(PROJECT / ".ci" / "run", checkout)
    root = tmp_path / "root"
    for path, script in {
        tmp_path / "id": f"[ -e {root} ] && echo 0 || echo 1000",
        tmp_path / "sudo": f'touch {root}; shift; exec "$@"',
        checkout / "install-tools": "exit 3",
    }.items():
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    done = subprocess.run(
        [checkout / "run"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (3, b""), done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_nothing_that_it_does_not_ask_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    assert "write" not in re.findall(r"^ +\w[\w-]+: (\w+)", text, re.MULTILINE)
