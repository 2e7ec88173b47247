"""The transcript of the 2022 document: each of its lines runs as typed, and its labels and column heads are ours.

Only ids, digest, file and image are replaced, as its reader would have to. What differs on purpose stands in the two
tables below, with the reason.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.live import Answer, CommandLine, Tenant
from tests.integration.registry import Registry, start_registry

pytestmark = [pytest.mark.real("docker-registry", "skopeo"), pytest.mark.xdist_group("transcript")]

# The eight variables that the transcript's job shows, and the one that its contract asks for.
JOB = {
    "GITHUB_ACTOR": "migmartri",
    "GITHUB_REF": "refs/tags/v0.8.10",
    "GITHUB_REPOSITORY": "chainloop-dev/bedrock",
    "GITHUB_REPOSITORY_OWNER": "chainloop-dev",
    "GITHUB_RUN_ID": "3411479373",
    "GITHUB_SHA": "6417e226890ae1340cecc9cd9d7692445ee3338e",
    "RUNNER_NAME": "GitHub Actions 5",
    "RUNNER_OS": "Linux",
    "CUSTOM_VAR": "RESOLVED_VALUE",
}

# Labels and column heads of the document that we do not print, each with the reason.
LEFT_OUT: dict[str, str] = {}

# JSON keys of the document's statement that ours does not have, each with the reason.
STATEMENT_LEFT_OUT = {
    "predicate.materials[].material": "predicate v0.2 writes resource descriptors; v0.1 is read (decision 5)",
    "predicate.materials[].type": "now the annotation chainloop.material.type of the descriptor",
    "predicate.materials[].name": "now the annotation chainloop.material.name; a STRING's descriptor has no name",
}


@dataclass
class Stage:
    """Everything that the transcript needs to exist."""

    tenant: Tenant
    job: CommandLine
    reader: CommandLine
    image: str
    workflow_id: str


@pytest.fixture(scope="module")
def origin(project: Path) -> str:
    folder = project.parent / "shared" / "origin"
    if not folder.is_dir():
        pytest.skip(f"the documents that the product grew from are not here: {folder}")
    return next(folder.glob("002_*")).read_text()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with start_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def stage(tenant: Tenant, registry: Registry, project: Path, corpus: Path) -> Stage:
    contract = (corpus / "contracts" / "chainloop-contract-example.yaml").read_text()
    job = tenant.job(contract, project="bedrock", workflow="release")
    program = tenant.folder / "releases" / "bin" / "x86_64"
    program.mkdir(parents=True)
    (program / "control-plane").write_bytes(b"\x7fELF" + bytes(4096))
    image = registry.push_image("chainloop-control-plane", "v0.7.6")
    command = job.chainloop
    command.env.update(JOB)
    return Stage(tenant, command, job.reader(), image, job.workflow_id)


def typed(origin: str) -> list[str]:
    """Return the `$ chainloop` lines of the document, in order."""
    return [line.removeprefix("$ ").strip() for line in re.findall(r"^\$ chainloop .*$", origin, re.MULTILINE)]


def printed_after(origin: str, line: str) -> str:
    """Return what the document shows under a typed line."""
    rest = origin.split("$ " + line, 1)[1]
    return re.split(r"^(?:\$ |```|# |#### )", rest, maxsplit=1, flags=re.MULTILINE)[0]


def heads(text: str) -> set[str]:
    """Return the labels of a transcript: titles, column heads and the first cells of two-column tables."""
    found: set[str] = set()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("│").split("│")] if line.startswith("│") else []
        if len(cells) == 1 or (len(cells) > 2 and all(re.fullmatch(r"[# A-Z]+", cell) for cell in cells)):
            found.update(cells)
        if len(cells) == 2 and not re.fullmatch(r"[A-Z_]+", cells[0]):
            found.add(cells[0])
        if cells == ["NAME", "VALUE"]:
            found.update(cells)
    return found - {""}


def replace(line: str, stage: Stage, run_id: str, digest: str) -> list[str]:
    """Put this stage's ids, digest and image into a typed line."""
    words = shlex.split(line)
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        if before == "--id":
            words[position] = run_id
        elif before == "--workflow":
            words[position] = stage.workflow_id
        elif before == "-d":
            words[position] = digest
        elif "dkr.ecr" in word:
            words[position] = stage.image
    return words[1:]


def run(stage: Stage, line: str, run_id: str, digest: str) -> Answer:
    words = replace(line, stage, run_id, digest)
    who = stage.job if words[0] == "attestation" else stage.reader
    return who(*words)


def test_each_line_of_the_document_runs_and_prints_its_labels(stage: Stage, origin: str) -> None:
    run_id = digest = ""
    missing: dict[str, set[str]] = {}
    for line in typed(origin):
        answer = run(stage, line, run_id, digest)
        assert answer.status == 0, (line, answer)
        missing[line] = heads(printed_after(origin, line)) - heads(answer.stdout) - LEFT_OUT.keys()
        if "attestation init" in line:
            run_id = stage.job("attestation", "status", "-o", "json").document["attestationID"]
            program = stage.tenant.folder / "releases" / "bin" / "x86_64" / "control-plane"
            digest = "sha256:" + hashlib.sha256(program.read_bytes()).hexdigest()

    assert len(missing) == 11
    assert {line: labels for line, labels in missing.items() if labels} == {}


def test_the_document_s_notices_are_printed(stage: Stage, origin: str) -> None:
    lines = typed(origin)
    answers = [run(stage, line, "", "") for line in lines[:6]]

    assert "INF Attestation initialized! now you can check its status or add materials to it" in answers[0].stderr
    assert all("INF material added to attestation" in answer.stderr for answer in answers[1:4])
    assert "INF Attestation pushed!" in answers[5].stderr
    envelope = json.loads(answers[5].stdout)
    assert (envelope["payloadType"], len(envelope["signatures"])) == ("application/vnd.in-toto+json", 1)


def test_the_statement_has_the_document_s_fields(stage: Stage, origin: str) -> None:
    lines = typed(origin)
    for line in lines[:5]:
        assert run(stage, line, "", "").status == 0
    run_id = stage.job("attestation", "status", "-o", "json").document["attestationID"]
    assert run(stage, lines[5], run_id, "").status == 0

    statement = stage.reader("workflow", "run", "describe", "--id", run_id, "--output", "statement").document

    text = printed_after(origin, lines[9])
    shown = json.loads(repaired(text[text.index("{") :]))
    assert (
        key_paths(shown) - key_paths(statement) - STATEMENT_LEFT_OUT.keys() - below(STATEMENT_LEFT_OUT, shown) == set()
    )


def repaired(text: str) -> str:
    """Return the document's JSON without its slips: trailing commas and one missing brace."""
    text = text[: text.rindex("}") + 1].replace("\xa0", " ")
    text = re.sub(r",(\s*[\]}])", r"\1", text)
    return re.sub(r'("CONTAINER_IMAGE")\s*\]', r"\1 } ]", text)


def key_paths(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        inner = {f"{path}.{key}".lstrip("."): item for key, item in value.items()}
        return set(inner) | {found for key, item in inner.items() for found in key_paths(item, key)}
    if isinstance(value, list):
        return {found for item in value for found in key_paths(item, f"{path}[]")}
    return set()


def below(parents: dict[str, str], document: object) -> set[str]:
    return {path for path in key_paths(document) if any(path.startswith(parent) for parent in parents)}


def test_the_download_names_file_and_place(stage: Stage, origin: str) -> None:
    for line in typed(origin)[:6]:
        run(stage, line, "", "")
    program = stage.tenant.folder / "releases" / "bin" / "x86_64" / "control-plane"
    digest = "sha256:" + hashlib.sha256(program.read_bytes()).hexdigest()

    answer = stage.reader("artifact", "download", "-d", digest)

    copy = stage.tenant.folder / "control-plane"
    assert f"INF downloading file name=control-plane to={copy}" in answer.stderr
    assert f"INF file downloaded! path={copy}" in answer.stderr
    assert copy.read_bytes() == program.read_bytes()


def test_the_image_s_digest_is_what_skopeo_says(stage: Stage, origin: str) -> None:
    line = next(line for line in typed(origin) if "control-plane-image" in line)
    stage.job("attestation", "init")
    stage.job(*replace(line, stage, "", ""))
    (material,) = [
        material
        for material in stage.job("attestation", "status", "-o", "json").document["materials"]
        if material["name"] == "control-plane-image"
    ]

    said = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{stage.image}"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip

    assert material["hash"] == said
