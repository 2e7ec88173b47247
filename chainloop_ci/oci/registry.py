"""One conversation with a registry about one repository. Source: OCI distribution specification 1.1.

`oras` is the client; what it lacks is here: timeouts, bounded retries and fresh tokens. It is loaded when a registry is
asked.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urljoin, urlsplit

from chainloop_ci import errors
from chainloop_ci.digests import Digest, is_digest, parse_digest, sha256_digest
from chainloop_ci.oci.login import Login
from chainloop_ci.oci.realm import is_local, require_realm, split_address

PATIENCE_SECONDS = 18.0
"""Longest wait for one registry in all, retries included."""
MAX_ATTEMPTS = 4
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
_CONNECT_SECONDS = 4.0
_MAX_REDIRECTS = 3
PUSH_FIRST = (
    "push the image before this step, or build it with `--output type=oci,dest=image.tar` and give that file: "
    "an image that no registry has is attested from its OCI layout"
)
"""What to do about an image that is only in the engine that built it."""


class Registry:
    """One conversation with one registry about one repository."""

    def __init__(
        self, name: str, login: Login | None, tried: str, pause: Callable[[float], None], env: Mapping[str, str]
    ) -> None:
        """`tried` says which logins there were; `env` holds the proxy and the authorities of the network."""
        self.name = name
        self.host = name.partition("/")[0]
        self.scheme = "http" if is_local(self.host) else "https"
        self._login = login
        self._tried = tried
        self._pause = pause
        self._env = env
        self._ends = time.monotonic() + PATIENCE_SECONDS
        self._authorization: str | None = None

    def digest_of(self, tag: str) -> Digest:
        """Return the digest of the manifest or index that `tag` names."""
        from oras import defaults

        url = f"{self.scheme}://{self.host}/v2/{self.name.partition('/')[2]}/manifests/{tag}"
        headers = {"Accept": ", ".join(defaults.default_manifest_accepted_media_types)}
        answer = self._client.do_request(url, "HEAD", headers=headers)
        named = answer.headers.get("Docker-Content-Digest", "")
        if answer.status_code == 200 and is_digest(named):
            return parse_digest(named)
        if answer.status_code in (200, 400, 405, 501):
            # No usable header, or no HEAD: the digest is that of the bytes.
            answer = self._client.do_request(url, "GET", headers=headers, stream=True)
        if answer.status_code == 200:
            return sha256_digest(_read(answer, MAX_MANIFEST_BYTES))
        raise self._refusal(answer.status_code, tag)

    def find_digest(self, tag: str) -> Digest | None:
        """Return the digest of `tag`, None when there is none or it cannot be found out."""
        try:
            return self.digest_of(tag)
        except errors.ChainloopError:
            return None

    @cached_property
    def _client(self) -> Any:
        """Return oras' client, whose requests all come back to `_converse`."""
        from oras.provider import Registry
        from requests.adapters import HTTPAdapter

        from chainloop_ci.network import trust, trust_too

        converse, context = self._converse, trust(self._env)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # as requests reads them
            if bundle := self._env.get(name):
                trust_too(context, bundle, name)

        class NetworkTrust(HTTPAdapter):
            """The machine's and the network's own authorities count as well, also behind and at a proxy."""

            def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
                super().init_poolmanager(*arguments, ssl_context=context, **options)

            def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
                return super().proxy_manager_for(proxy, ssl_context=context, proxy_ssl_context=context, **options)

        class Bounded(Registry):  # type: ignore[misc]  # oras has no types
            """oras retries everything for two minutes, without a timeout; this one does neither."""

            def do_request(self, url: str, method: str = "GET", *body: Any, **options: Any) -> Any:
                return converse(method, url, options.get("headers") or {}, options.get("stream", False))

        client = Bounded(hostname=self.host, insecure=self.scheme == "http")
        client.session.mount("https://", NetworkTrust())
        client.session.mount("http://", NetworkTrust())
        # Neither ~/.netrc nor another reading of the proxy's variables: `_send` says what counts.
        client.session.trust_env = False
        return client

    def _converse(self, method: str, url: str, headers: dict[str, str], stream: bool) -> Any:
        """Ask; when the registry wants to know who asks, log in, once more with a fresh token."""
        answer = self._follow(method, url, headers, stream)
        if answer.status_code == 401:
            self._authorization = self._log_in(answer.headers.get("WWW-Authenticate", ""))
            answer = self._follow(method, url, headers, stream)
        return answer

    def _follow(self, method: str, url: str, headers: dict[str, str], stream: bool) -> Any:
        for _ in range(_MAX_REDIRECTS):
            own = urlsplit(url)[:2] == (self.scheme, self.host)
            known = {"Authorization": self._authorization} if own and self._authorization else {}
            answer = self._send(method, url, {**headers, **known}, stream=stream)
            if answer.status_code not in (301, 302, 303, 307, 308):
                return answer
            url = _join(url, answer.headers.get("Location", ""))
            if not url:
                break
        raise errors.ServerFaultError(f"the registry {self.host} redirects too often, to plain http, or to no address")

    def _send(self, method: str, url: str, headers: dict[str, str], **options: Any) -> Any:
        from requests import exceptions

        from chainloop_ci.network import proxy_for, shown

        proxy, why = proxy_for(url, self._env), ""
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        for attempt in range(MAX_ATTEMPTS):
            left = max(self._ends - time.monotonic(), 0.05)
            timeout = (min(_CONNECT_SECONDS, left / 2), left)
            wait = 0.3 * 2**attempt * (0.5 + random.random())  # noqa: S311 - only spreads the retries of many jobs
            try:
                answer = self._client.session.request(
                    method, url, headers=headers, timeout=timeout, allow_redirects=False, proxies=proxies, **options
                )
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
                asked = str(answer.headers.get("Retry-After", ""))
                wait = max(wait, float(asked) if asked.isascii() and asked.isdigit() else 0.0)
                why = f"it answers with {answer.status_code}"
            except exceptions.RequestException as error:
                why = _why_no_answer(error, shown(proxy or ""))
                if isinstance(error, exceptions.SSLError):
                    break  # a certificate does not get better
            except ValueError:  # requests looks at where a redirect leads even when it does not follow
                why = "it names an address that is none"
                break
            if attempt + 1 == MAX_ATTEMPTS or time.monotonic() + wait >= self._ends:
                break
            self._pause(wait)
        raise self._unreachable(url, why)

    def _log_in(self, challenge: str) -> str | None:
        """Return the `Authorization` that the challenge asks for."""
        login, kind = self._login, challenge.strip().lower()
        if "bearer " in kind:
            named = dict(re.findall(r'(\w+)="([^"]*)"', challenge[kind.index("bearer ") :]))
            return f"Bearer {self._fetch_token(named, login)}"
        if "basic" in kind and login is not None and not login.identity:
            return login.basic
        raise self._refusal(401)

    def _fetch_token(self, challenge: Mapping[str, str], login: Login | None) -> str:
        realm = challenge.get("realm", "")
        require_realm(self.host, realm, with_login=login is not None)
        path = self.name.partition("/")[2]
        query = {"service": challenge.get("service", ""), "scope": challenge.get("scope") or f"repository:{path}:pull"}
        if login is not None and login.identity:
            form = {**query, "grant_type": "refresh_token", "client_id": "chainloop-ci", "refresh_token": login.secret}
            answer = self._send("POST", realm, {}, data=form, stream=True)
        else:
            headers = {"Authorization": login.basic} if login else {}
            answer = self._send("GET", realm, headers, params=query, stream=True)
        if answer.status_code != 200:
            raise self._refusal(401)
        try:
            document = json.loads(_read(answer, 1024 * 1024))
            token = str(document.get("token") or document["access_token"])
            return token.encode("ascii").decode()  # it becomes part of a header
        except (ValueError, KeyError, AttributeError, RecursionError) as error:
            raise errors.ServerFaultError(f"{urlsplit(realm).netloc} answered a login without a token") from error

    def _refusal(self, status: int, tag: str = "") -> errors.ChainloopError:
        if status in (401, 403):
            return errors.RegistryLoginError(
                f"the registry {self.host} does not let us read {self.name}; tried: {self._tried}",
                hint=f"check the name; for a private image run `docker login {self.host}` (or podman's) before, or "
                "give --registry-server, --registry-username and --registry-password; many registries answer like "
                f"this for an image that does not exist: {PUSH_FIRST}",
            )
        if status == 404:
            return errors.ImageUnresolvedError(
                f"the registry {self.host} knows no {self.name}:{tag} (tried: {self._tried})",
                hint=f"check name and tag; {PUSH_FIRST}",
            )
        return errors.ServerFaultError(f"the registry {self.host} answered {self.name}:{tag} with {status}")

    def _unreachable(self, url: str, reason: str) -> errors.UnreachableError:
        error = errors.UnreachableError(
            f"the registry {urlsplit(url).netloc} gave no answer for {self.name}: {reason}",
            hint="check the registry's name, its certificate (CHAINLOOP_CA_BUNDLE), and HTTPS_PROXY with its user and "
            "password; an image that is given as "
            "name@sha256:<digest> needs no registry, nor does an OCI layout (`docker buildx build --output type=oci`)",
        )
        error.of_registry = True
        return error


def _join(url: str, location: str) -> str:
    """Return where a redirect leads, empty when nowhere."""
    try:
        target = urljoin(url, location)
        parts = split_address(target)
    except ValueError:
        return ""
    return target if parts.scheme == "https" or is_local(parts.netloc) else ""


def _why_no_answer(error: Exception, proxy: str) -> str:
    """Return in plain words why there was no connection."""
    from requests import exceptions

    kinds: tuple[tuple[type[Exception], str], ...] = (
        (
            exceptions.ProxyError,
            f"{f'the proxy {proxy}'.rstrip()} does not let the connection through{_status_of(error)}",
        ),
        (exceptions.SSLError, "no trusted TLS connection could be made"),
        (exceptions.Timeout, "no answer in time"),
    )
    told = next((words for kind, words in kinds if isinstance(error, kind)), "")
    if not told and "refused" in str(error):
        return "the connection was refused"
    if not told and "NameResolutionError" in repr(error):
        return "its host name is not known"
    return told or "no connection could be made"


def _status_of(error: Exception) -> str:
    """Return what a proxy answered instead of a connection, in its own words."""
    found = re.search(r"Tunnel connection failed: (\d{3} [\w -]{1,60})", str(error), re.ASCII)
    return f" ({found[1]})" if found else ""


def _read(answer: Any, limit: int) -> bytes:
    from urllib3.exceptions import HTTPError

    place = urlsplit(answer.url).netloc
    try:
        raw: bytes = answer.raw.read(limit + 1, decode_content=True)
    except HTTPError as error:
        lost = errors.UnreachableError(f"the connection to {place} was lost ({type(error).__name__})")
        lost.of_registry = True
        raise lost from error
    if len(raw) > limit:
        raise errors.ServerFaultError(f"{place} answered with more than {limit} bytes")
    return raw
