"""`.ci/install-tools`: it has what tests ask for, keeps what is there, and installs nothing unexpected."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.forges.packages import FILES

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "install-tools"
TEXT = SCRIPT.read_text()
PROGRAMS = [line.split() for line in re.findall(r'^  "(\S+ \S+ \S+ v\S+ h1:\S+)"$', TEXT, re.MULTILINE)]
NPM_PROGRAMS = [line.split() for line in re.findall(r'^  "(\S+ \S+ \d\S+ sha512-\S+)"$', TEXT, re.MULTILINE)]
NPM_FILES = [line.split() for line in re.findall(r'^  "(\S+ \S+ \d\S+ sha512-\S+ \S+)"$', TEXT, re.MULTILINE)]
PACKAGES = [line.split() for line in re.findall(r'^  "(\S+ \S+)"$', TEXT, re.MULTILINE)]

FAKE_GO = """\
#!/bin/sh
if [ "$1" = env ]; then echo go1.99.0; exit; fi
name=$(basename "${2%@*}")
printf 'made by the fake\\nmod\\t%s\\t%s\\t%s\\n' "$MODULE" "$VERSION" "$SUM" > "$GOBIN/$name"
chmod +x "$GOBIN/$name"
echo "$@" >> "$GOBIN/../calls"
"""

# npm install … --prefix FOLDER PACKAGE@VERSION, or npm pack … --pack-destination FOLDER PACKAGE@VERSION
FAKE_NPM = """\
#!/bin/sh
for word in "$@"; do
  [ "$last" = --prefix ] && folder=$word
  [ "$last" = --pack-destination ] && pack=$word
  last=$word
done
if [ -n "$pack" ]; then echo "another package" > "$pack/some.tgz"; echo some.tgz; exit; fi
mkdir -p "$folder/node_modules/.bin"
echo '#!/bin/sh' > "$folder/node_modules/.bin/$(basename "$folder")"
chmod +x "$folder/node_modules/.bin/$(basename "$folder")"
printf '{\n"integrity": "%s"\n}' "$INTEGRITY" > "$folder/node_modules/.package-lock.json"
echo "$last" >> "$(dirname "$0")/npm-calls"
"""


def asked_for(project: Path) -> set[str]:
    """Return what tests need, by their `real` marks."""
    marks = [
        mark
        for file in (project / "tests").rglob("test_*.py")
        for mark in re.findall(r"pytest\.mark\.real\(([^)]*)\)", file.read_text())
    ]
    return {name for mark in marks for name in re.findall(r'"([^"]+)"', mark)}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder of tools with a Go beside it that makes whatever it is told to."""
    (tmp_path / "path").mkdir()
    for name, text in (("go", FAKE_GO), ("npm", FAKE_NPM)):
        program = tmp_path / "path" / name
        program.write_text(text)
        program.chmod(0o755)
    (tmp_path / "tools" / "bin").mkdir(parents=True)
    # The wheels are there: nothing is downloaded.
    version = subprocess.run(
        ["python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        env={"PATH": f"{tmp_path / 'path'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    pom = (SCRIPT.parents[1] / "tests" / "family" / "jenkins" / "pom.xml").read_bytes()
    (tmp_path / "tools" / "maven" / hashlib.sha256(pom).hexdigest()[:16]).mkdir(parents=True)
    for name, python in (("client", version), ("client", "3.11"), ("build", "3.11"), ("server", "3.11")):
        lock = (SCRIPT.parents[1] / "requirements" / f"{name}.txt").read_bytes()
        folder = tmp_path / "tools" / "wheels" / f"{hashlib.sha256(lock).hexdigest()[:16]}-{python}"
        folder.mkdir(parents=True, exist_ok=True)
    return tmp_path / "tools"


def install(tools: Path, **facts: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{tools.parent / 'path'}:/usr/bin:/bin", "HOME": str(tools.parent), "CHAINLOOP_TOOLS": str(tools)}
    return subprocess.run(
        [SCRIPT],
        env={**env, **facts},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def put(tools: Path, name: str, module: str, version: str, sum_: str) -> None:
    (tools / "bin" / name).write_text(f"\x7fELF\nmod\t{module}\t{version}\t{sum_}\n")
    (tools / "bin" / name).chmod(0o755)


def put_all(tools: Path) -> None:
    """Put every program there, in the version that is wanted."""
    for name, _, module, version, sum_ in PROGRAMS:
        put(tools, name, module, version, sum_)
    for name, _, version, integrity in NPM_PROGRAMS:
        modules = tools / "npm" / f"{name}-{version}" / "node_modules"
        modules.mkdir(parents=True)
        (modules / ".package-lock.json").write_text(f'"integrity": "{integrity}"')
        (tools / "bin" / name).write_text("#!/bin/sh\n")
        (tools / "bin" / name).chmod(0o755)
    for name, _, version, _, file in NPM_FILES:
        kept = tools / "npm" / f"{name}-{version}" / file
        kept.parent.mkdir(parents=True)
        kept.write_text("{}")


def test_every_tool_that_a_test_asks_for_is_installed(project: Path) -> None:
    offered = {entry[0] for entry in (*PROGRAMS, *NPM_PROGRAMS, *PACKAGES)}

    assert asked_for(project) - offered == set()


def test_no_tool_is_installed_that_nobody_asks_for(project: Path) -> None:
    # curl is for `make demo` and `make bench`, npm for what comes from there, the cluster for `tests/postgresql.py`.
    for name, *_ in (*PROGRAMS, *NPM_PROGRAMS, *PACKAGES):
        assert name in asked_for(project) | {"curl", "npm", "pg_ctlcluster"}, name


def test_programs_of_the_right_version_are_kept(tools: Path) -> None:
    put_all(tools)

    answer = install(tools)

    assert answer.returncode == 0, answer.stderr
    assert all(f"{name} {version} is there" in answer.stdout for name, _, _, version, _ in PROGRAMS)
    assert all(f"{name} {version} is there" in answer.stdout for name, _, version, _ in NPM_PROGRAMS)
    assert all(f"{name} {version} is there" in answer.stdout for name, _, version, *_ in NPM_FILES)
    assert not (tools / "calls").exists()
    assert not (tools.parent / "path" / "npm-calls").exists()


def test_a_program_of_another_version_is_replaced(tools: Path) -> None:
    put_all(tools)
    name, package, module, version, sum_ = PROGRAMS[0]
    put(tools, name, module, "v0.0.1", sum_)

    answer = install(tools, MODULE=module, VERSION=version, SUM=sum_)

    assert answer.returncode == 0, answer.stderr
    assert (tools / "bin" / name).read_text().startswith("made by the fake")
    assert (tools / "calls").read_text() == f"install {package}@{version}\n"
    assert [entry.name for entry in tools.iterdir() if entry.name.startswith("build.")] == []


def test_a_program_with_another_checksum_is_not_installed(tools: Path) -> None:
    name, _, module, version, sum_ = PROGRAMS[0]

    answer = install(tools, MODULE=module, VERSION=version, SUM="h1:somebody-else")

    assert answer.returncode == 1
    assert f"{name} {version} has another checksum than {sum_}: not installed" in answer.stderr
    assert not (tools / "bin" / name).exists()


def test_an_npm_program_that_is_missing_is_installed_in_its_version(tools: Path) -> None:
    put_all(tools)
    name, package, version, integrity = NPM_PROGRAMS[0]
    (tools / "bin" / name).unlink()

    answer = install(tools, INTEGRITY=integrity)

    assert answer.returncode == 0, answer.stderr
    assert (tools.parent / "path" / "npm-calls").read_text() == f"{package}@{version}\n"
    assert subprocess.run([tools / "bin" / name], check=True).returncode == 0


def test_an_npm_program_with_another_integrity_is_not_installed(tools: Path) -> None:
    put_all(tools)
    name, _, version, integrity = NPM_PROGRAMS[0]
    (tools / "bin" / name).unlink()

    answer = install(tools, INTEGRITY="sha512-somebody-else")

    assert answer.returncode == 1
    assert f"{name} {version} has another integrity than {integrity}: not installed" in answer.stderr
    assert not (tools / "bin" / name).exists()


def test_a_description_with_another_integrity_is_not_installed(tools: Path) -> None:
    put_all(tools)
    name, _, version, integrity, file = NPM_FILES[0]
    (tools / "npm" / f"{name}-{version}" / file).unlink()

    answer = install(tools)

    assert answer.returncode == 1
    assert f"{name} {version} has another integrity than {integrity}: not installed" in answer.stderr
    assert not (tools / "npm" / f"{name}-{version}" / file).exists()


def test_the_descriptions_that_tests_read_are_those_that_are_installed() -> None:
    assert {name: file for name, _, _, _, file in NPM_FILES} == FILES
