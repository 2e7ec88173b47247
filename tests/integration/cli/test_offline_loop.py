"""The loop without a control plane, by the program itself: real processes, real files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.live import IMPATIENT

Run = Callable[..., "subprocess.CompletedProcess[str]"]

EXAMPLE = """\
schemaVersion: v1
materials:
  - {type: STRING, name: commit}
  - {type: ARTIFACT, name: app, output: true}
  - {type: SBOM_CYCLONEDX_JSON, name: sbom, optional: true}
envAllowList: [CUSTOM_VAR]
runner: {type: GITHUB_ACTION}
"""

HEAVY = (
    "yaml",
    "jsonschema",
    "jsonschema_rs",
    "urllib3",
    "requests",
    "cryptography",
    "oras",
    "nacl",
    "ssl",
    "http.client",
)


@pytest.fixture
def chainloop(tmp_path: Path, project: Path) -> Run:
    """Return what runs the program in an empty folder with a small environment."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(project), "CUSTOM_VAR": "RESOLVED_VALUE"}
    (tmp_path / "contract.yaml").write_text(EXAMPLE)
    (tmp_path / "app").write_bytes(b"\x7fELF binary")

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chainloop_ci", *arguments],
            cwd=tmp_path,
            env={**env, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def begun(chainloop: Run) -> Run:
    done = chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")
    assert done.returncode == 0, done.stderr
    return chainloop


def test_a_contract_can_be_tried_from_init_to_push(begun: Run) -> None:
    assert begun("attestation", "add", "--name", "commit", "--value", "deadbeef").returncode == 0
    assert begun("attestation", "add", "--name", "app", "--value", "app").returncode == 0
    assert begun("attestation", "status").returncode == 0

    done = begun("attestation", "push")

    assert done.returncode == 0, done.stderr
    statement = json.loads(done.stdout)
    assert statement["subject"][-1]["name"] == "app"
    assert statement["predicate"]["env"] == {"CUSTOM_VAR": "RESOLVED_VALUE"}


def test_an_incomplete_dry_run_ends_with_3_and_says_what_to_type(begun: Run) -> None:
    done = begun("attestation", "push")

    assert done.returncode == 3
    assert json.loads(done.stdout)["predicateType"] == "chainloop.dev/attestation/v0.2"
    assert "chainloop attestation add --name commit --value <text>" in done.stderr
    assert "chainloop attestation add --name app --value <file>" in done.stderr


def test_missing_variables_end_with_3(chainloop: Run) -> None:
    done = chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml", CUSTOM_VAR="")

    assert done.returncode == 3
    assert "CUSTOM_VAR" in done.stderr


def test_a_wrong_contract_names_line_and_column(chainloop: Run, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text(EXAMPLE.replace("ARTIFACT", "ARTEFACT"))

    done = chainloop("attestation", "init", "--dry-run", "--contract", "contract.yaml")

    assert done.returncode == 1
    assert "line 4:" in done.stderr


def test_without_dry_run_somebody_has_to_say_where_the_control_plane_is(chainloop: Run) -> None:
    done = chainloop("attestation", "init", "--contract", "contract.yaml")

    assert done.returncode == 2
    assert "CHAINLOOP_CONTROL_PLANE_API" in done.stderr


def test_a_control_plane_that_is_down_ends_with_6_and_names_its_address(chainloop: Run) -> None:
    down = {"CHAINLOOP_CONTROL_PLANE_API": "http://127.0.0.1:9", "CHAINLOOP_TOKEN": "clp_x", **IMPATIENT}

    done = chainloop("attestation", "init", **down)

    assert done.returncode == 6
    assert "http://127.0.0.1:9" in done.stderr


def test_without_an_attestation_the_commands_say_how_to_begin(chainloop: Run) -> None:
    for command in (["status"], ["push"], ["add", "--value", "x"]):
        done = chainloop("attestation", *command)

        assert done.returncode == 1
        assert "chainloop attestation init" in done.stderr


def test_a_broken_state_file_says_how_to_go_on(begun: Run, tmp_path: Path) -> None:
    [state] = tmp_path.rglob("attestation.json")
    state.write_bytes(state.read_bytes()[:100])

    status = begun("attestation", "status")
    reset = begun("attestation", "reset")

    assert status.returncode == 1
    assert "chainloop attestation reset" in status.stderr
    assert reset.returncode == 0
    assert begun("attestation", "init", "--dry-run", "--contract", "contract.yaml").returncode == 0


def test_parallel_adds_all_survive(begun: Run) -> None:
    names = [f"text-{number}" for number in range(8)]

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda n: begun("attestation", "add", "--name", n, "--value", n).returncode, names))

    assert codes == [0] * len(names)
    document = json.loads(begun("attestation", "status", "-o", "json").stdout)
    assert {entry["name"] for entry in document["materials"] if entry["Set"]} == set(names)


def test_the_state_file_is_private_and_holds_digests_only(begun: Run, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 4_000_000)

    begun("attestation", "add", "--name", "app", "--value", "large")

    [state] = tmp_path.rglob("attestation.json")
    assert state.stat().st_mode & 0o777 == 0o600
    assert state.stat().st_size < 10_000


def test_status_loads_nothing_heavy(begun: Run, tmp_path: Path, project: Path) -> None:
    script = (
        "import sys; from chainloop_ci.cli.main import main; sys.argv = ['chainloop', 'attestation', 'status']; main();"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == "[]\n"


def test_output_is_unicode_whatever_the_locale_is(begun: Run) -> None:
    done = begun("attestation", "status", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0
    assert "│ Initialized At" in done.stdout


def test_a_reader_that_goes_away_is_no_traceback(begun: Run, tmp_path: Path, project: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m chainloop_ci attestation status | true",
        shell=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
