"""A signed webhook, against a POST of the same size to Flask that commits one row durably.

The payload is one of a workflow run of GitHub's size, another one each time; it is verified, read and stored before
the answer, while the dispatcher handles those before it. Goal: a p99 of at most twice that of bare Flask, and every
accepted one listed afterwards. Median and rate are for information: of the clients of bare Flask most are served at
once, and a few sleep until SQLite lets them in; ours queue.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from functools import partial

from bench.anchors.server import bare_flask
from bench.harness import Pairs, Result, Row, Settings, attempt, in_turn, percentile, row
from bench.load import Load, request_bytes, run_clients
from bench.plane import Plane, control_plane

CLIENTS = 8
EACH = 25
ROUNDS = 8
SETTLE_SECONDS = 60
SETTLED_SECONDS = 0.2
PAYLOAD_BYTES = 12_000
"""What GitHub's examples of workflow runs have in the middle."""


def run(settings: Settings) -> Iterator[Result]:
    """Return the row."""
    yield from attempt("webhook-p99", lambda: _measure(settings))


def _measure(settings: Settings) -> Iterator[Row]:
    slowest, usual, rates = Pairs(), Pairs(), Pairs()
    with control_plane() as plane, bare_flask() as bare:
        hook = _make_hook(plane)
        for number in range(1 + settings.rounds(ROUNDS)):
            ours, theirs = _send_both(plane, bare.port, hook, number)
            if number:
                slowest.add(percentile(ours.waits_ms, 99), percentile(theirs.waits_ms, 99))
                usual.add(percentile(ours.waits_ms, 50), percentile(theirs.waits_ms, 50))
                rates.add(ours.rate, theirs.rate)
        _require_all(plane, (1 + settings.rounds(ROUNDS)) * CLIENTS * EACH)
    what, against = f"signed webhooks, {CLIENTS} at once", "as many POSTs to Flask, one commit each"
    yield row("webhook-p99", f"{what}, p99 / {against}", 2.0, slowest)
    yield row("webhook-median", f"{what}, median / {against}", None, usual)
    yield row("webhook-rate", f"{what}, per second / {against}", None, rates, "per s", at_least=True)


def _make_hook(plane: Plane) -> tuple[str, str]:
    """Return path and secret of the webhook of a source."""
    body = {"source": "github:acme/app", "ciFile": ".github/workflows/ci.yml"}
    source = plane.call("PUT", f"/workflows/{plane.workflow_id}/source", body)
    made = plane.call("POST", f"/sources/{source['sourceId']}/secret")
    return f"/webhooks/github/{source['sourceId']}", made["secret"]


def _send_both(plane: Plane, bare_port: int, hook: tuple[str, str], number: int) -> tuple[Load, Load]:
    first = [(number * CLIENTS + client) * EACH for client in range(CLIENTS)]
    requests = [[_webhook(*hook, each) for each in range(at, at + EACH)] for at in first]
    posts = [[request_bytes("POST", "/commit", {}, bytes(len(raw))) for raw in mine] for mine in requests]
    return in_turn(number, partial(_send_and_settle, plane, requests), partial(run_clients, bare_port, posts))


def _send_and_settle(plane: Plane, requests: list[list[bytes]]) -> Load:
    """Send webhooks, and let the dispatcher end its work: it must not cost the baseline's turn any time."""
    load, end = run_clients(plane.port, requests), time.monotonic() + SETTLE_SECONDS
    while plane.call("GET", "/inbound-webhooks?outcome=received&limit=1")["items"]:
        if time.monotonic() > end:
            raise RuntimeError(f"webhooks wait for the dispatcher after {SETTLE_SECONDS} s")
        time.sleep(SETTLED_SECONDS)
    # What was handled last is told of then.
    time.sleep(SETTLED_SECONDS)
    return load


def _webhook(path: str, secret: str, number: int) -> bytes:
    run_ = {
        "id": 1_000_000 + number,
        "run_attempt": 1,
        "head_sha": hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest(),
        "status": "in_progress",
        "event": "push",
        "path": ".github/workflows/ci.yml",
        "updated_at": "2026-11-30T06:00:00Z",
        "repository": {"id": 1},
        "head_repository": {"id": 1},
    }
    document = {"action": "in_progress", "workflow_run": run_, "repository": {"id": 1, "full_name": "acme/app"}}
    body = json.dumps({**document, "rest": "x" * (PAYLOAD_BYTES - len(json.dumps(document)))}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Delivery": f"bench-{number}",
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    return request_bytes("POST", path, headers, body)


def _require_all(plane: Plane, expected: int) -> None:
    """Nothing that was accepted may be lost, nor ignored or left aside: that costs less than what is measured."""
    found, cursor = 0, ""
    while True:
        page = plane.call("GET", f"/inbound-webhooks?outcome=handled&limit=200{cursor}")
        found += len(page["items"])
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    if found != expected:
        raise RuntimeError(f"{expected} webhooks were accepted, {found} are listed as handled")
