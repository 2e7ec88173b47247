"""What the page of a verdict, of a run and the lists show to whom (R12, R33, R43, R47)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from server.model.forge_facts import CiFileTexts
from server.routes.page_answers import HEADERS
from server.wiring import Services
from tests.integration.server.browsing import Browser
from tests.integration.server.conftest import Clock, Tenant
from tests.integration.server.jobs import CI, COMMIT, Job
from tests.integration.server.judged import BUILD, CI_FILE, Repository

NEVER = "00000000-0000-4000-8000-000000000000"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


@pytest.fixture
def repository(services: Services, api: Any, acme: Tenant) -> Repository:
    found = Repository(services, api, acme)
    found.register()
    return found


@pytest.fixture
def reader(app: Flask, acme: Tenant) -> Browser:
    """Return a browser that is logged in to `acme`."""
    browser = Browser(app)
    browser.log_in(acme.token("read"))
    return browser


@pytest.fixture
def stranger(app: Flask) -> Browser:
    return Browser(app)


def page_of(repository: Repository, context: str = "chainloop/app/build") -> str:
    said = repository.said(context)
    assert said is not None
    return f"/verdicts/{said.id}"


def attest(job: Job) -> None:
    job.begin()
    job.add_everything()
    answer = job.push()
    assert answer.status_code in (200, 201), answer.text


def attested(repository: Repository, job: Job) -> str:
    """Let a commit be attested and confirmed, and return its page."""
    repository.see_head()
    repository.see_run()
    attest(job)
    repository.end_run()
    return page_of(repository)


def refused(repository: Repository, job: Job) -> str:
    """Let a push be refused for what is missing, and return the page of the commit."""
    repository.see_head()
    repository.see_run()
    job.begin()
    job.push()
    return page_of(repository)


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# --- who sees what ---------------------------------------------------------------------------------------------------


def test_r47_private_and_unknown_answer_the_same_page(repository: Repository, job: Job, stranger: Browser) -> None:
    private = stranger.open(attested(repository, job))
    unknown = stranger.open(f"/verdicts/{NEVER}")
    run, no_run = stranger.open(f"/runs/{job.run_id}"), stranger.open(f"/runs/{NEVER}")

    def body(page: Any) -> str:
        return re.sub(r"/(?:verdicts|runs)/[0-9a-f-]{36}", "ASKED", page.text)

    assert {page.status_code for page in (private, unknown, run, no_run)} == {404}
    assert body(private) == body(unknown) == body(run) == body(no_run)
    assert dict(private.headers).keys() == dict(unknown.headers).keys() | {"Set-Cookie"}
    assert 'action="/login"' in private.text
    assert "app/build" not in private.text


def test_r47_another_organization_s_token_sees_the_page_of_nothing(
    repository: Repository, job: Job, app: Flask, rival: Tenant
) -> None:
    page = attested(repository, job)
    browser = Browser(app)
    browser.log_in(rival.token("admin"))

    for path in (page, f"/runs/{job.run_id}"):
        answer = browser.open(path)
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text
        assert answer.text.replace(path, "") == browser.open(f"/runs/{NEVER}").text.replace(f"/runs/{NEVER}", "")
    assert job.run_id[:8] not in browser.open("/runs").text
    assert COMMIT[:12] not in browser.open("/").text


@pytest.mark.parametrize(("workflow", "status"), [("app/build", 200), ("other/build", 404)])
def test_r1_a_token_of_a_project_sees_that_project(
    services: Services, api: Any, acme: Tenant, app: Flask, workflow: str, status: int
) -> None:
    repository = Repository(services, api, acme)
    repository.register(workflow)
    repository.see_head()
    page, every = page_of(repository, f"chainloop/{workflow}"), page_of(repository, "chainloop/compliance")
    browser = Browser(app)
    browser.log_in(acme.token("read", "project"))

    assert browser.open(page).status_code == status
    assert browser.open(every).status_code == status
    assert (page in browser.open("/").text) is (status == 200)


def test_r33_who_reaches_a_part_of_the_workflows_does_not_see_what_is_said_of_all(
    repository: Repository, acme: Tenant, app: Flask
) -> None:
    repository.register("other/build")
    repository.see_head()
    browser = Browser(app)
    browser.log_in(acme.token("read", "project"))

    assert browser.open(page_of(repository, "chainloop/compliance")).status_code == 404
    assert "All workflows" not in browser.open(page_of(repository)).text


def test_r47_what_is_no_id_is_not_found_on_the_same_page(stranger: Browser, reader: Browser) -> None:
    for browser in (stranger, reader):
        for path in ("/verdicts/x", "/runs/../../etc", f"/verdicts/{NEVER.upper()}'", "/runs/%00"):
            answer = browser.open(path)
            assert answer.status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/login", "/runs", f"/verdicts/{NEVER}", f"/runs/{NEVER}", "/runs?state=nonsense"]
)
def test_r47_every_page_is_for_nobody_s_index_cache_frame_or_script(
    stranger: Browser, reader: Browser, path: str
) -> None:
    for browser in (stranger, reader):
        answer = browser.open(path)

        assert answer.mimetype == "text/html"
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
        assert "noindex" in HEADERS["X-Robots-Tag"]
        assert (HEADERS["Referrer-Policy"], HEADERS["Cache-Control"]) == ("no-referrer", "no-store")
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        loaded = re.findall(r'<(?:link|img|iframe)[^>]+(?:href|src)="([^"]+)"', answer.text)
        assert loaded == ["/static/page.css"]


def test_what_pages_load_is_there(stranger: Browser) -> None:
    with stranger.open("/static/page.css") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/css")


# --- public ----------------------------------------------------------------------------------------------------------


def make_public(api: Any, tenant: Tenant, workflow: str = "app/build", role: str = "operate", on: bool = True) -> Any:
    return api(tenant.token(role)).patch(f"/workflows/{tenant.workflows[workflow]}", json={"publicVerdict": on})


def test_r47_public_means_state_name_and_time_and_nothing_more(
    repository: Repository, job: Job, stranger: Browser, api: Any, acme: Tenant
) -> None:
    page = refused(repository, job)
    before = stranger.open(page).status_code
    make_public(api, acme)

    answer = stranger.open(page)

    said = words(answer.text.partition("<main")[2].partition("</main>")[0])
    assert (before, answer.status_code) == (404, 200)
    assert "fails chainloop/app/build Since 2026-11-20 12:00:00 UTC . Log in to see more" in said
    for private in ("acme", "sbom", "missing", COMMIT, job.run_id, "github.com", "not-met", "contract"):
        assert private not in answer.text
    make_public(api, acme, on=False)
    assert stranger.open(page).status_code == 404


def test_r47_a_public_verdict_makes_no_run_public(
    repository: Repository, job: Job, stranger: Browser, api: Any, acme: Tenant
) -> None:
    page = attested(repository, job)
    make_public(api, acme)

    assert stranger.open(page).status_code == 200
    assert stranger.open(f"/runs/{job.run_id}").status_code == 404
    assert "app/build" not in stranger.open("/").text


def test_r47_all_workflows_together_are_public_when_each_is(
    repository: Repository, stranger: Browser, api: Any, acme: Tenant
) -> None:
    repository.register("other/build")
    repository.see_head()
    page = page_of(repository, "chainloop/compliance")
    make_public(api, acme)
    one = stranger.open(page).status_code
    make_public(api, acme, "other/build")

    assert (one, stranger.open(page).status_code) == (404, 200)


@pytest.mark.parametrize("role", ["attest", "read"])
def test_r47_only_an_operator_makes_a_verdict_public(api: Any, acme: Tenant, role: str) -> None:
    assert make_public(api, acme, role=role).status_code == 403


def test_r47_who_made_a_verdict_public_is_written_down(api: Any, acme: Tenant) -> None:
    assert make_public(api, acme).json["publicVerdict"] is True

    records = api(acme.token("admin")).get("/audit-records").json["items"]

    changes = [record["detail"] for record in records if record["action"] == "workflow.changed"]
    assert [change["publicVerdict"] for change in changes] == [{"from": False, "to": True}]


# --- what a verdict's page says --------------------------------------------------------------------------------------


def test_a_refused_push_lists_what_is_missing_and_what_to_type(
    repository: Repository, job: Job, reader: Browser
) -> None:
    text = words(reader.open(refused(repository, job)).text)

    assert "fails The contract is not met" in text
    assert "the material sbom (SBOM_CYCLONEDX_JSON) is required and was not added" in text
    assert "chainloop attestation add --name sbom --value &lt;file&gt;" in text


def test_a_run_that_its_job_ended_lists_what_to_type_though_the_job_told_no_hints(
    repository: Repository, job: Job, reader: Browser
) -> None:
    repository.see_head()
    repository.see_run()
    job.begin()
    message = "the material sbom (SBOM_CYCLONEDX_JSON) is required and was not added"
    unmet = [{"code": "missing-material", "message": message}, {"code": "odd", "message": "something of its own"}]
    job.api.post(f"{job.path}/cancel", json={"trigger": "failure", "unmet": unmet}, headers=job.headers)

    text = words(reader.open(page_of(repository)).text)

    assert f"{message} What to do: chainloop attestation add --name sbom --value &lt;file&gt;" in text
    assert "something of its own What to do" not in text


def test_a_missing_attestation_lists_what_the_contract_asks_for(
    repository: Repository, job: Job, reader: Browser, clock: Clock
) -> None:
    repository.see_head()
    clock.advance(minutes=31)

    text = words(reader.open(page_of(repository)).text)

    assert "There is no attestation of this commit" in text
    assert "no attestation within 30 min" in text
    assert "Contract app-build, revision 2." in text
    assert "the material binary (ARTIFACT) is required" in text
    assert "None: no run of this workflow counts on this commit." in text


def test_r12_a_success_says_what_is_proven_and_what_only_claimed(
    repository: Repository, job: Job, reader: Browser
) -> None:
    text = words(reader.open(attested(repository, job)).text)

    assert "passes The contract is met" in text
    assert "signature yes" in text
    assert "runner claimed" in text
    assert "forge, asked since yes" in text
    assert "No SLSA level is claimed for a key that is held in a CI secret" in text
    assert "sbom SBOM_CYCLONEDX_JSON sbom.json sha256:" in text
    assert "What is missing" not in text


def test_r30_what_the_forge_has_not_confirmed_is_called_claimed(
    repository: Repository, job: Job, reader: Browser
) -> None:
    repository.see_head()
    attest(job)

    text = words(reader.open(page_of(repository)).text)

    assert "pending The forge has not confirmed the run yet" in text
    assert "claimed the forge has not confirmed it (yet)" in text


def test_r43_links_are_made_from_the_registered_source(repository: Repository, job: Job, reader: Browser) -> None:
    repository.see_head(event="pull_request", pull_request="7")
    repository.see_run()
    job.begin(runnerUrl="https://evil.example/run")
    job.add_everything()
    job.push()
    repository.end_run()

    pages = [reader.open(page_of(repository)).text, reader.open(f"/runs/{job.run_id}").text]

    for text in pages:
        outside = set(re.findall(r'href="(https?://[^"]+)"', text))
        assert outside == {
            "https://github.com/acme/app",
            f"https://github.com/acme/app/commit/{COMMIT}",
            "https://github.com/acme/app/pull/7",
            "https://github.com/acme/app/actions/runs/77",
        }


def test_r43_a_run_of_another_repository_gets_no_link(repository: Repository, job: Job, reader: Browser) -> None:
    job.begin(ci={**job.ci_of_attempt(1), "repository": "evil/app", "serverUrl": "https://evil.example"})

    text = reader.open(f"/runs/{job.run_id}").text

    assert "evil/app" in text
    assert 'href="https://evil' not in text
    assert "actions/runs/77" not in re.findall(r'href="([^"]+)"', text)


def test_what_was_said_before_is_listed_with_its_time(
    repository: Repository, job: Job, reader: Browser, clock: Clock
) -> None:
    repository.see_head()
    repository.settle()
    clock.advance(minutes=1)
    repository.see_run()
    job.begin()
    repository.settle()
    clock.advance(minutes=1)
    job.add_everything()
    job.push()

    text = words(reader.open(page_of(repository)).text)

    history = text.partition("What was said before")[2]
    assert [history.index(word) for word in ("3 2026-11-20 12:02", "2 2026-11-20 12:01", "1 2026-11-20 12:00")]
    assert "pending waiting for an attestation" in history


def test_r33_the_roll_up_counts_its_workflows_and_leads_to_theirs(
    repository: Repository, job: Job, reader: Browser
) -> None:
    other = ".github/workflows/other.yml"
    repository.register("other/build", other)
    texts = {CI_FILE: CiFileTexts(BUILD, BUILD), other: CiFileTexts(BUILD, BUILD)}
    repository.see_head(ci_files=texts)
    repository.see_run()
    attest(job)
    repository.end_run()

    page = reader.open(page_of(repository, "chainloop/compliance"))

    assert "pending 1 of 2 workflows pass" in words(page.text.replace("…", ""))
    assert [page_of(repository, name) in page.text for name in ("chainloop/app/build", "chainloop/other/build")] == [
        True,
        True,
    ]
    assert page_of(repository, "chainloop/compliance") in reader.open(page_of(repository)).text


def test_a_run_shows_what_describe_shows_and_leads_to_the_verdict(
    repository: Repository, job: Job, reader: Browser
) -> None:
    page = attested(repository, job)

    answer = reader.open(f"/runs/{job.run_id}")

    text = words(answer.text)
    for said in (
        job.run_id,
        "app-build, revision 2",
        "DEPLOY_TARGET staging",
        "ticket T-1",
        "Attempt 1",
        "contract yes",
    ):
        assert said in text
    assert page in answer.text


# --- lists -----------------------------------------------------------------------------------------------------------


def test_recent_commits_can_be_narrowed(repository: Repository, job: Job, reader: Browser) -> None:
    page = attested(repository, job)

    def shows(query: str) -> bool:
        return page in reader.open(f"/?{query}").text

    assert shows("")
    assert shows("project=app&workflow=build&state=passes")
    assert not shows("state=fails")
    assert not shows("project=other")
    assert not shows("workflow=deploy")
    assert not shows("state=nonsense")


def test_a_long_list_goes_on_where_it_ended(repository: Repository, reader: Browser, clock: Clock) -> None:
    for number in range(60):
        repository.see_head(sha=f"{number:040x}")
        repository.settle()
        clock.advance(seconds=1)

    first = reader.open("/?workflow=build")
    older = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert older is not None
    second = reader.open(older[1].replace("&amp;", "&"))

    links = [re.findall(r'href="(/verdicts/[^"]+)"', page.text) for page in (first, second)]
    assert [len(found) for found in links] == [50, 10]
    assert not set(links[0]) & set(links[1])
    assert "Older" not in second.text


def test_runs_can_be_narrowed_and_a_wrong_filter_is_explained(
    repository: Repository, job: Job, reader: Browser
) -> None:
    attested(repository, job)

    assert job.run_id[:8] in reader.open("/runs?state=success&workflow=build&project=app&commit=0123456").text
    assert job.run_id[:8] not in reader.open("/runs?state=error").text
    absent, wrong = reader.open("/runs?workflow=none"), reader.open("/runs?commit=xyz")
    assert (absent.status_code, wrong.status_code) == (400, 422)
    assert "there is no workflow none" in absent.text
    assert "at least 7 hexadecimal digits" in wrong.text


@pytest.mark.parametrize("query", ["project=%00", f"workflow={'x' * 300}", "cursor=zzz", "state=%E2%80%AE"])
def test_a_hostile_filter_is_refused_with_a_page(reader: Browser, query: str) -> None:
    for path in ("/", "/runs"):
        answer = reader.open(f"{path}?{query}")
        assert (answer.status_code, answer.mimetype) == (422, "text/html")


# --- texts of tenants ------------------------------------------------------------------------------------------------


def test_no_text_of_a_tenant_is_markup_on_any_page(
    repository: Repository, job: Job, reader: Browser, api: Any, acme: Tenant
) -> None:
    workflow = acme.workflows["app/build"]
    api(acme.token("operate")).patch(f"/workflows/{workflow}", json={"team": HOSTILE[:100], "description": HOSTILE})
    repository.see_head(branch=HOSTILE, base_branch=HOSTILE)
    repository.see_run()
    ci = {**job.ci_of_attempt(1), "job": HOSTILE, "event": HOSTILE[:120], "ref": HOSTILE, "runnerName": HOSTILE}
    job.begin(ci=ci, projectVersion=HOSTILE[:128], runnerEnvironment="<script>alert(3)</script>")
    job.ci = replace(CI, job=HOSTILE, event=HOSTILE[:120], ref=HOSTILE, runner_name=HOSTILE)
    job.add_everything()
    job.add_string("version", HOSTILE)
    repository.settle()
    pushed = job.push(job.key.bundle(job.payload(lambda statement: lie(statement))))
    repository.end_run()
    job.end("cancellation")

    pages = ["/", "/runs", f"/runs/{job.run_id}", page_of(repository), page_of(repository, "chainloop/compliance")]
    pages += [f"/?project={HOSTILE}", f"/runs?workflow={HOSTILE}"]

    assert pushed.status_code in (200, 201, 422), pushed.text
    shown = [reader.open(path).text for path in pages]
    for text in shown:
        assert "<script" not in text
        assert "<img" not in text
        assert "49}" not in text
    assert sum("&lt;script&gt;" in text for text in shown) >= 5


def lie(statement: dict[str, Any]) -> None:
    """Put markup wherever the statement has a text of the tenant."""
    predicate = statement["predicate"]
    for name in ("env", "annotations"):
        if isinstance(predicate.get(name), dict):
            predicate[name] = dict.fromkeys(predicate[name], HOSTILE)


def test_characters_that_turn_a_line_around_are_not_shown(repository: Repository, job: Job, reader: Browser) -> None:
    job.begin(projectVersion="1.0\u202egpj.exe\u2066")

    text = reader.open(f"/runs/{job.run_id}").text

    assert "\u202e" not in text
    assert "1.0\ufffdgpj.exe" in text
