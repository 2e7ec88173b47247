"""`attestation craft` with patterns, checksums and lists of artifacts, against a real control plane."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from chainloop_ci.digests import sha256_digest
from tests.integration.live import Answer, Job, Tenant

CONTRACT = """\
apiVersion: chainloop.dev/v1
kind: Contract
metadata:
  name: build
spec:
  materials:
    - {name: binary, type: ARTIFACT, output: true}
    - {name: tests, type: JUNIT_XML}
    - {name: wheel, type: ARTIFACT, optional: true}
"""
CRAFT = ("attestation", "craft", "--project", "hello", "--workflow", "build", "-o", "json")
FILES = (*CRAFT, "--material", "binary=dist/app-*", "--material", "tests=reports/**/*.xml")
REPORT = '<testsuites><testsuite name="{0}" tests="1"><testcase name="{0}"/></testsuite></testsuites>'


@pytest.fixture
def built(tenant: Tenant) -> Job:
    """Return a job that has built a program and tested it."""
    job = tenant.job(CONTRACT)
    for path, text in (
        ("dist/app-1.2.3", "the build"),
        ("reports/a/TEST-one.xml", REPORT.format("one")),
        ("reports/b/TEST-two.xml", REPORT.format("two")),
    ):
        write(job, path, text)
    return job


def write(job: Job, path: str, text: str) -> Path:
    """Write a file of the job's workspace."""
    file = job.chainloop.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def write_project_file(job: Job, materials: str) -> None:
    """Write the repository's file with one attestation."""
    write(
        job,
        ".chainloop.yml",
        f"attestations:\n  - name: build\n    project: hello\n    workflow: build\n    materials:\n{materials}",
    )


def materials_of(answer: Answer) -> dict[str, dict[str, str]]:
    """Return the materials of a crafted attestation by name."""
    assert answer.status == 0, answer.stderr
    return {entry["name"]: entry for entry in answer.document["materials"] if entry["Set"]}


def findings_of(answer: Answer) -> list[str]:
    """Return the messages of an unmet contract."""
    assert answer.status == 3, answer.stderr
    return [finding["message"] for finding in json.loads(answer.stdout)["error"]["findings"]]


def test_patterns_find_the_files_and_reports_become_one_archive_that_the_server_accepts(built: Job) -> None:
    found = materials_of(built.chainloop(*FILES))

    digest = found["tests"]["hash"]
    archive = built.tenant.request("GET", f"/artifacts/{digest}").data
    assert sha256_digest(archive) == digest
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == ["a/TEST-one.xml", "b/TEST-two.xml"]
    assert (found["binary"]["filename"], found["tests"]["filename"]) == ("app-1.2.3", "tests.zip")
    assert [run["state"] for run in built.runs()] == ["success"]


def test_the_same_reports_have_the_same_digest_in_another_workspace(built: Job) -> None:
    first = materials_of(built.chainloop(*FILES))["tests"]["hash"]
    elsewhere = built.chainloop.folder / "elsewhere"
    elsewhere.mkdir()
    (built.chainloop.folder / "reports").rename(elsewhere / "reports")

    second = materials_of(built.chainloop(*FILES[:-1], f"tests={elsewhere}/reports/**/*.xml"))["tests"]["hash"]

    assert first == second


def test_the_repository_s_own_file_may_have_patterns_below_its_folder(built: Job) -> None:
    write_project_file(
        built, "      - {name: binary, path: dist/app*}\n      - {name: tests, path: 'reports/*/*.xml'}\n"
    )
    inner = built.chainloop.folder / "services" / "api"
    inner.mkdir(parents=True)
    built.chainloop.folder = inner

    assert set(materials_of(built.chainloop("attestation", "craft", "-o", "json"))) == {"binary", "tests"}


def test_each_of_several_files_is_a_material_when_the_entry_says_so(built: Job) -> None:
    for name in ("a.whl", "b.whl", "c.whl"):
        write(built, f"dist/{name}", name)
    write_project_file(
        built,
        "      - {name: binary, path: dist/app*}\n      - {name: tests, path: 'reports/**'}\n"
        "      - {name: wheel, path: dist/*.whl, multiple: true}\n",
    )

    crafted = built.chainloop("attestation", "craft", "-o", "json")

    names = {name: entry["filename"] for name, entry in materials_of(crafted).items() if name.startswith("wheel")}
    assert names == {"wheel": "a.whl", "wheel-1": "b.whl", "wheel-2": "c.whl"}
    assert "does not know" not in crafted.stderr
    assert [run["state"] for run in built.runs()] == ["success"]


def test_everything_that_is_wrong_with_files_is_told_at_once(built: Job) -> None:
    write(built, "dist/app-1.2.4", "another")
    write(built, "SHA256SUMS", f"{'0' * 64}  dist/app-1.2.3\n{'0' * 64}  dist/gone\n")

    refused = built.chainloop(
        *CRAFT, "--checksums", "SHA256SUMS", "--material", "binary=dist/app-*", "--material", "tests=report/*.xml"
    )

    several, none, gone, differs = sorted(findings_of(refused), key=lambda text: "SHA256SUMS" in text)
    assert "the material binary: 2 files match dist/app-*" in several
    assert f"the material tests: no file matches report/*.xml in {built.chainloop.folder}" in none
    assert "the nearest: reports/a/TEST-one.xml" in none
    assert "SHA256SUMS line 2: there is no file dist/gone" in gone
    assert f"expected sha256:{'0' * 64}, found {sha256_digest(b'the build')}" in differs
    assert [run["state"] for run in built.runs()] == ["error"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("'/proc/self/env*'", "/proc/self/env* leads out of the workspace"),
        ("/proc/self/environ", "/proc/self/environ leads out of the workspace"),
        ("'../*'", "../* leads out of the workspace"),
        ("'link*'", "link leads out of the workspace"),
        ("'pipe*'", "pipe is a device, a pipe or a socket"),
    ],
)
def test_r22_a_pattern_of_the_repository_s_file_is_refused_by_name(built: Job, path: str, said: str) -> None:
    outside = write(built, "../secret", "not of this workspace")
    (built.chainloop.folder / "link").symlink_to(outside)
    os.mkfifo(built.chainloop.folder / "pipe")
    write_project_file(built, f"      - {{name: binary, path: {path}}}\n      - {{name: tests, path: 'reports/**'}}\n")

    [message] = findings_of(built.chainloop("attestation", "craft", "-o", "json"))

    assert message.startswith("the material binary: ")
    assert said in message
    assert "not of this workspace" not in built.chainloop("attestation", "status").stderr


def test_r21_r22_a_repository_s_file_with_a_server_a_glob_to_proc_and_a_link_out_is_refused_by_name(built: Job) -> None:
    (built.chainloop.folder / "link").symlink_to("/etc/passwd")
    write_project_file(
        built, "      - {name: binary, path: '/proc/self/environ*'}\n      - {name: tests, path: link}\n"
    )
    refused = findings_of(built.chainloop("attestation", "craft", "-o", "json"))
    file = built.chainloop.folder / ".chainloop.yml"
    file.write_text(f"controlPlane: https://evil.test\n{file.read_text()}")

    never_begun = built.chainloop("attestation", "craft")

    assert ["/proc/self/environ*" in refused[0], "link leads out" in refused[1]] == [True, True]
    assert never_begun.status == 1
    assert "controlPlane may not be set by a file that a pull request controls" in never_begun.stderr
    assert len(built.runs()) == 1


def test_typed_patterns_may_lead_elsewhere_but_not_into_proc(built: Job) -> None:
    outside = write(built, "../outside/app-9", "built elsewhere")

    crafted = built.chainloop(*FILES[:-2], "--material", f"tests={built.chainloop.folder}/reports/**/*.xml")
    elsewhere = built.chainloop(*FILES[:-3], f"binary={outside.parent}/app-?", *FILES[-2:])
    refused = built.chainloop(*FILES[:-3], "binary=/proc/self/environ*", *FILES[-2:])

    assert materials_of(crafted)["binary"]["filename"] == "app-1.2.3"
    assert materials_of(elsewhere)["binary"]["filename"] == "app-9"
    assert "/proc/self/environ* is in a system folder" in findings_of(refused)[0]


def test_a_checksums_file_feeds_the_contract_and_what_nobody_can_choose_is_told(built: Job) -> None:
    write(built, "dist/binary.exe", "the build")
    write(built, "dist/app.sig", "a signature")
    write(built, "dist/app.crt", "a certificate")
    names = ("dist/binary.exe", "dist/app.sig", "dist/app.crt", "reports/a/TEST-one.xml", "reports/b/TEST-two.xml")
    raw = {name: (built.chainloop.folder / name).read_bytes() for name in names}
    sums = "".join(f"{sha256_digest(raw[name]).removeprefix('sha256:')}  {name}\n" for name in names)
    write(built, "dist/SHA256SUMS", sums)

    crafted = built.chainloop(*CRAFT, env={"CHAINLOOP_CHECKSUMS": "dist/SHA256SUMS"})

    found = {name: (entry["filename"], entry["type"]) for name, entry in materials_of(crafted).items()}
    assert found == {"binary": ("binary.exe", "ARTIFACT"), "tests": ("tests.zip", "JUNIT_XML")}
    assert "dist/app.sig of dist/SHA256SUMS line 2 is no material of the contract" in crafted.stderr
    assert "would_fit=wheel" in crafted.stderr


def test_a_list_that_cannot_be_read_is_an_error_before_anything_is_begun(built: Job) -> None:
    write(built, "SHA256SUMS", "nonsense\n")

    refused = built.chainloop(*CRAFT, "--checksums", "SHA256SUMS")
    missing = built.chainloop(*CRAFT, "--artifact-list", "absent.json")

    assert (refused.status, missing.status) == (1, 1)
    assert "line 1: found 'nonsense'" in refused.stderr
    assert "absent.json" in missing.stderr
    assert built.runs() == []


def test_the_runner_s_list_feeds_the_contract_and_what_is_no_material_is_a_warning(built: Job) -> None:
    write(built, "dist/binaries.txt", "notes")
    listed = [{"name": "program", "path": "dist/app-1.2.3"}, "reports", "dist/binaries.txt"]
    write(built, "artifacts.json", json.dumps(listed))

    crafted = built.chainloop(*CRAFT, "--material", "binary=dist/app-*", "--artifact-list", "artifacts.json")

    assert set(materials_of(crafted)) == {"binary", "tests", "wheel"}


def test_the_form_of_chainloop_labs_is_crafted(built: Job) -> None:
    write(
        built,
        ".chainloop.yml",
        "attestation:\n  - {name: binary, path: dist/app-*}\n  - {name: tests, path: reports/**}\n"
        "other:\n  - {name: binary, path: gone}\n",
    )

    crafted = built.chainloop(*CRAFT)
    other = built.chainloop(*CRAFT, "--attestation", "other")

    assert set(materials_of(crafted)) == {"binary", "tests"}
    assert "there is no file" in findings_of(other)[0]


def test_ten_attestations_of_a_monorepo_are_chosen_by_name(built: Job) -> None:
    entries = ""
    for number in range(10):
        write(built, f"service-{number}/app", str(number))
        entries += (
            f"  - name: service-{number}\n    project: hello\n    workflow: build\n    materials:\n"
            f"      - {{name: binary, path: service-{number}/a*}}\n      - {{name: tests, path: 'reports/**'}}\n"
        )
    write(built, ".chainloop.yml", f"attestations:\n{entries}")

    digests = [
        materials_of(built.chainloop("attestation", "craft", "--attestation", f"service-{number}", "-o", "json"))[
            "binary"
        ]["hash"]
        for number in (0, 9)
    ]
    unchosen = built.chainloop("attestation", "craft")

    assert digests == [sha256_digest(b"0"), sha256_digest(b"9")]
    assert unchosen.status == 2
    assert "10 attestations" in unchosen.stderr
    assert "service-0, service-1" in unchosen.stderr
    assert len(built.runs()) == 2


def test_a_pattern_is_found_by_a_step_that_adds_one_material(built: Job) -> None:
    chainloop = built.chainloop
    assert chainloop("attestation", "init", "--project", "hello", "--workflow", "build").status == 0

    one = chainloop("attestation", "add", "--name", "binary", "--value", "dist/app-*", "-o", "json")
    several = chainloop("attestation", "add", "--name", "tests", "--value", "reports/**", "-o", "json")
    none = chainloop("attestation", "add", "--value", "dist/*.exe")
    text = chainloop("attestation", "add", "--name", "note", "--value", "all *.exe", "--kind", "STRING")

    assert [(one.status, one.document[0]["filename"]), (several.status, several.document[0]["filename"])] == [
        (0, "app-1.2.3"),
        (0, "tests.zip"),
    ]
    assert (none.status, text.status) == (1, 0)
    assert "no file matches dist/*.exe" in none.stderr
    assert "--kind STRING" in none.stderr
    assert chainloop("attestation", "push").status == 0
