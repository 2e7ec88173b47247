"""Somebody with a browser, without its display: keeps cookies, sends forms as pages have them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


class Browser:
    """One browser; a second one knows nothing of its cookies."""

    def __init__(self, app: Flask, **environment: Any) -> None:
        self.client = app.test_client()
        self._environment = environment

    def open(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, environ_overrides=self._environment, **options)

    def fields(self, page: TestResponse, action: str = "/login") -> dict[str, str]:
        """Return what the form of a page sends by itself."""
        form = page.text.partition(f'action="{action}"')[2].partition("</form>")[0]
        return {name: unescape(value) for name, value in FIELD.findall(form)}

    def send(self, path: str, fields: dict[str, str], **options: Any) -> TestResponse:
        return self.client.post(path, data=fields, environ_overrides=self._environment, **options)

    def log_in(self, secret: str, at: str = "/login") -> TestResponse:
        """Open a page, type a token into its form and send that."""
        return self.send("/login", {**self.fields(self.open(at)), "token": secret})
