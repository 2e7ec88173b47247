"""The network as the inputs describe it, in the variables that pip, uv and the command itself read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from log import InstallError
from places import scratch_folder

SECRETS = (
    "CHAINLOOP_TOKEN",
    "CHAINLOOP_SIGNING_PASSWORD",
    "CHAINLOOP_REGISTRY_PASSWORD",
    "CHAINLOOP_PROXY",
)
"""Variables of secret inputs. A key is masked by itself: it may be a path as well."""
KEY = "CHAINLOOP_SIGNING_KEY"
_MAX_CA_BYTES = 4 * 1024 * 1024
_BEGIN = "-----BEGIN CERTIFICATE-----"


def secrets_of(env: Mapping[str, str]) -> Iterator[str]:
    """Yield what must appear in no log: the secret inputs, and the passwords inside of addresses."""
    yield from (env[name] for name in SECRETS if env.get(name))
    key = env.get(KEY, "")
    if key and not key.startswith("env://") and not _is_file(key):
        yield key
    for name in ("CHAINLOOP_PROXY", "CHAINLOOP_INSTALL_INDEX"):
        if password := _password(env.get(name, "")):
            yield from {password, unquote(password)}


def network_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the inputs proxy, no-proxy and ca-bundle; none for those that are empty.

    Raises:
        InstallError: one of them cannot be used.
    """
    found: dict[str, str] = {}
    if proxy := env.get("CHAINLOOP_PROXY"):
        if not proxy.startswith(("http://", "https://")) or _host(proxy) is None:
            # Not the value: it may hold a password.
            raise InstallError("input proxy: expected an address like http://proxy.example.com:3128")
        found |= dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), proxy)
    if no_proxy := env.get("CHAINLOOP_NO_PROXY"):
        found |= {"no_proxy": no_proxy, "NO_PROXY": no_proxy}
    if bundle := env.get("CHAINLOOP_CA_BUNDLE"):
        path = str(_trust_too(bundle, env))
        found |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"), path)
    return found


def _trust_too(bundle: str, env: Mapping[str, str]) -> Path:
    """Return a file with the machine's authorities and those of `bundle`; each program would trust one file alone."""
    try:
        with Path(bundle).open("rb") as file:
            own = file.read(_MAX_CA_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InstallError(f"input ca-bundle: {bundle[:200]!r} cannot be read: {why}") from error
    if _BEGIN not in own:
        raise InstallError(f"input ca-bundle: expected a PEM file, found no certificate in {bundle[:200]!r}")
    import ssl  # slow to load, and most jobs have no authority of their own

    machine = ssl.create_default_context().get_ca_certs(binary_form=True)
    text = "".join(ssl.DER_cert_to_PEM_cert(entry) for entry in machine) + own
    path = scratch_folder(env) / f"ca-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pem"
    path.write_text(text, encoding="utf-8")
    return path


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than a path may be, or with a NUL
        return False
