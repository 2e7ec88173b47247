"""Jobs that go on while a server is killed under them: they repeat what got no answer, as every client of ours does."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import urllib3

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import sha256_digest
from tests.integration.live import Tenant
from tests.integration.load import HttpApi, Load, Response, Site
from tests.integration.server.jobs import Job
from tests.soak.checks import Ledger

PATIENCE_SECONDS = 60
_AGAIN = (502, 503)
_HALF_BYTES = 2_000_000
_SIZES, _WEIGHTS = (2_000, 300_000, 6_000_000), (70, 25, 5)
ABANDONED_SHARE = 0.1
"""Jobs that upload and never push."""


class PatientApi(HttpApi):
    """The requests of a job, each repeated until it is answered."""

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> Response:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = super().request(method, path, headers=headers, **body)
            except urllib3.exceptions.HTTPError:
                if time.monotonic() > end:
                    raise
            else:
                if answer.status_code not in _AGAIN or time.monotonic() > end:
                    return answer
            time.sleep(0.02)


def open_site(tenant: Tenant) -> Site:
    """Return a workflow whose jobs are patient."""
    return Site(tenant, connect=PatientApi)


def working(site: Site, seen: Ledger, *, threads: int, shared: tuple[bytes, ...] = ()) -> Load:
    """Return jobs in threads, one after the other in each."""
    return Load(lambda: live(site, seen, shared), threads)


def live(site: Site, seen: Ledger, shared: tuple[bytes, ...] = ()) -> None:
    """Live the life of one job; some use content that others use as well."""
    job = site.job()
    _require(job.begin(), 200, 201)
    job.add_everything()
    content = _content(shared)
    job.add_file("log", MaterialType.EVIDENCE, content, "log.bin")
    seen.uploads[sha256_digest(content)] = None
    if random.random() < ABANDONED_SHARE:
        return
    push(site, job, seen)


def push(site: Site, job: Job, seen: Ledger) -> None:
    """Push, and push again: the same bytes get the same answer."""
    bundle = site.key.bundle(job.payload())
    first = _require(job.push(bundle), 200, 201)
    seen.bundles[job.run_id] = bundle
    seen.attested.update(dict.fromkeys(item.digest for item in job.materials.values() if item.uploaded))
    again = _require(job.push(bundle), 200)
    assert first["digest"] == again["digest"] == sha256_digest(bundle)


@contextmanager
def half_upload(site: Site) -> Iterator[None]:
    """Be in the middle of an upload, whose other half never comes."""
    job = site.job()
    _require(job.begin(), 200, 201)
    content = random.randbytes(_HALF_BYTES)
    with socket.create_connection(("127.0.0.1", urlsplit(site.tenant.url).port or 80), timeout=30) as connection:
        lines = (
            f"PUT /api/v1/artifacts/{sha256_digest(content * 2)}?run={job.run_id}&filename=half.bin HTTP/1.1",
            f"Host: {connection.getpeername()[0]}",
            f"Authorization: Bearer {site.token}",
            "Content-Type: application/octet-stream",
            f"Content-Length: {2 * _HALF_BYTES}",
            *(f"{name}: {value}" for name, value in job.headers.items()),
        )
        connection.sendall("\r\n".join((*lines, "", "")).encode() + content)
        yield


def _content(shared: tuple[bytes, ...]) -> bytes:
    if shared and random.random() < 0.5:
        return random.choice(shared)
    return random.randbytes(random.choices(_SIZES, _WEIGHTS)[0])


def _require(answer: Any, *statuses: int) -> Any:
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:500]}"
    return json.loads(answer.data)
