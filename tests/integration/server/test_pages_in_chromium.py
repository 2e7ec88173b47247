"""The pages as people see them (must show 12): in Chromium, with and without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from server.wiring import Services
from tests.integration.server.chromium import serve, start_chromium
from tests.integration.server.conftest import Tenant
from tests.integration.server.jobs import Job
from tests.integration.server.judged import Repository

pytestmark = [pytest.mark.real("chromium"), pytest.mark.xdist_group("chromium"), pytest.mark.engine("sqlite")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with start_chromium() as browser:
        yield browser


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    with serve(app) as address:
        yield address


@pytest.fixture
def target(services: Services, api: Any, acme: Tenant, job: Job, site: str) -> str:
    """Return what the status of a commit links to, whose attestation was refused for what is missing."""
    repository = Repository(services, api, acme)
    repository.register()
    repository.see_head(event="pull_request", pull_request="7")
    repository.see_run()
    job.begin()
    job.push()
    repository.settle()
    address = repository.contents()[-1]["targetUrl"]
    return site + urlsplit(address).path


@pytest.fixture
def open_page(chromium: Any, site: str) -> Iterator[Any]:
    """Return what opens a page of a browser that keeps nothing; all that pages load and complain of is looked at."""
    contexts, strange = [], []

    def open_(**options: Any) -> Any:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: strange.extend([] if request.url.startswith(site) else [request.url]))
        page.on("console", lambda message: strange.append(message.text) if "404" not in message.text else None)
        return page

    yield open_
    for context in contexts:
        context.close()
    # Every resource is ours, and the policy of the page forbids nothing that it needs.
    assert [item for item in strange if "403" not in item] == []


def log_in(page: Any, token: str) -> None:
    """Do the two actions, and wait for the page that they lead to."""
    page.get_by_label("API token").fill(token)
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_r47_from_the_status_to_the_missing_list_in_two_actions(
    open_page: Any, target: str, acme: Tenant, has_scripts: bool
) -> None:
    page = open_page(java_script_enabled=has_scripts)
    answer = page.goto(target)
    assert answer.status == 404

    log_in(page, acme.token("read"))

    assert page.url == target
    assert "The contract is not met" in page.get_by_role("heading", level=1).inner_text()
    missing = page.get_by_role("region", name="What is missing or wrong").get_by_role("listitem").all_inner_texts()
    assert any("the material sbom (SBOM_CYCLONEDX_JSON) is required and was not added" in item for item in missing)
    assert any("chainloop attestation add --name sbom --value <file>" in item for item in missing)


def test_r47_another_organization_s_token_sees_not_found(open_page: Any, target: str, rival: Tenant) -> None:
    page = open_page()
    page.goto(target)

    log_in(page, rival.token("admin"))

    assert page.url == target
    assert page.get_by_role("heading", level=1).inner_text() == "Not found"
    assert "app/build" not in page.content()


def test_r47_a_form_of_another_site_logs_nobody_in(open_page: Any, site: str, acme: Tenant) -> None:
    page = open_page()
    page.goto(f"{site}/login")
    page.goto("about:blank")
    token = acme.token("read")
    page.set_content(
        f'<form method="post" action="{site}/login"><input name="token" value="{token}"><button>Go</button>'
    )

    with page.expect_navigation():
        page.get_by_role("button", name="Go").click()

    assert "Not logged in" in page.get_by_role("alert").inner_text()


def test_a_session_lasts_from_page_to_page_until_it_is_ended(open_page: Any, target: str, acme: Tenant) -> None:
    page = open_page()
    page.goto(target)
    log_in(page, acme.token("read"))

    with page.expect_navigation():
        page.get_by_role("link", name="Runs").click()
    with page.expect_navigation():
        page.locator("tbody a").first.click()
    run = page.get_by_role("heading", level=1).inner_text()
    with page.expect_navigation():
        page.get_by_role("button", name="Log out").click()
    page.goto(target)

    assert run.endswith("of app/build")
    assert page.get_by_role("heading", level=1).inner_text() == "Not found"


@pytest.mark.parametrize("width", [360, 720, 1600])
def test_nothing_is_cut_off_on_narrow_and_wide_screens(open_page: Any, target: str, acme: Tenant, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.goto(target)
    log_in(page, acme.token("read"))

    assert page.get_by_role("region", name="Runs that count").is_visible()
    outside = "e => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth"
    found = page.evaluate(f"[...document.querySelectorAll('body *')].filter({outside}).map(e => e.outerHTML)")
    assert found == []


def test_it_is_dark_for_who_asks_for_dark(open_page: Any, target: str) -> None:
    colours = []
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        page.goto(target)
        colours.append(page.evaluate("getComputedStyle(document.querySelector('a.home')).color"))

    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_pages_can_be_used_without_a_mouse(open_page: Any, target: str, acme: Tenant) -> None:
    page = open_page()
    page.goto(target)

    page.keyboard.press("Tab")
    skipped = page.evaluate("document.activeElement.textContent")
    page.get_by_label("API token").focus()
    page.keyboard.insert_text(acme.token("read"))
    with page.expect_navigation():
        page.keyboard.press("Enter")

    assert skipped == "Skip to the content"
    assert "The contract is not met" in page.get_by_role("heading", level=1).inner_text()
