"""What a registration or an attachment must be before anybody is asked: known words, fitting settings, secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from chainloop_ci.api.integrations import MAX_SECRET, MAX_SECRETS, MAX_URL
from chainloop_ci.errors import Finding, RequestInvalidError
from server.egress.targets import parse_target
from server.errors import EgressError
from server.integrations.types import Integration, Tools

_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*\Z")

_TYPED = "`--credential NAME=env://VARIABLE`, a file or -; `chainloop integration available describe` lists the names"


def require_integration(known: Mapping[str, Integration], kind: str) -> Integration:
    """Return the integration of a kind.

    Raises:
        RequestInvalidError: this server does not know it.
    """
    if kind in known:
        return known[kind]
    message = f"this server has no integration {kind[:32]!r}; it has: {', '.join(sorted(known)) or 'none'}"
    raise RequestInvalidError(message, findings=[Finding("unknown-integration", message, path="/kind")])


def read_host(integration: Integration, url: str | None, tools: Tools) -> str:
    """Return what credentials are sealed for and requests go to: a base URL, or the address of a webhook.

    The scheme and the host are in lower case, the scheme's own port is left out, and so is the slash at the end.

    Raises:
        RequestInvalidError: there is none, or it is none that this server speaks to (R45).
    """
    text = (url or integration.usual_host).strip()
    try:
        if not text:
            raise ValueError(f"an integration {integration.kind} needs an address (--url)")
        if len(text) > MAX_URL:
            raise ValueError(f"the address is longer than {MAX_URL} characters")
        tools.transport.require(text)
        return _canonical(integration, text)
    except (EgressError, ValueError) as error:
        hint = error.hint if isinstance(error, EgressError) else None
        message = error.message if isinstance(error, EgressError) else str(error)
        raise RequestInvalidError(message, hint=hint, findings=[Finding("address", message, path="/url")]) from error


def _canonical(integration: Integration, text: str) -> str:
    target, parts = parse_target(text), urlsplit(text)
    if integration.host_is_address:
        return f"{_root(target.origin)}{target.path}"
    if parts.query:
        raise ValueError("the base URL of a forge has no query (?)")
    path = parts.path.rstrip("/")
    # R44: a repository has one organization that speaks for it, which is found by this text.
    if not _BASE_PATH.match(path):
        raise ValueError("the path of a forge's base URL has names of letters, digits, hyphens, dots and nothing else")
    if integration.has_no_path and path:
        raise ValueError("the base URL of this forge has no path: give scheme and host, such as https://github.com")
    root = _root(target.origin)
    return integration.usual_host if root in integration.other_names else f"{root}{path}"


def _root(origin: Any) -> str:
    usual = {"https": 443, "http": 80}[origin.scheme]
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{origin.scheme}://{host}" + ("" if origin.port == usual else f":{origin.port}")


def require_settings(schema: Mapping[str, Any], settings: Mapping[str, object], path: str = "/settings") -> None:
    """Refuse settings that do not fit.

    Raises:
        RequestInvalidError: with every violation.
    """
    findings = [
        Finding("setting", error.message[:300], path="/".join([path, *map(str, error.absolute_path)]))
        for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(dict(settings))
    ]
    _refuse(
        "the settings do not fit this integration", findings, "`chainloop integration available describe` lists them"
    )


def require_credentials(integration: Integration, credentials: Mapping[str, str]) -> None:
    """Refuse credentials that the integration does not know, or that are too few; no value is ever shown.

    Raises:
        RequestInvalidError: with every violation.
    """
    _refuse("the credentials do not fit this integration", list(_credential_findings(integration, credentials)), _TYPED)


def require_known(integration: Integration, names: Iterable[str], path: str) -> None:
    """Refuse names of credentials that the integration does not know."""
    known = ", ".join(integration.credential_names) or "none"
    findings = [
        Finding("credential", f"unknown credential {name[:63]!r}; known are: {known}", path=path)
        for name in names
        if name not in integration.credential_names
    ]
    _refuse("the credentials do not fit this integration", findings, _TYPED)


def _credential_findings(integration: Integration, credentials: Mapping[str, str]) -> Iterable[Finding]:
    if len(credentials) > MAX_SECRETS:
        yield Finding("credential", f"{len(credentials)} are given, {MAX_SECRETS} at most", path="/credentials")
        return
    for name, value in credentials.items():
        if not value.strip() or len(value) > MAX_SECRET:
            yield Finding("credential", f"{name[:63]} is empty, or longer than {MAX_SECRET}", path="/credentials")
    wanted = integration.required_credentials
    if wanted and not any(all(name in credentials for name in each) for each in wanted):
        each = " or ".join(" and ".join(names) for names in wanted)
        yield Finding("credential", f"an integration {integration.kind} needs {each}", path="/credentials")


def _refuse(message: str, findings: list[Finding], hint: str) -> None:
    if findings:
        # Several stand in a list below the message.
        said = str(findings[0]) if len(findings) == 1 else f"{len(findings)} things are wrong"
        raise RequestInvalidError(f"{message}: {said}", hint=hint, findings=findings)


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))
