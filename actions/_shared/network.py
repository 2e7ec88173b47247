"""The network as the inputs describe it, in the variables that pip, uv, git and the command itself read.

What stands between «begin network» and «end network» is copied to where there is no checkout yet: into Jenkins'
`install.py` and GitLab's `install.sh` (tests/family/gitlab_render.py and jenkins_render.py). So it imports what is slow
to load where it is needed, raises what Python has, and has no single quote in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from log import InstallError, input_named
from places import scratch_folder

SECRETS = (
    "CHAINLOOP_TOKEN",
    "CHAINLOOP_SIGNING_PASSWORD",
    "CHAINLOOP_REGISTRY_PASSWORD",
    "CHAINLOOP_PROXY",
)
"""Variables of secret inputs. A key is masked by itself: it may be a path as well."""
KEY = "CHAINLOOP_SIGNING_KEY"


def secrets_of(env: Mapping[str, str]) -> Iterator[str]:
    """Yield what must appear in no log: the secret inputs, and the passwords inside of addresses."""
    yield from (env[name] for name in SECRETS if env.get(name))
    key = env.get(KEY, "")
    if key and not key.startswith("env://") and not _is_file(key):
        yield key
    for name in ("CHAINLOOP_PROXY", "CHAINLOOP_INSTALL_INDEX"):
        if password := _password(env.get(name, "")):
            yield from {password, unquote(password)}


def network_variables(env: Mapping[str, str], named: Callable[[str], str] = input_named) -> dict[str, str]:
    """Return the variables for the inputs proxy, no-proxy and ca-bundle; none for those that are empty.

    `named` returns what an input is called where its user writes it.

    Raises:
        InstallError: one of them cannot be used.
    """
    try:
        return variables_of(env, named, lambda: scratch_folder(env))
    except ValueError as error:
        raise InstallError(str(error)) from error


# begin network
MAX_CA_BYTES = 4 * 1024 * 1024
PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")


def variables_of(env: Mapping[str, str], named: Callable[[str], str], folder: Callable[[], Path]) -> dict[str, str]:
    """Read the inputs as the command itself does (chainloop_ci/network.py); ValueError says what is wrong."""
    found: dict[str, str] = {}
    proxy = env.get("CHAINLOOP_PROXY", "").strip()
    if proxy:
        address = proxy if "://" in proxy else "http://" + proxy
        if not _is_proxy(address):
            # Not the value: it may hold a password.
            wanted = ": expected an address like http://proxy.example.com:3128, with percent signs for /, @, : and #"
            raise ValueError(named("proxy") + wanted + " in a password")
        found.update(dict.fromkeys(PROXY_VARIABLES, address))
    hosts = env.get("CHAINLOOP_NO_PROXY", "").strip()
    if proxy or hosts:
        hosts = hosts or env.get("no_proxy", "").strip() or env.get("NO_PROXY", "")
        found["no_proxy"] = found["NO_PROXY"] = _direct_hosts(hosts)
    bundle = env.get("CHAINLOOP_CA_BUNDLE", "").strip()
    if bundle:
        found.update(dict.fromkeys(TRUST_VARIABLES, str(_trust_too(bundle, env, named("ca-bundle"), folder))))
    return found


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or a bracket
        return False
    return usable and address.isprintable() and " " not in address


def _direct_hosts(listed: str) -> str:
    """Write NO_PROXY so that other programs read it as the command does."""
    entries = [entry.strip().lower() for entry in listed.split(",")]
    if "*" in entries:  # by others it is read alone
        return "*"
    # They know .example.com and not *.example.com; and what leads to this machine is asked of no proxy.
    entries = [entry[1:] if entry.startswith("*.") else entry for entry in entries]
    plain = [entry for entry in entries if entry and entry.isprintable() and " " not in entry]
    return ",".join(dict.fromkeys([*plain, "localhost", "127.0.0.1", "::1"]))


def _trust_too(bundle: str, env: Mapping[str, str], name: str, folder: Callable[[], Path]) -> Path:
    """Write a file with the authorities of the machine and of the bundle: most programs trust one file alone."""
    import hashlib
    import re
    import ssl

    # CI systems keep a text of several lines with its line ends written as a backslash and an n.
    own = bundle.replace("\\n", "\n") if "-----BEGIN" in bundle else _read_bundle(bundle, name)
    # What people write between the blocks is theirs; readers take ASCII only.
    own = own.encode("ascii", "replace").decode("ascii")
    try:
        ssl.create_default_context(cadata=own)
    except (OSError, ValueError) as error:
        raise ValueError(name + ": there are no certificates in it that can be read") from error
    # Everybody may read what is written: a key beside the certificates stays where it was.
    blocks = re.finditer(r"-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----.*?-----END \1-----", own, re.DOTALL)
    own = "".join(block[0] + "\n" for block in blocks)
    own = "".join(map(ssl.DER_cert_to_PEM_cert, _machine_authorities(env.get("SSL_CERT_FILE") or None))) + own
    path = folder() / ("ca-" + hashlib.sha256(own.encode()).hexdigest()[:16] + ".pem")
    # Whole at once: another step of the job may be reading it.
    written = path.with_name(path.name + "-" + str(os.getpid()))
    written.write_text(own, encoding="ascii")
    written.replace(path)
    return path


def _read_bundle(place: str, name: str) -> str:
    shown = repr(place[:200])
    try:
        path = Path(place)
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        with path.open("rb") as file:
            raw = file.read(MAX_CA_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name}: {shown} cannot be read: {reason}") from error
    if len(raw) > MAX_CA_BYTES:
        raise ValueError(f"{name}: {shown} is larger than {MAX_CA_BYTES} bytes")
    text = raw.decode("utf-8", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError(f"{name}: expected a PEM file, found no certificate in {shown}")
    return text


def _machine_authorities(file: str | None) -> list[bytes]:
    """Return what this machine trusts, or in place of that what the file of SSL_CERT_FILE has."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        raise ValueError(f"SSL_CERT_FILE: expected a PEM file with certificates, found {str(file)[:200]!r}") from error
    folder = None if file else ssl.get_default_verify_paths().capath
    # A folder is read when a certificate of it is needed, by names like 4f06f81d.0; here all of it is.
    for path in sorted(Path(folder).glob("*.[0-9]")) if folder else ():
        try:
            context.load_verify_locations(cafile=str(path))
        except OSError:  # a link to nowhere, or none that can be read
            continue
    return context.get_ca_certs(binary_form=True)


# end network


def _password(address: str) -> str | None:
    try:
        return urlsplit(address if "://" in address else f"//{address}").password
    except ValueError:
        return None


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than a path may be, or with a NUL
        return False
