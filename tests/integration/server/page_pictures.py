"""Make the pictures of docs/page.md anew: `python -m tests.integration.server.page_pictures`.

A server with one organization, a commit whose attestation was refused and one that meets its contract, in Chromium.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chainloop_ci.runners.types import CiIdentity
from server.app import create_app
from server.config import ServerConfig
from server.content_check.checker import ContentChecker
from server.model.forge_facts import CiFileTexts
from server.store import schema
from server.wiring import World, build_services
from tests.integration.server.chromium import serve, start_chromium
from tests.integration.server.conftest import Api, Clock, Tenant, make_tenant
from tests.integration.server.jobs import CI, COMMIT, Job, Key, put_contract, register_key
from tests.integration.server.judged import BUILD, CI_FILE, Repository

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
OTHER = "5e5a1c2f9b3d4e6f708192a3b4c5d6e7f8091a2b"
DEPLOY = ".github/workflows/deploy.yml"


@contextmanager
def scene(folder: Path) -> Iterator[tuple[Any, Tenant, Repository]]:
    """Return an application, its organization and what was said of two commits."""
    checker = ContentChecker(1024**3)
    clock = Clock()
    services = build_services(ServerConfig(data=folder, min_free_bytes=0), World(now=clock, checker=checker))
    schema.upgrade(services.database.engine)
    app = create_app(services)
    client = app.test_client()
    tenant = make_tenant(services, clock, client, "acme")

    def api(secret: str) -> Api:
        return Api(client, secret)

    key = Key()
    put_contract(api, tenant)
    register_key(api, tenant, key)
    repository = Repository(services, api, tenant)
    repository.register()
    repository.register("app/deploy", DEPLOY)
    texts = {CI_FILE: CiFileTexts(BUILD, BUILD), DEPLOY: CiFileTexts(BUILD, BUILD)}
    for sha, is_honest, run_id in ((COMMIT, True, "77"), (OTHER, False, "78")):
        repository.see_head(sha, event="pull_request", pull_request=run_id, branch="feature", ci_files=texts)
        repository.settle()
        clock.advance(minutes=2)
        repository.see_run(run_id, sha=sha, event="pull_request")
        _attest(Job(api(tenant.token("attest", "workflow")), tenant, key), sha, run_id, is_honest=is_honest)
        repository.end_run(run_id, sha=sha, event="pull_request")
        repository.settle()
        clock.advance(minutes=3)
    yield app, tenant, repository
    services.database.engine.dispose()
    checker.close()


def _attest(job: Job, sha: str, run_id: str, *, is_honest: bool) -> None:
    claims = {**job.ci_of_attempt(1), "headSha": sha, "runId": run_id, "event": "pull_request"}
    job.ci = CiIdentity(**{**_plain(CI), "head_sha": sha, "run_id": run_id, "event": "pull_request"})
    job.head = None
    job.begin(ci=claims)
    job.add_string("version", "1.2.3")
    if is_honest:
        job.add_everything()
    answer = job.push()
    assert (answer.status_code < 300) is is_honest, answer.text


def _plain(ci: CiIdentity) -> dict[str, Any]:
    return {name: getattr(ci, name) for name in ci.__dataclass_fields__}


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder)) as (app, tenant, repository):
        paths = {
            "page-missing": _path(repository, OTHER, "chainloop/app/build"),
            "page-success": _path(repository, COMMIT, "chainloop/app/build"),
            "page-all": _path(repository, OTHER, "chainloop/compliance"),
            "page-commits": "/",
        }
        with serve(app) as site, start_chromium() as chromium:
            for scheme, names in (("light", ("page-missing", "page-all", "page-commits")), ("dark", ("page-success",))):
                page = chromium.new_page(viewport={"width": 820, "height": 600}, color_scheme=scheme)
                page.goto(site + paths[names[0]])
                if "page-missing" in names:
                    page.screenshot(path=IMAGES / "page-login.png")
                page.get_by_label("API token").fill(tenant.token("read"))
                with page.expect_navigation():
                    page.get_by_role("button", name="Log in").click()
                for name in names:
                    page.goto(site + paths[name])
                    page.screenshot(path=IMAGES / f"{name}.png")


def _path(repository: Repository, sha: str, context: str) -> str:
    said = [item for item in repository.contents(context) if item["sha"] == sha]
    return urlsplit(said[-1]["targetUrl"]).path


if __name__ == "__main__":
    main()
