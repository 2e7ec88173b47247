"""The pages for people: what a status links to, the run behind it, what was said lately, and the login (R47)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from flask import Flask, Response, g, request

from chainloop_ci.errors import ChainloopError, NotAllowedError, NotAuthenticatedError, NotFoundError
from server.errors import TooManyLoginsError
from server.model.page_facts import RollUpPage
from server.model.paging import Paging
from server.model.principal import Principal
from server.model.run_filters import filter_invalid
from server.model.verdict_advice import WORDS, state_word
from server.model.verdict_facts import Corroboration
from server.routes.page_answers import Site, asked_path, safe_path, show_plainly
from server.routes.problems import RETRY_AFTER_SECONDS, note_refusal
from server.services.overview import STATE_WORDS
from server.services.run_filters import RunQuery
from server.wiring import Services

PAGE_ROWS = 50
MAX_FILTER = 200
"""Characters of a filter."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
CORROBORATION_WORDS = {
    Corroboration.CLAIMED: ("claimed", "the forge has not confirmed it (yet)"),
    Corroboration.CORROBORATED: ("yes", "repository, CI file, commit and times are as the forge tells them"),
    Corroboration.AUTHENTICATED: ("yes", "proven by the CI system's own token"),
    Corroboration.CONTRADICTED: ("no", "the forge tells of another repository, CI file, commit or time"),
}

View = Callable[..., Response]


def install_pages(app: Flask, services: Services) -> None:
    """Add the pages to `app`."""
    site = Site(services)
    app.jinja_env.finalize = show_plainly
    app.jinja_env.globals.update(
        WORDS=WORDS, state_word=state_word, STATE_WORDS=STATE_WORDS, CORROBORATION_WORDS=CORROBORATION_WORDS
    )
    views: tuple[tuple[str, str, View], ...] = (
        ("GET", "/", _of_reader(site, _commits, _welcome)),
        ("GET", "/runs", _of_reader(site, _runs)),
        ("GET", "/runs/<run_id>", _of_reader(site, _run)),
        ("GET", "/verdicts/<verdict_id>", _guarded(site, _verdict)),
        ("GET", "/login", _guarded(site, _welcome)),
        ("POST", "/login", _guarded(site, _log_in)),
        ("POST", "/logout", _guarded(site, _log_out)),
    )
    for method, path, view in views:
        app.add_url_rule(
            path,
            endpoint=f"page {method} {path}",
            view_func=view,
            methods=[method],
            provide_automatic_options=False,
        )


def _guarded(site: Site, view: Callable[..., Response]) -> View:
    """Return a view that answers errors with a page."""

    @wraps(view)
    def guarded(**path: str) -> Response:
        site.find_reader()
        try:
            return view(site, **path)
        except NotFoundError:
            return site.not_found()
        except ChainloopError as error:
            return _explain(site, error)

    return guarded


def _of_reader(site: Site, view: Callable[..., Response], other: Callable[[Site], Response] | None = None) -> View:
    """Return a view for who is logged in; everybody else gets `other`, or the page that names nothing."""

    def choose(site: Site, **path: str) -> Response:
        if g.reader is not None:
            return view(site, g.reader, **path)
        return other(site) if other else site.not_found()

    return _guarded(site, choose)


def _explain(site: Site, error: ChainloopError) -> Response:
    status = note_refusal(error)
    if status is None:
        # A defect of ours: the log gets it whole.
        raise error
    response = site.page("page_problem.html", status, message=error.message, hint=error.hint or "")
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _welcome(site: Site) -> Response:
    asked = request.args.get("next")
    return site.page("page_login.html", next=asked_path() if asked is None else safe_path(asked))


def _log_in(site: Site) -> Response:
    path = "/"
    try:
        fields = site.read_form()
        path = safe_path(fields.get("next", "/"))
        if not fields.get("token", "").strip():
            return site.page("page_login.html", 403, next=path, refused="type a token")
        login = site.services.pages.sessions.log_in(fields["token"], g.client_address)
    except (NotAllowedError, NotAuthenticatedError) as error:
        note_refusal(error)
        return site.page("page_login.html", 403, next=path, refused=error.message)
    except TooManyLoginsError as error:
        note_refusal(error)
        response = site.page("page_login.html", 429, next=path, refused=f"{error.message}; {error.hint}")
        response.headers["Retry-After"] = str(error.wait_seconds)
        return response
    response = site.lead_to(path)
    site.begin(response, login.secret)
    return response


def _log_out(site: Site) -> Response:
    site.read_form()
    response = site.lead_to("/")
    site.end(response)
    return response


def _verdict(site: Site, verdict_id: str) -> Response:
    if not _ID.match(verdict_id):
        return site.not_found()
    verdicts = site.services.pages.verdicts
    found = verdicts.find(g.reader, verdict_id) if g.reader else None
    if found is not None:
        return site.page("page_roll_up.html" if isinstance(found, RollUpPage) else "page_verdict.html", page=found)
    public = verdicts.find_public(verdict_id)
    return site.page("page_public.html", verdict=public) if public else site.not_found()


def _run(site: Site, reader: Principal, run_id: str) -> Response:
    try:
        if not _ID.match(run_id):
            return site.not_found()
        found = site.services.pages.overview.describe_run(reader, run_id)
    except NotAllowedError:
        # Outside the token's scope: no other answer than for what is not there.
        return site.not_found()
    return site.page("page_run.html", page=found, run=found.detail.run)


def _commits(site: Site, reader: Principal) -> Response:
    given = _filters("project", "workflow", "state")
    paging = Paging(PAGE_ROWS, request.args.get("cursor"))
    listed = site.services.pages.overview.list_commits(
        reader,
        paging,
        project=given["project"] or None,
        workflow=given["workflow"] or None,
        state=given["state"] or None,
    )
    return site.page("page_commits.html", groups=listed.items, given=given, more=_more("/", given, listed.next_cursor))


def _runs(site: Site, reader: Principal) -> Response:
    given = _filters("project", "workflow", "state", "commit")
    query = RunQuery(**{name: value or None for name, value in given.items()})
    try:
        listed = site.services.runs.list(reader, query, Paging(PAGE_ROWS, request.args.get("cursor")))
    except (NotFoundError, NotAllowedError) as error:
        # What a filter names, not what the address leads to.
        return site.page("page_runs.html", 400, runs=(), given=given, more=None, refused=error.message)
    return site.page("page_runs.html", runs=listed.items, given=given, more=_more("/runs", given, listed.next_cursor))


def _filters(*names: str) -> dict[str, str]:
    given = {name: request.args.get(name, "").strip() for name in names}
    for name, value in given.items():
        if len(value) > MAX_FILTER or not value.isprintable():
            raise filter_invalid(name, f"expected at most {MAX_FILTER} printable characters")
    return given


def _more(path: str, given: dict[str, str], cursor: str | None) -> str | None:
    """Return the address of the next page of a list, without the base."""
    if cursor is None:
        return None
    return f"{path}?{urlencode({name: value for name, value in given.items() if value} | {'cursor': cursor})}"
