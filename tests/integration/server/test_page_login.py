"""Logging in to pages: who may, for how long, and what no other site can do (R47)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from server.app import create_app
from server.auth.login_limit import MAX_ADDRESSES, MAX_FAILURES, LoginLimit
from server.model.page_sessions import MAX_SESSIONS
from server.store.tables import page_sessions
from server.wiring import Services
from tests.integration.server.browsing import Browser
from tests.integration.server.conftest import Clock, Tenant, bearer

VERDICT = "/verdicts/00000000-0000-4000-8000-000000000000"


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


def is_in(browser: Browser) -> bool:
    return "Log out" in browser.open("/").text


@pytest.mark.parametrize("role", ["read", "operate", "admin"])
def test_r47_a_token_that_may_read_begins_a_session(browser: Browser, acme: Tenant, role: str) -> None:
    answer = browser.log_in(acme.token(role))

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert is_in(browser)


def test_r47_the_cookie_is_for_eight_hours_and_for_no_script(browser: Browser, acme: Tenant) -> None:
    cookies = browser.log_in(acme.token("read")).headers.getlist("Set-Cookie")

    session = next(cookie for cookie in cookies if cookie.startswith("chainloop_session="))

    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=28800"} <= set(session.split("; "))
    assert "Secure" not in session
    assert acme.token("read") not in str(cookies)


def test_r47_behind_https_the_cookie_is_secure_and_of_this_host_alone(services: Services, acme: Tenant) -> None:
    config = replace(services.config, public_url="https://chainloop.test/ci")
    browser = Browser(create_app(replace(services, config=config)), **{"wsgi.url_scheme": "https"})
    form = browser.open("/login")

    answer = browser.send("/login", {**browser.fields(form, "/ci/login"), "token": acme.token("read")})

    session = next(cookie for cookie in answer.headers.getlist("Set-Cookie") if "session" in cookie)
    assert answer.headers["Location"] == "/ci/"
    assert session.startswith("__Host-chainloop_session=")
    assert "Secure" in session.split("; ")
    assert 'href="/ci/static/page.css"' in form.text


def test_r47_the_database_holds_neither_token_nor_cookie(browser: Browser, acme: Tenant, services: Services) -> None:
    browser.log_in(acme.token("read"))

    cookie = browser.client.get_cookie("chainloop_session")

    with services.database.read() as connection:
        row = str(connection.execute(page_sessions.select()).one())
    assert cookie is not None
    assert cookie.value not in row
    assert acme.token("read") not in row


def test_r47_a_session_ends_after_eight_hours_whatever_is_looked_at(
    browser: Browser, acme: Tenant, clock: Clock
) -> None:
    browser.log_in(acme.token("read"))
    clock.advance(hours=7, minutes=59)
    before = is_in(browser)
    clock.advance(minutes=1)

    assert (before, is_in(browser)) == (True, False)


def token_id(api: Any, tenant: Tenant, name: str) -> str:
    listed = api(tenant.token("admin")).get("/api-tokens?limit=100").json["items"]
    return next(item["id"] for item in listed if item["name"] == name)


def test_r47_revoking_the_token_ends_its_sessions_at_once(browser: Browser, acme: Tenant, api: Any) -> None:
    browser.log_in(acme.token("read"))
    found = token_id(api, acme, "read-organization")

    answer = api(acme.token("admin")).post(f"/api-tokens/{found}/revoke", json={})

    assert answer.status_code == 200, answer.text
    assert not is_in(browser)


def test_r47_rotating_the_token_ends_the_sessions_of_its_old_secret(browser: Browser, acme: Tenant, api: Any) -> None:
    browser.log_in(acme.token("read"))
    found = token_id(api, acme, "read-organization")

    answer = api(acme.token("admin")).post(f"/api-tokens/{found}/rotate", json={"overlapSeconds": 0})

    assert answer.status_code == 200, answer.text
    assert not is_in(browser)


def test_logging_out_ends_the_session_and_not_only_the_cookie(browser: Browser, acme: Tenant) -> None:
    browser.log_in(acme.token("read"))
    cookie = browser.client.get_cookie("chainloop_session")
    assert cookie is not None

    answer = browser.send("/logout", browser.fields(browser.open("/"), "/logout"))
    browser.client.set_cookie("chainloop_session", cookie.value)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert not is_in(browser)


def test_a_session_may_read_and_nothing_else_whatever_its_token_may(browser: Browser, acme: Tenant) -> None:
    browser.log_in(acme.token("admin"))

    assert browser.open("/api/v1/projects").status_code == 401
    assert browser.client.post("/api/v1/projects", json={"name": "new"}).status_code == 401


def test_a_bearer_token_opens_no_page(client: Any, acme: Tenant) -> None:
    assert "Log out" not in client.get("/", headers=bearer(acme.token("read"))).text


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("clp_nobody", "this token is not known here"),
        ("", "type a token"),
        ("  ", "type a token"),
    ],
)
def test_what_is_no_token_is_refused(browser: Browser, secret: str, said: str) -> None:
    answer = browser.log_in(secret)

    assert answer.status_code == 403
    assert said in answer.text
    assert not is_in(browser)


def test_a_job_s_token_is_refused(browser: Browser, acme: Tenant) -> None:
    answer = browser.log_in(acme.token("attest"))

    assert answer.status_code == 403
    assert "this one has the role attest" in answer.text


def test_an_instance_token_is_refused(browser: Browser, instance_token: str) -> None:
    answer = browser.log_in(instance_token)

    assert answer.status_code == 403
    assert "belongs to no organization" in answer.text


def test_a_form_without_what_its_page_held_is_refused(browser: Browser, acme: Tenant) -> None:
    browser.open("/login")

    answer = browser.send("/login", {"token": acme.token("read"), "next": "/"})

    assert answer.status_code == 403
    assert "was not sent by a page of this server" in answer.text
    assert not is_in(browser)


def test_a_form_of_another_site_is_refused_even_with_a_cookie_that_it_set(browser: Browser, acme: Tenant) -> None:
    fields = {**browser.fields(browser.open("/login")), "token": acme.token("read")}

    for site in ("cross-site", "same-site"):
        assert browser.send("/login", fields, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert not is_in(browser)
    assert browser.send("/login", fields, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_an_empty_cookie_is_not_the_same_as_an_empty_field(browser: Browser, acme: Tenant) -> None:
    browser.client.set_cookie("chainloop_form", "")

    answer = browser.send("/login", {"form": "", "token": acme.token("read")})

    assert answer.status_code == 403


def test_another_site_cannot_log_somebody_out(browser: Browser, acme: Tenant) -> None:
    browser.log_in(acme.token("read"))

    answer = browser.send("/logout", {"form": "x" * 43})

    assert answer.status_code == 403
    assert is_in(browser)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/\\evil.example",
        "https://evil.example/",
        "/verdicts/../../evil",
        "/login",
        "javascript:alert(1)",
        "/runs?x=//evil.example\r\nX: y",
        "/%2f/evil.example",
        "/@evil.example",
        "/runs#x",
    ],
)
def test_r47_a_login_leads_to_no_other_site(browser: Browser, acme: Tenant, path: str) -> None:
    fields = {**browser.fields(browser.open("/login")), "token": acme.token("read"), "next": path}

    answer = browser.send("/login", fields)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("path", [VERDICT, "/runs", "/runs?state=error&cursor=abc_-", "/?project=app", "/"])
def test_r47_a_login_leads_back_to_the_page_that_was_asked_for(browser: Browser, acme: Tenant, path: str) -> None:
    assert browser.log_in(acme.token("read"), at=path).headers["Location"] == path


def test_too_many_failures_wait_a_minute(app: Flask, acme: Tenant, clock: Clock) -> None:
    browser = Browser(app, REMOTE_ADDR="192.0.2.7")
    other = Browser(app, REMOTE_ADDR="192.0.2.8")

    failed = {browser.log_in("clp_guess").status_code for _ in range(MAX_FAILURES)}
    limited = browser.log_in(acme.token("read"))

    assert failed == {403}
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "60")
    assert other.log_in(acme.token("read")).status_code == 303
    clock.advance(seconds=60)
    assert browser.log_in(acme.token("read")).status_code == 303


def test_addresses_of_one_ipv6_network_count_as_one(clock: Clock) -> None:
    limit = LoginLimit()
    for number in range(MAX_FAILURES):
        limit.note_failure(f"2001:db8:0:1::{number:x}", clock())

    assert limit.wait_seconds("2001:db8:0:1:ffff::1", clock()) == 60
    assert limit.wait_seconds("2001:db8:0:2::1", clock()) == 0


def test_no_more_addresses_are_remembered_than_there_is_room_for(clock: Clock) -> None:
    limit = LoginLimit()
    for number in range(MAX_ADDRESSES + 5):
        limit.note_failure(f"address {number}", clock())

    assert len(limit._failures) == MAX_ADDRESSES


def test_a_token_has_a_bounded_number_of_sessions(app: Flask, acme: Tenant, services: Services, clock: Clock) -> None:
    first, *_ = browsers = [Browser(app) for _ in range(MAX_SESSIONS + 1)]
    for browser in browsers:
        clock.advance(seconds=1)
        browser.log_in(acme.token("read"))

    assert [is_in(browser) for browser in browsers] == [False] + [True] * MAX_SESSIONS
    assert not is_in(first)


def test_sessions_that_have_expired_are_cleared_away(
    app: Flask, acme: Tenant, services: Services, clock: Clock
) -> None:
    Browser(app).log_in(acme.token("read"))
    clock.advance(hours=9)

    Browser(app).log_in(acme.token("operate"))

    with services.database.read() as connection:
        assert len(connection.execute(page_sessions.select()).all()) == 1


def test_a_form_that_is_too_large_or_none_is_refused(browser: Browser) -> None:
    fields = browser.fields(browser.open("/login"))

    large = browser.send("/login", {**fields, "token": "x" * 9000})
    many = browser.send("/login", {**fields, **{f"f{number}": "x" for number in range(20)}})
    other = browser.client.post("/login", data="{}", content_type="application/json")

    assert [answer.status_code for answer in (large, many, other)] == [413, 422, 415]
    assert all(answer.mimetype == "text/html" for answer in (large, many, other))
