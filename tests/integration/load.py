"""Jobs that work against a real control plane over HTTP, many of them, until they are told to stop."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.digests import Digest, sha256_digest
from tests.integration.live import Tenant
from tests.integration.server import jobs


@dataclass(frozen=True)
class Response:
    """An answer with the names that a test client's has."""

    status_code: int
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


class HttpApi:
    """The requests of a job with one token."""

    def __init__(self, tenant: Tenant, token: str) -> None:
        self._tenant = tenant
        self._token = token

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **body: Any) -> Response:
        content = body.get("json", body.get("data"))
        # A server that refuses a body before its end closes the connection: the next request must not meet that.
        headers = {**(headers or {}), "Connection": "close"}
        answer = self._tenant.request(method, path, content, token=self._token, headers=headers)
        return Response(answer.status, answer.data)

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        return self.request("PUT", path, **options)


@dataclass(frozen=True)
class JobTenant:
    """What a job has to know of its tenant."""

    name: str
    workflows: dict[str, str]


class Site:
    """A workflow with contract, key and service account, whose jobs may begin."""

    def __init__(self, tenant: Tenant, connect: Callable[[Tenant, str], HttpApi] = HttpApi) -> None:
        """Make it all; `connect` returns what sends the requests of its jobs with a token."""
        self.tenant = tenant
        self.key = jobs.Key()
        tenant.put_contract(jobs.CONTRACT.decode(), "app-build")
        workflow = {"name": "build", "project": "app", "contract": "app-build", "team": ""}
        created = tenant.call("POST", "/workflows", workflow)
        key = {"name": "ci", "publicKey": self.key.public.pem, "workflows": ["app/build"]}
        tenant.call("POST", "/verification-keys", key)
        self._facts = JobTenant(tenant.organization, {"app/build": created["id"]})
        self.token = tenant.token("attest", project="app", workflow="build")
        self._api = connect(tenant, self.token)

    def job(self) -> jobs.Job:
        """Return a job that has not begun."""
        return jobs.Job(self._api, self._facts, self.key, revision=1)  # type: ignore[arg-type]  # the same by HTTP


@dataclass
class Acknowledged:
    """What the server said yes to, by run."""

    bundles: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[Digest, bytes] = field(default_factory=dict)

    def copy(self) -> Acknowledged:
        """Return what was acknowledged until now."""
        return Acknowledged(dict(self.bundles), dict(self.uploads))


def push_one(site: Site, seen: Acknowledged) -> None:
    """Live the life of one run with content of its own."""
    job = site.job()
    # 200: the answer to the same request was lost, and it was sent again.
    assert job.begin().status_code in (200, 201)
    job.add_everything()
    content = uuid.uuid4().bytes * 1000
    job.add_file("log", MaterialType.EVIDENCE, content, "log.txt")
    seen.uploads[sha256_digest(content)] = content
    bundle = site.key.bundle(job.payload())
    answer = job.push(bundle)
    assert answer.status_code in (200, 201), answer.text
    seen.bundles[job.run_id] = bundle


class Load:
    """Jobs in threads; what fails in one of them fails the test."""

    def __init__(self, work: Callable[[], None], threads: int) -> None:
        self._work = work
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self._failures: list[BaseException] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._work()
        except (AssertionError, urllib3.exceptions.HTTPError) as error:
            self._failures.append(error)
