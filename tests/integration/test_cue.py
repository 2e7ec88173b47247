"""Full CUE with the real `cue` program: from a file to what the control plane keeps, and what ends by its limits."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path

import pytest

from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import ContractFormat, MaterialType
from chainloop_ci.cue import CueLimits, export_json
from chainloop_ci.errors import ContractInvalidError, LimitExceededError
from tests.integration.live import CommandLine, Tenant

pytestmark = pytest.mark.real("cue")

FULL = b"""\
package contracts

import "strings"

#Material: {
	name: =~"^[a-z0-9-]+$"
	type: "ARTIFACT" | "SBOM_CYCLONEDX_JSON"
	output: bool | *false
}
let names = ["binary", "library"]
apiVersion: "chainloop.dev/v1"
kind: "Contract"
metadata: name: strings.ToLower("RELEASE")
spec: materials: [for n in names {#Material & {name: n, type: "ARTIFACT", output: true}}]
"""
BOMB = b"a0: {x: 1, y: 1}\n" + b"".join(b"a%d: {x: a%d, y: a%d}\n" % (n, n - 1, n - 1) for n in range(1, 40))
LOOP = b'import "list"\nx: [for i in list.Range(0, 100000000, 1) {i}]\n'


@pytest.fixture
def cue() -> Path:
    found = shutil.which("cue")
    assert found
    return Path(found)


def load_cue(raw: bytes, cue: Path):
    return load(raw, filename="c.cue", evaluate_cue=lambda text: export_json(text, cue))


def test_definitions_comprehensions_and_built_in_packages_become_a_contract(cue: Path):
    loaded = load_cue(FULL, cue)

    assert loaded.format is ContractFormat.JSON
    assert loaded.contract.name == "release"
    assert [(entry.name, entry.type) for entry in loaded.contract.materials] == [
        ("binary", MaterialType.ARTIFACT),
        ("library", MaterialType.ARTIFACT),
    ]
    assert json.loads(loaded.raw)["spec"]["materials"][0]["output"] is True


def test_the_same_file_is_exported_to_the_same_bytes(cue: Path):
    assert export_json(FULL, cue) == export_json(FULL, cue)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (b'let v = "v1"\nschemaVersion: v\nname: string\n', "cue-incomplete", 3),
        (b'let v = "v1"\nschemaVersion: v\nschemaVersion: "v2"\n', "cue-conflict", 1),
        (b'let v = "v1"\nschemaVersion: ]\n', "cue-error", 2),
        (b"schemaVersion: version\n", "cue-error", 1),
        (b'import "example.com/shared"\nschemaVersion: shared.version\n', "cue-import", 1),
        (b'import "contracts.example/x/y"\nschemaVersion: y.version\n', "cue-import", 1),
        (b'@extern(embed)\npackage x\nschemaVersion: _ @embed(file="/etc/hostname",type=text)\n', "cue-import", None),
    ],
)
def test_what_cue_refuses_is_a_finding_with_its_line(cue: Path, text: bytes, code: str, line: int | None):
    with pytest.raises(ContractInvalidError) as caught:
        load_cue(text, cue)

    assert (caught.value.findings[0].code, caught.value.findings[0].line) == (code, line)


def test_a_module_in_a_folder_above_is_not_used(cue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cue.mod").mkdir()
    (tmp_path / "cue.mod" / "module.cue").write_text('module: "planted.example/m"\nlanguage: version: "v0.9.0"\n')
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "lib.cue").write_text('package lib\nv: "v1"\n')
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(ContractInvalidError) as caught:
        load_cue(b'import "planted.example/m/lib"\nschemaVersion: lib.v\n', cue)

    assert caught.value.findings[0].code == "cue-import"


def test_an_error_of_the_contract_itself_names_no_line_of_the_exported_json(cue: Path):
    with pytest.raises(ContractInvalidError) as caught:
        load_cue(b'let v = "v1"\nschemaVersion: v\nmaterials: [{name: "a", type: "NONSENSE"}]\n', cue)

    assert [(finding.path, finding.line) for finding in caught.value.findings] == [("/materials/0/type", None)]


@pytest.mark.parametrize(
    ("text", "limits", "why"),
    [
        (BOMB, CueLimits(wall_seconds=1), "was ended after 1 s"),
        (BOMB, CueLimits(cpu_seconds=1), "computing time"),
        (LOOP, CueLimits(memory_bytes=1024 * 1024 * 1024), "MiB of memory|was ended|computing time"),
        (b'import "strings"\nx: [for i in [1, 2] {strings.Repeat("x", 1000000)}]\n', CueLimits(), "exports more than"),
    ],
)
def test_hostile_cue_ends_by_a_limit(cue: Path, text: bytes, limits: CueLimits, why: str):
    with pytest.raises(LimitExceededError, match=why):
        export_json(text, cue, limits)


def test_lint_reads_full_cue(tmp_path: Path):
    (tmp_path / "c.cue").write_bytes(FULL)

    answer = CommandLine(tmp_path)("workflow", "contract", "lint", "c.cue", "-o", "json")

    assert answer.status == 0, answer.stderr
    assert answer.document["metadata"]["name"] == "release"


def test_lint_without_the_program_names_what_needs_it_and_both_ways_out(tmp_path: Path):
    (tmp_path / "c.cue").write_bytes(FULL)

    answer = CommandLine(tmp_path)("workflow", "contract", "lint", "c.cue", env={"PATH": "/nowhere"})

    assert answer.status == 1
    assert answer.stdout.startswith("c.cue:1:1 / `package` is more than the data subset of CUE")
    assert "install it" in answer.stdout
    assert "cue export --out json FILE > contract.json" in answer.stdout


def test_a_dry_run_begins_with_a_full_cue_contract(tmp_path: Path):
    (tmp_path / "c.cue").write_bytes(FULL)
    chainloop = CommandLine(tmp_path)

    begun = chainloop("attestation", "init", "--dry-run", "--contract", "c.cue", "-o", "json")

    assert begun.status == 0, begun.stderr
    assert os.listdir(tmp_path)


def test_the_control_plane_keeps_the_exported_json_and_a_job_may_name_the_cue_file(tenant: Tenant) -> None:
    (tenant.folder / "c.cue").write_bytes(FULL)
    env = {"CHAINLOOP_CONTROL_PLANE_API": tenant.url, "CHAINLOOP_TOKEN": tenant.admin_token}
    admin = CommandLine(tenant.folder, env)
    exported = export_json(FULL, Path(shutil.which("cue") or ""))

    applied = admin("workflow", "contract", "apply", "-f", "c.cue", "-o", "json")
    again = admin("workflow", "contract", "apply", "-f", "c.cue", "-o", "json")
    admin("workflow", "create", "--name", "build", "--project", "hello", "--contract", "release")
    job = CommandLine(tenant.folder, {**env, "CHAINLOOP_TOKEN": tenant.token("attest", project="hello")})
    begun = job("attestation", "init", "--workflow", "build", "--project", "hello", "--contract", "c.cue")

    assert applied.status == 0, applied.stderr
    assert base64.b64decode(applied.document["rawBody"]) == exported
    assert (applied.document["revision"], again.document["revision"]) == (1, 1)
    assert begun.status == 0, begun.stderr
