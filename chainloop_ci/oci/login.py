"""Where the login for a registry comes from: typed, podman's auth file, docker's configuration, a credential helper.

Sources: containers-auth.json(5) of containers/image (podman, buildah, skopeo): its places, and keys that may name a
repository below a registry; the configuration file of the docker command (`docker login`).
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from chainloop_ci import errors
from chainloop_ci.records import record

HELPER_SECONDS = 10.0
MAX_FILE_BYTES = 1024 * 1024
HUB = "index.docker.io"
HUB_NAMES = frozenset({HUB, "docker.io", "registry-1.docker.io", "auth.docker.io"})
_HUB_KEY = "https://index.docker.io/v1/"  # docker's own name for it, towards credential helpers too

OpenFile = Callable[[Path], BinaryIO]
"""Opens an ordinary file for reading; raises a `ChainloopError` or `OSError`."""


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


@record
class Login:
    """A user and a secret for one registry."""

    username: str
    secret: str = field(repr=False)
    origin: str
    identity: bool = False
    """The secret is a refresh token, not a password."""

    @property
    def basic(self) -> str:
        """Return the `Authorization` of the Basic scheme.

        Raises:
            ValueError: half of a surrogate pair is in it, which is no text.
        """
        # What was typed as bytes that are no UTF-8 goes as these bytes.
        raw = f"{self.username}:{self.secret}".encode("utf-8", "surrogateescape")
        return "Basic " + base64.b64encode(raw).decode()


def find_login(
    name: str, env: Mapping[str, str], typed: Credentials | None, open_file: OpenFile, notes: list[str]
) -> Login | None:
    """Return the login for the repository `name`; the first file that has one counts.

    `notes` gets where it was looked for in vain, for the message of a login that is refused.
    """
    host = name.partition("/")[0]
    if typed is not None:
        if host_of(typed.server) == host:
            return Login(typed.username, typed.password, "--registry-server")
        notes.append(f"--registry-server is for {host_of(typed.server)}, not for {host}")
    for path in auth_files(env):
        login = _from_file(name, path, env, open_file, notes)
        if login is not None:
            return login
    return None


def auth_files(env: Mapping[str, str]) -> list[Path]:
    """Return the files that may hold a login: podman's, then docker's."""
    home = env.get("HOME") or env.get("USERPROFILE")
    configuration = env.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    docker = env.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    named = (
        (env.get("REGISTRY_AUTH_FILE"), ""),
        (env.get("XDG_RUNTIME_DIR"), "containers/auth.json"),
        (configuration, "containers/auth.json"),
        (docker, "config.json"),
    )
    return list(dict.fromkeys(Path(folder, file) for folder, file in named if folder))


def _from_file(name: str, path: Path, env: Mapping[str, str], open_file: OpenFile, notes: list[str]) -> Login | None:
    """Look `name` up in a file; a helper named for it wins over the store, the store over `auths`."""
    host = name.partition("/")[0]
    try:
        if not path.exists():
            notes.append(f"there is no {path}")
            return None
        config = json.loads(_read(path, open_file))
        helpers, auths = config.get("credHelpers") or {}, config.get("auths") or {}
        store = next((helpers[key] for key in _keys(name, helpers)), config.get("credsStore"))
        login = _from_helper(str(store), host, path, env, notes) if store else None
        entry: Mapping[str, Any] = next((auths[key] for key in _keys(name, auths) if auths[key]), {})
        login = login or _from_entry(entry, path, notes, host)
        if login is not None:
            # Raises where it is no text.
            f"{login.username}{login.secret}".encode()
        return login
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, errors.ChainloopError) as error:
        notes.append(f"{path} cannot be used ({type(error).__name__})")
    return None


def _read(path: Path, open_file: OpenFile) -> bytes:
    with open_file(path) as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError("too large")
    return raw


def _keys(name: str, entries: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys that are for the repository `name`, the one that says most first."""
    fitting = []
    for key in entries:
        host, _, path = _split(key)
        scope = f"{host}/{path}" if path else host
        if name == scope or name.startswith(f"{scope}/"):
            fitting.append((-len(scope), key))
    return (key for _, key in sorted(fitting))


def _split(key: str) -> tuple[str, str, str]:
    bare = key.strip().partition("://")[2] or key.strip()
    host, slash, path = re.sub(r"/v[12]/?\Z|/\Z", "", bare).partition("/")
    host = host.lower()
    return (HUB if host in HUB_NAMES else host), slash, path


def host_of(server: str) -> str:
    """Return the registry that a key of a configuration or an option means, under its one name."""
    return _split(server)[0]


def _from_entry(entry: Mapping[str, Any], path: Path, notes: list[str], host: str) -> Login | None:
    username, _, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    username, password = entry.get("username") or username, entry.get("password") or password.rstrip("\0")
    if entry.get("identitytoken"):
        return Login(username or "<token>", str(entry["identitytoken"]), str(path), identity=True)
    if username and password:
        return Login(str(username), str(password), str(path))
    notes.append(f"{path} has no login for {host}")
    return None


def _from_helper(suffix: str, host: str, path: Path, env: Mapping[str, str], notes: list[str]) -> Login | None:
    program = f"docker-credential-{suffix}"
    asked = _HUB_KEY if host == HUB else host
    if not re.fullmatch(r"[A-Za-z0-9._-]+", suffix):
        notes.append(f"{path} names no usable credential helper")
        return None
    options: Any = {"env": dict(env), "capture_output": True, "timeout": HELPER_SECONDS, "check": True}
    try:
        document = json.loads(subprocess.run([program, "get"], input=asked.encode(), **options).stdout)
        username, secret = str(document["Username"]), str(document["Secret"])
        return Login(username, secret, program, identity=username == "<token>") if secret else None
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
