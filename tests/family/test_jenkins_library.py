"""What of the Jenkins library can be read, or run without Jenkins: tables, help, scripts, fetching the command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chainloop_ci import __version__
from chainloop_ci.cli.plugin_inputs import (
    CONNECTION,
    INSTALL,
    JENKINS_CREDENTIALS,
    JENKINS_STEPS,
    OUTPUTS,
    SAID_BY_CREDENTIALS,
    Plugin,
    camel,
    step_inputs,
)
from tests.family.hostile import CANARY_FILE, HOSTILE
from tests.family.jenkins_render import (
    CREDENTIALS_OF,
    FOLDER,
    ROOT,
    arguments,
    rendered,
)

README = (FOLDER / "README.md").read_text(encoding="utf-8")
RESOURCES = FOLDER / "resources" / "chainloop"
EXAMPLE = ROOT / "examples" / "jenkins" / "Jenkinsfile"
GROOVY = [*sorted((FOLDER / "vars").glob("*.groovy")), EXAMPLE, *sorted((ROOT / "tests").rglob("jenkins/**/*.groovy"))]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_files_follow_the_tables_of_options() -> None:
    for path, text in rendered().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: python -m tests.family.jenkins_render --write"


def test_every_input_is_an_argument_or_comes_with_a_credential() -> None:
    for row in (*CONNECTION, *step_inputs("craft"), *INSTALL):
        if Plugin.JENKINS in row.plugins:
            named = row.name in JENKINS_CREDENTIALS if row.secret else row in arguments("chainloopAttest")
            assert named or row.name in SAID_BY_CREDENTIALS, row.name


@pytest.mark.parametrize("step", sorted(JENKINS_STEPS))
def test_the_help_of_a_step_names_all_that_it_takes(step: str) -> None:
    text = (FOLDER / "vars" / f"{step}.txt").read_text(encoding="utf-8")

    named = set(re.findall(r"<dt><code>(\w+)</code></dt>", text))

    assert named == {camel(row.name) for row in arguments(step)} | {
        JENKINS_CREDENTIALS[name][0] for name in CREDENTIALS_OF[step]
    }


def test_every_step_has_a_help() -> None:
    steps, helps = ({path.stem for path in (FOLDER / "vars").glob(f"*.{end}")} for end in ("groovy", "txt"))

    assert steps == helps == {*JENKINS_STEPS, "chainloopStep", "chainloopArguments"}


def test_the_readme_names_every_argument_and_output() -> None:
    names = [camel(row.name) for step in JENKINS_STEPS for row in arguments(step)]
    names += [argument for argument, _, _ in JENKINS_CREDENTIALS.values()] + [camel(row.name) for row in OUTPUTS]

    for name in names:
        assert re.search(rf"^\| `{name}`( \(required\))? \|", README, re.MULTILINE), name


def test_examples_use_only_arguments_that_there_are() -> None:
    helps = "".join((FOLDER / "vars" / f"{step}.txt").read_text(encoding="utf-8") for step in JENKINS_STEPS)
    calls = re.findall(r"\b(chainloop[A-Z]\w+|withChainloop)\(([^)]*)\)", README + EXAMPLE.read_text() + helps)

    assert {name for name, _ in calls} == set(JENKINS_STEPS)
    for step, given in calls:
        known = {camel(row.name) for row in arguments(step)} | {
            JENKINS_CREDENTIALS[name][0] for name in CREDENTIALS_OF[step]
        }
        # What stands inside of a map is no argument.
        used = set(re.findall(r"(\w+): ", re.sub(r"\[.*?\]", "", given)))
        assert used - known == set(), (step, given)


def test_examples_name_the_version_that_there_is() -> None:
    assert set(re.findall(r"\bv\d+\.\d+\.\d+\b", README + EXAMPLE.read_text())) == {f"v{__version__}"}


# --- scripts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
@pytest.mark.parametrize("script", sorted(RESOURCES.glob("*.sh")), ids=lambda path: path.stem)
def test_the_scripts_are_of_any_shell(script: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")

    assert subprocess.run([shell, "-n", script], capture_output=True, check=True).stderr == b""
    assert script.read_text().startswith("#!/bin/sh\n"), "without it Jenkins would show each command with its values"


def test_the_command_of_an_image_reads_the_network_s_variables_itself(tmp_path: Path) -> None:
    (tmp_path / "chainloop").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "chainloop").chmod(0o755)
    given = {"CHAINLOOP_PROXY": "http://proxy:3128", "CHAINLOOP_NO_PROXY": "a.test", "CHAINLOOP_CA_BUNDLE": "/ca.pem"}

    done = subprocess.run(
        ["sh", "-c", (RESOURCES / "command.sh").read_text() + "exec chainloop attestation status\n"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", **given},
        capture_output=True,
        text=True,
        check=True,
    )

    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {
        name: value for name, value in found.items() if name not in ("PATH", "PWD", "OLDPWD", "SHLVL", "_")
    } == given


def test_no_script_of_cmd_expands_what_was_given() -> None:
    for script in RESOURCES.glob("*.bat"):
        assert set(re.findall(r"%(\w+)%", script.read_text())) <= {"WORKSPACE_TMP"}, script


def test_no_script_is_put_together_from_what_was_given() -> None:
    text = (FOLDER / "vars" / "chainloopStep.groovy").read_text()
    scripts = re.findall(r"script: (.*?)\)\n", text, re.DOTALL)

    assert len(scripts) == 4
    assert {name for script in scripts for name in re.findall(r"\$\{(.*?)\}", script)} == {"name"}


@pytest.mark.real("npm-groovy-lint", "java")
def test_groovy_lint_finds_no_error() -> None:
    done = subprocess.run(
        ["npm-groovy-lint", "--noserver", "--failon", "error", "--output", "json", *GROOVY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    found = json.loads(done.stdout[done.stdout.index("{") :])
    errors = [
        (path, error["line"], error["rule"], error["msg"])
        for path, file in found["files"].items()
        for error in file["errors"]
        if error["severity"] == "error"
    ]
    assert (errors, found["summary"]["totalFilesLinted"], done.returncode) == ([], len(GROOVY), 0)


# --- fetching the command ---------------------------------------------------------------------------------------------


def install(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run what `chainloopInstall` runs, with a home of its own."""
    (folder / "home").mkdir(exist_ok=True)
    kept = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "WORKSPACE_TMP": str(folder)}
    return subprocess.run(
        [sys.executable, "-I", "-B", "-X", "utf8", RESOURCES / "install.py"],
        cwd=folder,
        env={**kept, **{f"CHAINLOOP_INSTALL_{name.upper()}": value for name, value in env.items()}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def origin(tmp_path: Path) -> tuple[Path, str]:
    """Return a repository whose checkout says where its command lies, and its commit."""
    folder = tmp_path / "origin"
    (folder / "jenkins").mkdir(parents=True)
    (folder / "jenkins" / "provide.py").write_text(f"print({str(tmp_path / 'programs')!r})\n")
    (tmp_path / "programs").mkdir()
    who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
    for words in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message", "Build"]):
        subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)
    subprocess.run(["git", "-C", folder, "config", "uploadpack.allowAnySHA1InWant", "true"], check=True)
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return folder, head.stdout.strip()


def test_a_commit_is_fetched_once_and_then_known(tmp_path: Path, origin: tuple[Path, str]) -> None:
    folder, commit = origin

    first = install(tmp_path, source=f"file://{folder}", ref=commit)
    shutil.rmtree(folder)
    second = install(tmp_path, source=f"file://{folder}", ref=commit)

    assert (first.returncode, first.stdout) == (0, f"{tmp_path / 'programs'}\n"), first.stderr
    assert (second.returncode, second.stdout) == (0, first.stdout), second.stderr
    assert [path.name for path in tmp_path.glob("chainloop-*")] == [], "the checkout is gone"


def test_a_branch_is_fetched_each_time(tmp_path: Path, origin: tuple[Path, str]) -> None:
    folder, _ = origin

    first = install(tmp_path, source=f"file://{folder}", ref="HEAD")
    shutil.rmtree(folder)
    second = install(tmp_path, source=f"file://{folder}", ref="HEAD")

    assert first.returncode == 0, first.stderr
    assert second.returncode == 1
    assert "git could not fetch sourceRef from source" in second.stderr


def test_without_a_ref_the_version_of_the_library_is_taken(tmp_path: Path, origin: tuple[Path, str]) -> None:
    folder, _ = origin

    refused = install(tmp_path, source=f"file://{folder}")
    subprocess.run(["git", "-C", folder, "tag", f"v{__version__}"], check=True)
    found = install(tmp_path, source=f"file://{folder}")

    assert (refused.returncode, found.returncode) == (1, 0), refused.stderr + found.stderr
    assert "git could not fetch sourceRef from source" in refused.stderr


def test_a_python_that_is_named_on_windows_is_started_once(tmp_path: Path) -> None:
    # As Windows has it: the launcher is no path of the Python that it starts.
    launcher = tmp_path / "launcher"
    launcher.write_text(f'#!/bin/sh\necho "${{CHAINLOOP_INSTALL_PYTHON-none}}" >told\nexec {sys.executable} "$@"\n')
    launcher.chmod(0o755)
    program = "import runpy, sys; sys.platform = 'win32'; runpy.run_path(sys.argv[1], run_name='__main__')"

    done, refused = (
        subprocess.run(
            [sys.executable, "-I", "-c", program, RESOURCES / "install.py"],
            cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "CHAINLOOP_INSTALL_PYTHON": str(python)},
            capture_output=True, text=True, timeout=60, check=False,
        )
        for python in (launcher, tmp_path / "nowhere")
    )  # fmt: skip

    assert (tmp_path / "told").read_text() == "none\n", "it would start the launcher again, and that it"
    assert (done.returncode, "source is required" in done.stderr) == (1, True), done.stderr
    assert (refused.returncode, "the argument python names no program" in refused.stderr) == (1, True), refused.stderr


@pytest.mark.parametrize("place", ["the answer", "its folder", "the programs"])
def test_what_others_may_write_to_is_not_taken_for_an_earlier_build_s(
    tmp_path: Path, origin: tuple[Path, str], place: str
) -> None:
    folder, commit = origin
    install(tmp_path, source=f"file://{folder}", ref=commit)
    [answer] = (tmp_path / "home" / ".cache" / "chainloop").glob("at-*")
    changed = {"the answer": answer, "its folder": answer.parent, "the programs": tmp_path / "programs"}[place]
    changed.chmod(0o777)
    shutil.rmtree(folder)

    again = install(tmp_path, source=f"file://{folder}", ref=commit)

    # It would have been fetched again.
    assert (again.returncode, again.stdout) == (1, "")
    assert "git could not fetch" in again.stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "source is required"),
        ("{folder}", "jenkins/provide.py is not in it"),
        ("file://{folder}/nothing", "git could not fetch"),
        (f"ext::sh -c touch% {CANARY_FILE}", "git could not fetch"),
    ],
    ids=["none", "another folder", "no repository", "a command"],
)
def test_a_source_that_is_none_is_said(tmp_path: Path, source: str, words: str) -> None:
    done = install(tmp_path, source=source.format(folder=tmp_path))

    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert not (tmp_path / CANARY_FILE).exists()


@pytest.mark.parametrize("source", ["https://127.0.0.1:9/acme/chainloop", "git@127.0.0.1:acme/chainloop.git"])
def test_an_address_is_never_a_folder_that_the_change_under_review_holds(tmp_path: Path, source: str) -> None:
    theirs = tmp_path / source / "jenkins" / "provide.py"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("print('of the change')\n")

    done = install(tmp_path, source=source)

    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "git could not fetch" in done.stderr


def test_t01_a_hostile_source_or_ref_runs_nothing(tmp_path: Path, origin: tuple[Path, str]) -> None:
    texts = [text for text in HOSTILE if CANARY_FILE in text and len(text) < 200][:12]

    for text in texts:
        assert install(tmp_path, source=text, ref=text).returncode == 1, text
        assert install(tmp_path, source=f"file://{origin[0]}", ref=text).returncode == 1, text

    assert list(tmp_path.rglob(CANARY_FILE)) == []


# --- the command that was installed -----------------------------------------------------------------------------------


def command(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `chainloop version` as the installed command does."""
    for source in (
        *(FOLDER / name for name in ("command.py", "names.py")),
        *((ROOT / "actions" / "_shared" / f"{n}.py") for n in ("network", "log", "places")),
    ):
        shutil.copy(source, folder)
    return subprocess.run(
        [sys.executable, "-I", "-B", folder / "command.py", ROOT, "version"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "WORKSPACE_TMP": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_installed_command_is_that_of_its_copy(tmp_path: Path) -> None:
    done = command(tmp_path)

    assert (done.returncode, __version__ in done.stdout) == (0, True), done.stderr


def test_the_installed_command_says_what_is_wrong_with_the_network(tmp_path: Path) -> None:
    done = command(tmp_path, CHAINLOOP_PROXY="socks5://user:canary-of-a-password@proxy")

    assert done.returncode == 1
    assert "argument proxyCredentialsId: expected an address" in done.stderr
    assert "canary" not in done.stdout + done.stderr
