"""THE table of fuzz targets: one for each parser that reads bytes somebody else wrote."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from chainloop_ci.api import access, runs, workflows
from chainloop_ci.api.record import parse_request
from chainloop_ci.attestation.bundle import pae, read_bundle, read_bundle_strict
from chainloop_ci.attestation.reader import read_statement
from chainloop_ci.attestation.referrers import extract
from chainloop_ci.attestation.strict_json import parse_strict
from chainloop_ci.attestation.view import StatementView
from chainloop_ci.client.answers import Answer, error_of, read_json
from chainloop_ci.config import load_config
from chainloop_ci.contract.cue_report import explain
from chainloop_ci.contract.document import from_document, to_document
from chainloop_ci.contract.load import load
from chainloop_ci.contract.types import ContractFormat
from chainloop_ci.crafting.file_lists import parse_artifact_list, parse_checksums
from chainloop_ci.crafting.file_names import find_near, names_of
from chainloop_ci.digests import sha256_digest
from chainloop_ci.errors import ChainloopError
from chainloop_ci.materials.image_name import canonical_repository, parse_image_name
from chainloop_ci.materials.registry import MATERIALS, infer
from chainloop_ci.runners.systems.tekton import TEKTON_PIPELINE
from chainloop_ci.runners.types import HostFacts, Pod
from chainloop_ci.signing.pem import find_blocks
from chainloop_ci.signing.public_keys import load_public_key
from chainloop_ci.state import LocalState
from chainloop_ci.workspace.event import read_event
from chainloop_ci.workspace.facts_kubernetes import read_labels
from chainloop_ci.workspace.git_files import find_git_dir, read_commit, read_remotes
from chainloop_ci.workspace.globs import Search
from chainloop_ci.workspace.project_file import load_project_file
from server.auth.token_text import holds_token, is_token
from server.content_check.wire import AnswerInvalidError, read_answer
from server.model.inbound import ReceiverKind
from server.model.paging import Paging, bind
from tests.fuzz import forges, images


@dataclass(frozen=True)
class Target:
    """One parser under the fuzzer."""

    name: str
    run: Callable[[bytes], object]
    """Feeds the bytes to the parser; may raise nothing but a `ChainloopError`."""
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = field(default=())
    """What the format is made of: the fuzzer mixes them in."""


@contextmanager
def _file(content: bytes, name: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def _contract(format: ContractFormat | None) -> Callable[[bytes], object]:
    def run(raw: bytes) -> object:
        loaded = load(raw, format=format)
        # What loads must survive being written down and read again.
        assert from_document(to_document(loaded.contract)) == loaded.contract
        return loaded

    return run


def _bundle(raw: bytes) -> object:
    return pae(read_bundle(raw))


def _statement(raw: bytes) -> object:
    view: StatementView = read_statement(raw)
    return extract(view, sha256_digest(raw))


def _state(raw: bytes) -> object:
    with _file(raw, "state.json") as path:
        return LocalState(path).find()


def _event(raw: bytes) -> object:
    with _file(raw, "event.json") as path:
        return read_event(path)


def _project_file(raw: bytes) -> object:
    with _file(raw, ".chainloop.yml") as path:
        return load_project_file(path)


def _checksums(raw: bytes) -> object:
    files = parse_checksums(raw, "SHA256SUMS")
    # What was read can be written and read again.
    escapes = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
    lines = [f"\\{(file.digest or '')[7:]}  {file.path.translate(escapes)}\n" for file in files]
    again = parse_checksums("".join(lines).encode("utf-8", "surrogateescape"), "SHA256SUMS")
    assert [(file.path, file.digest) for file in again] == [(file.path, file.digest) for file in files]
    return files


def _artifact_list(raw: bytes) -> object:
    files = parse_artifact_list(raw, "artifacts.json")
    return [(names_of(file.path), find_near(file.path, ("binary", "sbom"))) for file in files]


def _pattern(text: str) -> object:
    """Search a small workspace; nothing that is found leads out of it, unless a link was written out."""
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        inner = Path(folder) / "a" / "b.xml"
        inner.parent.mkdir()
        inner.touch()
        found = Search(max_entries=100).find(text, Path(folder), root=Path(folder))
        assert all((Path(folder) / path).resolve().is_relative_to(Path(folder).resolve()) for path in found.paths)
        return found


def _config(raw: bytes) -> object:
    with _file(raw, "config.toml") as path:
        return load_config(path)


def _git(raw: bytes) -> object:
    """Take the bytes apart into the files of a repository that a pull request could have written."""
    head, _, rest = raw.partition(b"\0")
    config, _, rest = rest.partition(b"\0")
    packed, _, loose = rest.partition(b"\0")
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        git = Path(folder) / ".git"
        (git / "objects" / "ab").mkdir(parents=True)
        (git / "HEAD").write_bytes(head)
        (git / "config").write_bytes(config)
        (git / "packed-refs").write_bytes(packed)
        (git / "objects" / "ab" / ("c" * 38)).write_bytes(loose)
        found = find_git_dir(Path(folder))
        assert found is not None
        return read_commit(found), read_commit(found, "ab" + "c" * 38), read_remotes(found)


def _answer(raw: bytes) -> object:
    status = 400 + (raw[0] if raw else 0) % 200
    media_type = "application/problem+json" if len(raw) % 2 else "application/json"
    answer = Answer("GET /api/v1/whoami", status, {"content-type": media_type}, raw[1:])
    error = error_of(answer, "http://127.0.0.1")
    assert isinstance(error, ChainloopError)
    return read_json(answer)


def _request(raw: bytes) -> object:
    document = parse_strict(raw)
    for cls in (runs.RunRequest, workflows.WorkflowRequest, access.TokenRequest):
        try:
            parse_request(cls, document)
        except ChainloopError:
            continue
    return document


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda raw: read(raw.decode("utf-8", "surrogateescape"))


def _cursor(text: str) -> object:
    return Paging(10, text).after(bind("runs", "acme", state="success"), (1, "a"))


def _token(text: str) -> object:
    assert not is_token(text) or holds_token(text)
    return text


def _image(text: str) -> object:
    return parse_image_name(text), canonical_repository(text)


def _public_key(raw: bytes) -> object:
    find_blocks(raw.decode("utf-8", "replace"))
    return load_public_key(raw)


def _infer(raw: bytes) -> object:
    return infer("file", raw, is_file=True) if raw else None


def _pod(raw: bytes) -> object:
    try:
        labels = read_labels(raw)
    except (ValueError, RecursionError):
        return None
    return TEKTON_PIPELINE.ci(HostFacts({}, pod=Pod("ci", labels)))


def _child_answer(raw: bytes) -> object:
    try:
        return read_answer(raw)
    except AnswerInvalidError:
        return None


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


_JSON_WORDS = ("{", "}", "[", "]", ":", ",", "null", "true", "1e5", '"\\ud800"', "NaN", "-0", "9007199254740993")
_YAML_WORDS = ("&a ", "*a", "<<: ", "!!str ", "- ", ": ", "|\n ", "? ", "%YAML 1.2\n", "---\n", "'", "# ")
_CUE_WORDS = ("//", '"""', "a: b: 1", "[...]", "#D: ", "\\(x)", "1K", "_|_")
_PROJECT_FILE = b"attestations:\n  - name: a\n    workflow: b\n"
_CHECKSUMS = (
    b"a" * 64 + b"  app\n\\" + b"B" * 64 + b" *a\\nb\\\\c\n# made by the build\nsha256:" + b"c" * 64 + b"  d e\r\n",
    b"SHA256 (dist/app (1)) = " + b"0" * 64 + b"\n",
)
_ARTIFACT_LISTS = (
    b'[{"name":"app","path":"dist/app","type":"Binary"},"reports/a.xml"]',
    b'{"total_count":1,"artifacts":[{"name":"app"}]}',
    b"dist/app\nreports/a.xml\n",
)
_REPOSITORY = b"\0".join(
    (b"ref: refs/heads/main\n", b'[remote "origin"]\n\turl = a\n', b"a" * 40 + b" refs/heads/main\n", b"x")
)
_CONTRACT = {"schemaVersion": "v1", "materials": [{"name": "a", "type": "STRING"}], "envAllowList": ["A"]}
_CONTRACT_JSON = json.dumps(_CONTRACT).encode()
_CONTRACT_YAML = b"""\
apiVersion: chainloop.dev/v1
kind: Contract
metadata: {name: build}
spec:
  materials:
    - {name: binary, type: ARTIFACT, output: true}
    - name: version
      type: STRING
      annotations: [{name: team, value: core}]
  runner: {type: GITHUB_ACTION}
"""
_CONTRACT_CUE = b"""\
schemaVersion: "v1"
// materials
materials: [
\t{type: "ARTIFACT", name: "binary", output: true},
\t{type: "STRING", name: "version"},
]
runner: type: "GITHUB_ACTION"
"""
_STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "git.head", "digest": {"sha1": "a" * 40}},
            {"name": "app", "digest": {"sha256": "b" * 64}},
        ],
        "predicateType": "chainloop.dev/attestation/v0.2",
        "predicate": {
            "buildType": "chainloop.dev/workflowrun/v0.1",
            "builder": {"id": "chainloop.dev/cli/1@sha256:" + "c" * 64},
            "env": {"A": "b"},
            "materials": [
                {
                    "name": "app",
                    "digest": {"sha256": "b" * 64},
                    "annotations": {"chainloop.material.name": "app", "chainloop.material.type": "ARTIFACT"},
                }
            ],
            "metadata": {"name": "build", "workflowRunID": "5f0c2f6e-2f0b-4c56-9a0e-6f1f3c0e7a11"},
            "runnerType": "GITHUB_ACTION",
        },
    }
).encode()
_BUNDLE = json.dumps(
    {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "aGludA=="}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": "c2ln"}],
        },
    }
).encode()
_PROBLEM = (
    b"\x90"
    + json.dumps(
        {
            "type": "about:blank",
            "title": "No",
            "status": 422,
            "code": "contract-invalid",
            "findings": [{"message": "m"}],
        }
    ).encode()
)
_CUE_REPORT = b"""\
materials.0.type: conflicting values "ARTIFACT" and "STRING":
    ./contract.cue:4:3
    ./contract.cue:9:17
runner.type: incomplete value string:
    ./contract.cue:12:7
import failed: cannot find package "example.test/a":
    ./contract.cue:1:8
"""
_POD = b"""{"metadata": {"labels": {"tekton.dev/pipelineRun": "build-x7", "pipelinesascode.tekton.dev/sha": "a"}}}"""
_CHILD_ANSWERS = (
    b'{"annotations": {}, "warnings": ["w"]}',
    b'{"rejected": {"message": "m", "hint": "h", "findings": [{"code": "c", "message": "m", "line": 1}]}}',
    b'{"stopped": "time limit", "detail": "d"}',
)
_JUNIT = b'<testsuites><testsuite name="s" tests="1"><testcase name="c" time="0.1"/></testsuite></testsuites>'
_DOCUMENTS: Mapping[str, tuple[bytes, ...]] = {
    "SBOM_CYCLONEDX_JSON": (
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"component":{"type":"library",'
        b'"name":"a"},"tools":{"components":[{"type":"application","name":"t"}]}},"components":[]}',
    ),
    "SBOM_SPDX_JSON": (
        b'{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"a",'
        b'"documentNamespace":"https://a.test/b","creationInfo":{"created":"2026-01-01T00:00:00Z",'
        b'"creators":["Tool: t-1"]},"packages":[],"documentDescribes":[]}',
    ),
    "SARIF": (
        b'{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0",'
        b'"runs":[{"tool":{"driver":{"name":"t"}},"results":[{"message":{"text":"m"},"ruleId":"r"}]}]}',
    ),
    "JUNIT_XML": (_JUNIT, _zip(report=b"", **{"a.xml": _JUNIT})),
}


def _of_forges() -> Iterator[Target]:
    github = forges.webhook(ReceiverKind.GITHUB, "x-github-event", forges.GITHUB_EVENTS)
    gitlab = forges.webhook(ReceiverKind.GITLAB, "x-gitlab-event", forges.GITLAB_EVENTS)
    generic = forges.webhook(ReceiverKind.GENERIC, "webhook-id", ("msg_1",))
    yield Target("inbound-github", github, forges.GITHUB_SEEDS, _JSON_WORDS)
    yield Target("inbound-github-form", forges.form, forges.FORM_SEEDS, ("payload=", "%7B", "&", ";"))
    yield Target("inbound-gitlab", gitlab, forges.GITLAB_SEEDS, _JSON_WORDS)
    yield Target("inbound-generic", generic, forges.GENERIC_SEEDS, _JSON_WORDS)
    yield Target("webhook-headers", forges.signed, forges.SIGNED_SEEDS, ("v1,", "sha256=", "\n", "whsec_"))
    yield Target("ci-github", forges.ci_file(forges.github_workflow), forges.WORKFLOW_SEEDS, _YAML_WORDS)
    yield Target("ci-gitlab", forges.ci_file(forges.gitlab_pipeline), forges.PIPELINE_SEEDS, forges.PIPELINE_WORDS)
    yield Target("path-pattern", _text(forges.path_pattern), forges.PATTERN_SEEDS, forges.PATTERN_WORDS)
    yield Target("source", _text(forges.source), forges.SOURCE_SEEDS, forges.SOURCE_WORDS)
    yield Target("forge-answer", forges.answer, forges.ANSWER_SEEDS, forges.ANSWER_WORDS)
    yield Target("workflow-document", forges.workflow_document, forges.DOCUMENT_SEEDS, forges.DOCUMENT_WORDS)
    yield Target("audit-file", forges.audit_file, forges.AUDIT_SEEDS)
    yield Target("audit-manifest", forges.manifest, forges.MANIFEST_SEEDS, _JSON_WORDS)


def _targets() -> Iterator[Target]:
    yield Target("contract", _contract(None), (_CONTRACT_JSON, _CONTRACT_YAML, _CONTRACT_CUE), _YAML_WORDS)
    yield Target("contract-json", _contract(ContractFormat.JSON), (_CONTRACT_JSON,), _JSON_WORDS)
    yield Target("contract-yaml", _contract(ContractFormat.YAML), (_CONTRACT_YAML, _CONTRACT_JSON), _YAML_WORDS)
    yield Target("contract-cue", _contract(ContractFormat.CUE), (_CONTRACT_CUE, _CONTRACT_JSON), _CUE_WORDS)
    yield Target("strict-json", parse_strict, (_BUNDLE, b'{"a":[1,2.5,null,"x"]}'), _JSON_WORDS)
    yield Target("bundle", _bundle, (_BUNDLE,), _JSON_WORDS)
    yield Target("bundle-strict", read_bundle_strict, (_BUNDLE,), _JSON_WORDS)
    yield Target("statement", _statement, (_STATEMENT,), _JSON_WORDS)
    yield Target("state", _state, (b'{"attestation":{"materials":{}},"dryRun":true}',), _JSON_WORDS)
    yield Target("event", _event, (b'{"pull_request":{"number":1,"head":{"sha":"a"}}}',), _JSON_WORDS)
    yield Target("project-file", _project_file, (_PROJECT_FILE,), _YAML_WORDS)
    yield Target("checksums", _checksums, _CHECKSUMS, ("SHA256 (", ") = ", "sha256:", "\\", " *", "a" * 64))
    yield Target("artifact-list", _artifact_list, _ARTIFACT_LISTS, _JSON_WORDS)
    yield Target("pattern", _text(_pattern), (b"a/*.xml", b"**/[!a].xml", b"?/**"), ("**", "[", "..", "/", "[]a]", "*"))
    yield Target("config", _config, (b'control-plane = "http://127.0.0.1"\n[auth]\ntoken = "x"\n',), ("[[", "]]", "="))
    yield Target("git", _git, (_REPOSITORY,))
    yield Target("answer", _answer, (_PROBLEM,), _JSON_WORDS)
    yield Target("request", _request, (b'{"name":"a","role":"attest","project":"p"}',), _JSON_WORDS)
    yield Target("cursor", _text(_cursor), (b"WyJhIiwxXQ==",))
    yield Target("token", _text(_token), (b"clp_" + b"a" * 49,))
    yield Target("image-name", _text(_image), (b"registry.test:5000/a/b:1@sha256:" + b"a" * 64, b"nginx"))
    yield Target("public-key", _public_key, (b"-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",))
    yield Target(
        "cue-report", _text(explain), (_CUE_REPORT,), ("contract.cue:1:2", "import failed", "incomplete value")
    )
    yield Target("pod-labels", _pod, (_POD,), _JSON_WORDS)
    yield Target("content-check-answer", _child_answer, _CHILD_ANSWERS, _JSON_WORDS)
    yield Target("oci-layout", images.layout, images.LAYOUT_SEEDS, images.WORDS)
    yield Target("oci-archive", images.archive, images.ARCHIVE_SEEDS)
    yield Target("image-file", images.image_file, (*images.METADATA_SEEDS, *images.ARCHIVE_SEEDS), _JSON_WORDS)
    yield Target("registry-login", images.login, images.LOGIN_SEEDS, _JSON_WORDS)
    yield Target("registry-realm", _text(images.realm), images.REALM_SEEDS, ("localhost", "//", "@", ":", "[::1]", "%"))
    yield from _of_forges()
    yield Target("infer", _infer, tuple(seed for seeds in _DOCUMENTS.values() for seed in seeds), _JSON_WORDS)
    for kind in MATERIALS:
        if kind.check is not None:
            check = kind.check
            seeds = _DOCUMENTS.get(kind.type.value, ())
            yield Target(kind.type.value.lower().replace("_", "-"), lambda raw, check=check: check(raw, True), seeds)


TARGETS: Mapping[str, Target] = {target.name: target for target in _targets()}
