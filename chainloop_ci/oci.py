"""The digest of a container image, from its registry.

Sources: OCI distribution specification 1.1; the token protocol of distribution/distribution (`docs/spec/auth`); the
configuration file of the docker command (`docker login`). `oras` is the client; what it lacks is here: timeouts,
bounded retries, fresh tokens, and a check of where credentials go (T34). It is loaded when a registry is asked.
"""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

from chainloop_ci import errors
from chainloop_ci.api.address import is_loopback
from chainloop_ci.attestation.state import ImageReference
from chainloop_ci.digests import Digest, is_digest, parse_digest, sha256_digest
from chainloop_ci.materials.image_name import canonical_repository, parse_image_name

PATIENCE_SECONDS = 18.0
"""Longest wait for one registry in all, retries included."""
MAX_ATTEMPTS = 4
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
HELPER_SECONDS = 10.0
_CONNECT_SECONDS = 4.0
_MAX_REDIRECTS = 3
_HUB = "index.docker.io"
_HUB_KEY = "https://index.docker.io/v1/"  # docker's own name for it, towards credential helpers too
_HUB_NAMES = frozenset({_HUB, "docker.io", "registry-1.docker.io", "auth.docker.io"})
_SHARED = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})  # `example.co.uk` is registered, `co.uk` not


class Credentials(Protocol):
    """Credentials that somebody typed."""

    @property
    def server(self) -> str:
        """Return the only registry that they are for."""

    @property
    def username(self) -> str:
        """Return the user."""

    @property
    def password(self) -> str:
        """Return the password."""


@dataclass(frozen=True, slots=True)
class _Login:
    username: str
    secret: str = field(repr=False)
    origin: str
    identity: bool = False
    """The secret is a refresh token, not a password."""

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


def resolve_image(
    value: str,
    *,
    env: Mapping[str, str],
    credentials: Credentials | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> ImageReference:
    """Return the image that `value` names, with its digest.

    A reference with a digest is taken as it is, without any network; its tag is then the word of whoever wrote it.
    Without `credentials` those of the docker configuration are looked for.

    Raises:
        ImageUnresolvedError: not an image name, or its registry does not know it.
        RegistryLoginError: the registry refused what was tried.
        UnreachableError: the registry gave no answer.
    """
    parts = parse_image_name(value)
    if parts is None:
        raise errors.ImageUnresolvedError(
            f"expected a container image like ghcr.io/org/app:1.2, found {value[:120]!r}",
            hint="write it as [registry/]name[:tag] or [registry/]name@sha256:<digest>; names are lower-case",
        )
    name, tag = canonical_repository(value), parts.tag
    if parts.digest:
        return ImageReference(name, parse_digest(parts.digest), tag, has_latest_tag=tag == "latest")
    tag = tag or "latest"
    notes: list[str] = []
    login = _find_login(name.partition("/")[0], env, credentials, notes)
    tried = "; ".join([*notes, f"user {login.username} from {login.origin}" if login else "no login"])
    registry = _Registry(name, login, tried, pause)
    digest = registry.digest_of(tag)
    return ImageReference(name, digest, tag, has_latest_tag=tag == "latest" or registry.find_digest("latest") == digest)


def _find_login(host: str, env: Mapping[str, str], typed: Credentials | None, notes: list[str]) -> _Login | None:
    """Return the login for a registry; `notes` gets where it was looked for."""
    if typed is not None:
        if _host_of(typed.server) == host:
            return _Login(typed.username, typed.password, "--registry-server")
        notes.append(f"--registry-server is for {_host_of(typed.server)}, not for {host}")
    home = env.get("HOME") or env.get("USERPROFILE")
    folder = env.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    return _docker_login(host, Path(folder) / "config.json", env, notes) if folder else None


def _docker_login(host: str, path: Path, env: Mapping[str, str], notes: list[str]) -> _Login | None:
    """Look up `host` in the docker configuration; a helper named for it wins over the store, the store over `auths`."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        helpers, auths = config.get("credHelpers") or {}, config.get("auths") or {}
        keys = [key for key in (*helpers, *auths) if _host_of(key) == host]
        store = next((helpers[key] for key in keys if key in helpers), config.get("credsStore"))
        entry: Mapping[str, Any] = next((auths[key] for key in keys if auths.get(key)), {})
        login = _from_helper(str(store), host, path, env, notes) if store else None
        return login or _from_entry(entry, path, notes, host)
    except FileNotFoundError:
        notes.append(f"there is no {path}")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        notes.append(f"{path} cannot be used ({type(error).__name__})")
    return None


def _from_entry(entry: Mapping[str, Any], path: Path, notes: list[str], host: str) -> _Login | None:
    username, _, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    username, password = entry.get("username") or username, entry.get("password") or password.rstrip("\0")
    if entry.get("identitytoken"):
        return _Login(username or "<token>", entry["identitytoken"], str(path), identity=True)
    if username and password:
        return _Login(username, password, str(path))
    notes.append(f"{path} has no login for {host}")
    return None


def _from_helper(suffix: str, host: str, path: Path, env: Mapping[str, str], notes: list[str]) -> _Login | None:
    program = f"docker-credential-{suffix}"
    asked = _HUB_KEY if host == _HUB else host
    if not re.fullmatch(r"[A-Za-z0-9._-]+", suffix):
        notes.append(f"{path} names no usable credential helper")
        return None
    options: Any = {"env": dict(env), "capture_output": True, "timeout": HELPER_SECONDS, "check": True}
    try:
        document = json.loads(subprocess.run([program, "get"], input=asked.encode(), **options).stdout)
        username, secret = str(document["Username"]), str(document["Secret"])
        return _Login(username, secret, program, identity=username == "<token>") if secret else None
    except subprocess.CalledProcessError:
        why = f"has nothing for {asked}"
    except subprocess.TimeoutExpired:
        why = f"gave no answer in {HELPER_SECONDS:.0f} s"
    except FileNotFoundError:
        why = "is not installed"
    except (OSError, ValueError, KeyError, TypeError):
        why = "gave an answer that cannot be used"
    # What it printed is not repeated: there may be a password in it.
    notes.append(f"{program} (from {path}) {why}")
    return None


def _host_of(server: str) -> str:
    """Return the registry that a key of the configuration or an option means, under its one name."""
    host = server.strip().partition("://")[2] or server.strip()
    host = re.sub(r"/v[12]/?\Z|/\Z", "", host).lower()
    return _HUB if host in _HUB_NAMES else host


class _Registry:
    """One conversation with one registry about one repository."""

    def __init__(self, name: str, login: _Login | None, tried: str, pause: Callable[[float], None]) -> None:
        self.name = name
        self.host = name.partition("/")[0]
        self.scheme = "http" if _is_local(self.host) else "https"
        self._login = login
        self._tried = tried
        self._pause = pause
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
        import ssl

        from oras.provider import Registry
        from requests.adapters import HTTPAdapter

        converse = self._converse

        class SystemTrust(HTTPAdapter):
            def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
                super().init_poolmanager(*arguments, ssl_context=ssl.create_default_context(), **options)

        class Bounded(Registry):  # type: ignore[misc]  # oras has no types
            """oras retries everything for two minutes, without a timeout; this one does neither."""

            def do_request(self, url: str, method: str = "GET", *body: Any, **options: Any) -> Any:
                return converse(method, url, options.get("headers") or {}, options.get("stream", False))

        client = Bounded(hostname=self.host, insecure=self.scheme == "http")
        client.session.mount("https://", SystemTrust())  # the machine's own authorities count as well
        # Any authenticator of our own keeps requests from reading ~/.netrc.
        client.session.auth = lambda request: request
        client.session.trust_env = not _is_local(self.host)
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
            target = urljoin(url, answer.headers.get("Location", ""))
            if answer.status_code not in (301, 302, 303, 307, 308):
                return answer
            if urlsplit(target).scheme != "https" and not _is_local(urlsplit(target).netloc):
                break
            url = target
        raise errors.ServerFaultError(f"the registry {self.host} redirects too often, or to plain http")

    def _send(self, method: str, url: str, headers: dict[str, str], **options: Any) -> Any:
        from requests import exceptions

        why = ""
        for attempt in range(MAX_ATTEMPTS):
            left = max(self._ends - time.monotonic(), 0.05)
            timeout = (min(_CONNECT_SECONDS, left / 2), left)
            wait = 0.3 * 2**attempt * (0.5 + random.random())  # noqa: S311 - only spreads the retries of many jobs
            try:
                answer = self._client.session.request(
                    method, url, headers=headers, timeout=timeout, allow_redirects=False, **options
                )
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
                asked = str(answer.headers.get("Retry-After", ""))
                wait = max(wait, float(asked) if asked.isascii() and asked.isdigit() else 0.0)
                why = f"it answers with {answer.status_code}"
            except exceptions.RequestException as error:
                why = f"no connection ({type(error).__name__})"
                if isinstance(error, exceptions.SSLError):
                    break  # a certificate does not get better
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

    def _fetch_token(self, challenge: Mapping[str, str], login: _Login | None) -> str:
        realm = challenge.get("realm", "")
        _require_realm(self.host, realm, login)
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
        except (ValueError, KeyError, AttributeError) as error:
            raise errors.ServerFaultError(f"{urlsplit(realm).netloc} answered a login without a token") from error
        return token

    def _refusal(self, status: int, tag: str = "") -> errors.ChainloopError:
        if status in (401, 403):
            return errors.RegistryLoginError(
                f"the registry {self.host} does not let us read {self.name}; tried: {self._tried}",
                hint=f"check the name; for a private image run `docker login {self.host}` before, or give "
                "--registry-server, --registry-username and --registry-password",
            )
        if status == 404:
            return errors.ImageUnresolvedError(
                f"the registry {self.host} knows no {self.name}:{tag} (tried: {self._tried})",
                hint="check name and tag, and that the image was pushed before this step",
            )
        return errors.ServerFaultError(f"the registry {self.host} answered {self.name}:{tag} with {status}")

    def _unreachable(self, url: str, reason: str) -> errors.UnreachableError:
        return errors.UnreachableError(
            f"the registry {urlsplit(url).netloc} gave no answer for {self.name}: {reason}",
            hint="check the registry's name, its certificate, and HTTPS_PROXY; an image that is given as "
            "name@sha256:<digest> needs no registry",
        )


def _read(answer: Any, limit: int) -> bytes:
    from urllib3.exceptions import HTTPError

    place = urlsplit(answer.url).netloc
    try:
        raw: bytes = answer.raw.read(limit + 1, decode_content=True)
    except HTTPError as error:
        raise errors.UnreachableError(f"the connection to {place} was lost ({type(error).__name__})") from error
    if len(raw) > limit:
        raise errors.ServerFaultError(f"{place} answered with more than {limit} bytes")
    return raw


def _is_local(netloc: str) -> bool:
    return is_loopback(urlsplit(f"//{netloc}").hostname or "")


def _require_realm(host: str, realm: str, login: _Login | None) -> None:
    """Refuse to send a login to a place that is not the registry's (T34)."""
    parts = urlsplit(realm)
    local = parts.scheme == "http" and _is_local(parts.netloc) and _is_local(host)
    if parts.scheme != "https" and not local:
        raise errors.RegistryLoginError(
            f"the registry {host} wants the login over {parts.scheme or 'an unknown protocol'}: nothing was sent",
            hint="a registry has to name an https address for logins",
        )
    related = parts.port in (None, 443) and _domain(parts.hostname or "") == _domain(host)
    same = parts.netloc == host or {parts.netloc, host} <= _HUB_NAMES
    if login and not (same or related or local):
        raise errors.RegistryLoginError(
            f"the registry {host} wants the login to be sent to {parts.netloc}, which is not its own: nothing was sent",
            hint="check the registry's name; its token service has to be on the same domain",
        )


def _domain(host: str) -> str:
    """Return the domain that somebody registered; an address or a single word is its own."""
    name = urlsplit(f"//{host}").hostname or ""
    labels = name.split(".")
    if name.replace(".", "").isdigit() or ":" in name or len(labels) < 2:
        return name
    return ".".join(labels[-3 if len(labels[-1]) == 2 and labels[-2] in _SHARED else -2 :])
