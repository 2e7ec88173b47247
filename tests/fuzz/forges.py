"""What forges and their users send, under the fuzzer: webhooks, CI files, sources, headers, workflows, audit files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from github import GithubException
from gitlab import GitlabError

from chainloop_ci.api.source_address import parse_source
from chainloop_ci.audit.verify import parse_manifest, verify_file
from chainloop_ci.cli.apply_files import split
from chainloop_ci.cli.workflow_document import read_workflow
from chainloop_ci.contract.yaml12 import read_yaml
from chainloop_ci.signing.public_keys import load_public_key
from server.inbound.receivers import RECEIVERS, kept_headers, read
from server.inbound.signatures import is_from_github, is_from_gitlab, is_standard
from server.integrations.answers import parse_retry_after, try_later
from server.integrations.github import outcomes as github
from server.integrations.gitlab import outcomes as gitlab
from server.model.ci_files import Change, CiFile
from server.model.corroboration import is_remote_of
from server.model.deliveries import Outcome, pause_before
from server.model.github_workflows import parse_github_workflow
from server.model.gitlab_pipelines import parse_gitlab_pipeline
from server.model.inbound import ReceiverKind
from server.model.inbound_facts import facts_from_text, facts_to_text
from server.model.path_patterns import matches_github, matches_gitlab, selects_github
from server.model.stored_text import storable
from tests.unit.audit.files import write

_NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a word")
_CHANGES = (
    Change("push", "main", changed_paths=("a/b.py", "docs/x.md"), default_branch="main"),
    Change("pull_request", "feature", base_branch="main", changed_paths=None),
    Change("merge_group", "queue", base_branch="main", changed_paths=()),
)

GITHUB_EVENTS = (
    "push",
    "pull_request",
    "merge_group",
    "workflow_run",
    "workflow_job",
    "check_run",
    "check_suite",
    "status",
    "deployment_protection_rule",
    "installation",
)
GITLAB_EVENTS = ("Push Hook", "Tag Push Hook", "Merge Request Hook", "Pipeline Hook", "Job Hook", "")


def webhook(kind: ReceiverKind, header: str, events: tuple[str, ...]) -> Callable[[bytes], object]:
    """Return what reads a verified webhook, whose first byte says which event it is, and keeps what that says."""

    def run(raw: bytes) -> object:
        event = events[(raw[0] if raw else 0) % len(events)]
        headers = {header: event, "x-gitlab-signature": "a"} if event else {"x-gitlab-signature": "a"}
        receiver = RECEIVERS[kind]
        payload = read(receiver, headers, "application/json", raw[1:])
        kept = facts_to_text(payload.facts)
        # What is stored is read again by the dispatcher, and no database refuses it.
        assert facts_from_text(kept) == payload.facts
        _require_storable(kept, payload.event, payload.action or "", *kept_headers(receiver, headers).values())
        return payload

    return run


def form(raw: bytes) -> object:
    """Read a webhook in GitHub's other content type."""
    headers = {"x-github-event": "push"}
    return read(RECEIVERS[ReceiverKind.GITHUB], headers, "application/x-www-form-urlencoded", raw)


def signed(raw: bytes) -> object:
    """Verify headers that somebody made up: none fits."""
    lines = raw.decode("latin-1").split("\n", 5)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256", "x-gitlab-token")
    headers = dict(zip(names, lines, strict=False))
    body = lines[-1].encode("latin-1")
    found = (
        is_standard(headers, body, _SECRETS, _NOW),
        is_from_github(headers, body, _SECRETS),
        is_from_gitlab(headers, body, ("another word",), _NOW),
    )
    assert not any(found)
    return found


def ci_file(parse: Callable[[bytes], CiFile]) -> Callable[[bytes], object]:
    """Return what reads a CI file and asks it everything that it can be asked."""

    def run(raw: bytes) -> object:
        found = parse(raw)
        fires = [found.fires(change) for change in _CHANGES] if found.fires else []
        return fires, found.has_trigger("push") if found.has_trigger else None

    return run


def github_workflow(raw: bytes) -> CiFile:
    """Read a workflow of GitHub Actions."""
    return parse_github_workflow(raw)


def gitlab_pipeline(raw: bytes) -> CiFile:
    """Read a `.gitlab-ci.yml`."""
    return parse_gitlab_pipeline(raw)


def path_pattern(text: str) -> object:
    """Compare a pattern with a path; they stand in two lines."""
    pattern, _, path = text.partition("\n")
    taken = matches_github(pattern, path), selects_github([pattern, "!" + path], path)
    try:
        return taken, matches_gitlab(pattern, path)
    except ValueError:
        # Too many braces: documented, and caught by who asks.
        return taken, None


def source(text: str) -> object:
    """Read a source; one that is taken is the same when it is written down and read again."""
    is_remote_of(text, parse_source("github:acme/app"))
    found = parse_source(text)
    assert parse_source(str(found)) == found
    return found


def answer(raw: bytes) -> object:
    """Read an error of a forge: three lines of headers, then the body."""
    status = (400, 401, 403, 404, 409, 422, 429, 500, 503)[(raw[0] if raw else 0) % 9]
    retry, remaining, reset, body = (*raw[1:].decode("latin-1").split("\n", 3), "", "", "", "")[:4]
    headers = {"retry-after": retry, "x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = body
    parse_retry_after(retry, _NOW)
    outcomes = (
        try_later(status, "", headers, _NOW),
        github.outcome_of(GithubException(status, document, headers), "x", 1, _NOW),
        gitlab.outcome_of(GitlabError(_said(document), status), "x", 1, headers),
    )
    for outcome in outcomes:
        _require_useful(outcome)
    return outcomes


def workflow_document(raw: bytes) -> object:
    """Read the workflows of a file for `apply`."""
    pieces = split("a.yaml", raw)
    return [read_workflow(read_yaml(piece.raw)) for piece in pieces]


def audit_file(raw: bytes) -> object:
    """Verify an audit file after its bytes were changed: three bytes say where, one says to what."""
    image = bytearray(_audit_image())
    for at in range(0, len(raw) - 3, 4):
        image[int.from_bytes(raw[at : at + 3]) % len(image)] = raw[at + 3]
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        path = Path(folder) / "audit.db"
        path.write_bytes(image)
        return verify_file(path, load_public_key, None)


def manifest(raw: bytes) -> object:
    """Read the manifest of an audit file."""
    return parse_manifest(raw)


@cache
def _audit_image() -> bytes:
    with TemporaryDirectory(prefix="chainloop-fuzz-") as folder:
        path = Path(folder) / "audit.db"
        write(path, 1)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
        return path.read_bytes()


def _said(document: object) -> object:
    """Return what python-gitlab hands on of an answer."""
    if isinstance(document, Mapping):
        return document.get("message") or document.get("error") or ""
    return document


def _require_useful(outcome: Outcome) -> None:
    _require_storable(storable(outcome.code, 64), storable(outcome.detail, 300))
    assert outcome.retry_after is None or outcome.retry_after.total_seconds() >= 0
    # Added to a time that has to be written down.
    assert (_NOW + pause_before(1, outcome.retry_after, 1.0)).year <= 9999


def _require_storable(*texts: str) -> None:
    for text in texts:
        assert "\0" not in text
        text.encode()


def _payload(number: int, document: object) -> bytes:
    return bytes([number]) + json.dumps(document).encode()


_SHA = "0123456789abcdef0123456789abcdef01234567"
_REPOSITORY = {"id": 1, "full_name": "acme/app", "pushed_at": 1}
GITHUB_SEEDS = (
    _payload(
        0,
        {
            "ref": "refs/heads/main",
            "before": "f" * 40,
            "after": _SHA,
            "created": False,
            "forced": False,
            "commits": [{"added": ["a"], "modified": [], "removed": []}],
            "repository": _REPOSITORY,
        },
    ),
    _payload(
        1,
        {
            "pull_request": {
                "number": 7,
                "head": {"sha": _SHA, "ref": "x", "repo": {"id": 1}},
                "base": {"ref": "main", "repo": {"id": 1}},
                "state": "open",
                "updated_at": "2026-11-20T12:00:00Z",
            },
        },
    ),
    _payload(
        3,
        {
            "workflow_run": {
                "id": 42,
                "head_sha": _SHA,
                "status": "completed",
                "conclusion": "failure",
                "run_attempt": 1,
                "path": ".github/workflows/ci.yml@main",
                "updated_at": "2026-11-20T12:00:00Z",
            }
        },
    ),
    _payload(4, {"workflow_job": {"id": 1, "run_id": 42, "name": "build", "status": "in_progress"}}),
    _payload(5, {"action": "rerequested", "check_run": {"id": 1, "name": "chainloop/a/b", "head_sha": _SHA}}),
    _payload(7, {"sha": _SHA, "context": "chainloop/a/b", "state": "success", "id": 1}),
    _payload(
        8,
        {
            "action": "requested",
            "environment": "production",
            "deployment_callback_url": "https://api.github.com/x/actions/runs/42/deployment_protection_rule",
            "deployment": {"id": 5, "sha": _SHA, "ref": "main"},
            "installation": {"id": 7},
        },
    ),
)
GITLAB_SEEDS = (
    _payload(0, {"ref": "refs/heads/main", "before": "f" * 40, "after": _SHA, "project": {"id": 15}}),
    _payload(
        2,
        {
            "object_attributes": {
                "iid": 7,
                "state": "opened",
                "last_commit": {"id": _SHA},
                "source_project_id": 15,
                "target_project_id": 15,
                "updated_at": "2026-11-20 12:00:00 UTC",
            }
        },
    ),
    _payload(
        3,
        {
            "object_attributes": {"id": 31, "sha": _SHA, "status": "success", "source": "push"},
            "builds": [{"id": 380, "name": "a", "status": "success", "finished_at": "2026-11-20 12:00:00 +0100"}],
        },
    ),
    _payload(4, {"build_id": 380, "build_name": "a", "build_status": "canceled", "pipeline_id": 31, "sha": _SHA}),
)
GENERIC_SEEDS = (
    _payload(
        0,
        {
            "event": "build.ended",
            "job": "folder/app",
            "build": "17",
            "result": "failure",
            "commit": _SHA,
            "endedAt": "2026-11-20T12:00:00Z",
        },
    ),
)
FORM_SEEDS = (b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D",)
SIGNED_SEEDS = (b"msg_1\n1795176000\nv1,AAAA v1,BBBB\nsha256=" + b"a" * 64 + b"\na word\n{}",)
WORKFLOW_SEEDS = (
    b"on:\n  push:\n    branches: [main, 'release/**']\n    paths: ['src/**', '!docs']\n  pull_request:\n"
    b"jobs:\n  build:\n    if: false\n    runs-on: x\n    steps: []\n",
    b"on: [push, merge_group]\njobs: {a: {uses: ./x}}\n",
)
PIPELINE_SEEDS = (
    b"workflow:\n  rules:\n    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $X != null\n"
    b"    - changes: ['**/*.py']\n      when: never\n"
    b"build:\n  script: [make]\n  rules:\n    - if: '$CI_PIPELINE_SOURCE =~ /^merge/'\n      exists: [a]\n",
    b"a: {script: x, only: [main, merge_requests], except: [tags]}\n.h: {}\ninclude: other.yml\n",
)
PIPELINE_WORDS = ("$CI_COMMIT_BRANCH", "&&", "||", "==", "!=", "=~", "(", ")", "null", "rules:", "when: never", "only:")
PATTERN_SEEDS = (b"src/**/*.[ch]+\nsrc/a/b.c", b"{a,b{c,d}}/*?\na/x", b"!a\\*?\na*")
PATTERN_WORDS = ("**", "*", "?", "+", "[!", "]", "{", "}", ",", "\\", "!", "/**/")
SOURCE_SEEDS = (
    b"github:acme/app",
    b"gitlab:https://h.test:8443/gitlab//group/app.git",
    b"jenkins:https://[::1]/x/job/my%20app/job/main/",
    b"git@github.com:acme/app.git",
)
SOURCE_WORDS = ("github:", "gitlab:", "jenkins:", "https://", "/job/", "//", "%2F", ".git", "@", ":443", "[::1]", "..")
ANSWER_SEEDS = (
    b"\x0612\n0\n1795176000\n" + b'{"message": "API rate limit exceeded", "errors": [{"message": "m"}, "n"]}',
    b"\x07Fri, 20 Nov 2026 12:00:10 GMT\n\n\n" + b'{"message": {"name": ["a", "b"]}}',
)
ANSWER_WORDS = ("GMT", "+0000", "-2359", "Jan", "0001", "9999", "\\ud800", "\\u0000")
DOCUMENT_SEEDS = (
    b"apiVersion: chainloop.dev/v1\nkind: Workflow\nmetadata: {name: release}\nspec:\n  project: app\n  team: core\n"
    b"  contract: release\n  source:\n    repository: github:acme/app\n    ciFile: .github/workflows/ci.yml\n"
    b"    paths: ['src/**']\n    cadence: 1d\n    grace: 30m\n---\nkind: Workflow\n",
)
DOCUMENT_WORDS = ("repository: ", "cadence: ", "grace: ", "branch: ", "event: ", "---\n", "1d", "99999999999999w")
AUDIT_SEEDS = (b"\x00\x00\x00S", b"\x00\x00\x64\x0d", b"\x00\x10\x00\xff\x00\x20\x08\x00")
MANIFEST_SEEDS = (b'{"tables": {"runs": {"rows": 1, "digest": "sha256:a"}}, "digest": "sha256:b"}',)
