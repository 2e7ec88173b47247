"""Answers of the pages for people: HTML with strict headers, cookies, and forms that no other site can send (R47)."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Response, g, render_template, request

from chainloop_ci.errors import NotAllowedError, RequestInvalidError
from server.errors import MediaTypeError
from server.model.page_sessions import SESSION_LIFE
from server.model.principal import Principal
from server.routes.register import NOBODY, read_body
from server.wiring import Services

PAGE_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Cookie",
}
SESSION_COOKIE = "chainloop_session"
FORM_COOKIE = "chainloop_form"
MAX_FORM_BYTES = 8 * 1024
_FORM_FIELDS = 10
_FORM_BYTES = 32
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_PATH = re.compile(r"/(?:(?:verdicts/|runs/)[0-9a-f-]{36}|runs)?(?:\?[A-Za-z0-9%&=._~+-]{0,1000})?\Z")
"""Where a login may lead: our own pages, in one spelling, so that nothing else is an address of another host."""


def safe_path(text: str) -> str:
    """Return the address of a page of ours that `text` is, or the first page."""
    return text if _PATH.match(text) else "/"


class Site:
    """Makes the answers of pages; the public address says how links and cookies look."""

    def __init__(self, services: Services) -> None:
        self.services = services
        parts = urlsplit(services.config.public_url)
        self.base = parts.path.rstrip("/")
        """The path that a proxy takes away before a request comes here."""
        self._is_secure = parts.scheme == "https"

    def page(self, template: str, status: int = 200, **facts: Any) -> Response:
        """Return a page; with it comes what makes the next form ours."""
        token = self._form_token()
        text = render_template(
            template, base=self.base, form_token=token, reader=g.get("reader"), asked=asked_path(), **facts
        )
        response = Response(text, status, HEADERS, content_type="text/html; charset=utf-8")
        if request.cookies.get(self._name(FORM_COOKIE)) != token:
            self._set(response, FORM_COOKIE, token, None)
        return response

    def not_found(self) -> Response:
        """Return the one page for what is private, of others, or not there (R47)."""
        return self.page("page_not_found.html", 404)

    def lead_to(self, path: str) -> Response:
        """Return an answer after a form: the browser asks for `path`, one of ours."""
        return Response("", 303, {**HEADERS, "Location": self.base + path})

    def find_reader(self) -> Principal | None:
        """Return who looks; the log line names the token."""
        secret = request.cookies.get(self._name(SESSION_COOKIE), "")
        reader = self.services.pages.sessions.find_reader(secret, g.client_address)
        g.reader = reader
        if reader is not None:
            g.token_id, g.organization_id = reader.token_id, reader.organization_id
        return reader

    def begin(self, response: Response, secret: str) -> None:
        """Give the browser its session."""
        self._set(response, SESSION_COOKIE, secret, round(SESSION_LIFE.total_seconds()))

    def end(self, response: Response) -> None:
        """End the session, here and in the browser."""
        self.services.pages.sessions.log_out(request.cookies.get(self._name(SESSION_COOKIE), ""))
        self._set(response, SESSION_COOKIE, "", 0)

    def read_form(self) -> dict[str, str]:
        """Return the fields of a form of ours.

        Raises:
            NotAllowedError: it was not sent by a page of ours.
            MediaTypeError: it is no form.
            RequestInvalidError: it cannot be read.
        """
        if request.mimetype != "application/x-www-form-urlencoded":
            raise MediaTypeError("expected a form, of type application/x-www-form-urlencoded")
        g.max_body_bytes = MAX_FORM_BYTES
        request.max_content_length = MAX_FORM_BYTES + 1
        g.hold_place = partial(self.services.body_places.hold, NOBODY)
        text = read_body(request).decode("utf-8", "replace")
        try:
            parsed = parse_qs(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS)
        except ValueError as error:
            raise RequestInvalidError(f"the form has more than {_FORM_FIELDS} fields") from error
        fields = {name: values[-1] for name, values in parsed.items()}
        self._require_own(fields.get("form", ""))
        return fields

    def _require_own(self, token: str) -> None:
        """Refuse what another site has a browser send: it neither reads nor sets the cookie that must be repeated."""
        cookie = request.cookies.get(self._name(FORM_COOKIE), "")
        # Browsers leave the header out where the connection is not secure.
        is_ours = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
        is_same = hmac.compare_digest(token.encode("utf-8", "replace"), cookie.encode("utf-8", "replace"))
        if not (is_ours and is_same and _FORM_TOKEN.match(token)):
            raise NotAllowedError(
                "this form was not sent by a page of this server, or its page is too old",
                hint="send it from here once more; the browser has to keep cookies",
            )

    def _form_token(self) -> str:
        kept = request.cookies.get(self._name(FORM_COOKIE), "")
        if _FORM_TOKEN.match(kept):
            return kept
        return base64.urlsafe_b64encode(self.services.world.random_bytes(_FORM_BYTES)).decode().rstrip("=")

    def _name(self, cookie: str) -> str:
        # Browsers take a cookie of this prefix from the host itself over https only, and from no other of its domain.
        return f"__Host-{cookie}" if self._is_secure else cookie

    def _set(self, response: Response, cookie: str, value: str, max_age: int | None) -> None:
        # Lax: whoever follows the link of a status is still logged in; a form of another site brings no cookie.
        response.set_cookie(
            self._name(cookie), value, max_age, path="/", secure=self._is_secure, httponly=True, samesite="Lax"
        )


def asked_path() -> str:
    """Return the address that was asked for, when a login may lead there."""
    if request.method != "GET":
        return "/"
    query = request.query_string.decode("latin-1")
    return safe_path(request.path + (f"?{query}" if query else ""))


def show_plainly(value: object) -> object:
    """Return a value for a page: texts of tenants without characters that nobody sees, or that turn the line around."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in value)
