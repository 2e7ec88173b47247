"""Whom the client trusts over TLS, and in plain words why it does not. Source: `X509_STORE_CTX_get_error(3)`."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chainloop_ci.errors import ConfigInvalidError, FileUnreadableError, PathRefusedError
from chainloop_ci.small_files import read_small_file

if TYPE_CHECKING:
    from chainloop_ci.client.http import Address

MAX_CA_BYTES = 4 * 1024 * 1024
CA_OPTION = "--control-plane-ca (CHAINLOOP_CONTROL_PLANE_API_CA)"
_BEGIN = "-----BEGIN"
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})


def trust(address: Address) -> ssl.SSLContext:
    """Trust what the system (or `SSL_CERT_FILE`) trusts, and the given CA besides.

    Raises:
        ConfigInvalidError: one of them holds no certificates that can be read.
    """
    bundle = address.env.get("SSL_CERT_FILE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError) as error:
        raise _unusable(f"SSL_CERT_FILE {bundle}", error, "give the path of a PEM file") from error
    if not address.ca:
        return context
    # CI systems keep a text of several lines with its line ends written as a backslash and an n.
    try:
        pem = address.ca.replace("\\n", "\n") if _BEGIN in address.ca else _read(Path(address.ca))
        context.load_verify_locations(cadata=pem)
    except (OSError, ValueError, FileUnreadableError, PathRefusedError) as error:
        raise _unusable(CA_OPTION, error, "give the path of a PEM file, or the PEM text itself") from error
    return context


def _read(path: Path) -> str:
    raw = read_small_file(path, "the file", MAX_CA_BYTES).raw
    if len(raw) > MAX_CA_BYTES:
        raise ValueError(f"it is larger than {MAX_CA_BYTES} bytes")
    text = raw.decode("utf-8", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ValueError(f"there is no certificate (BEGIN CERTIFICATE) in {str(path)!r}")
    # What people write between the blocks is theirs; the reader takes ASCII only.
    return text.encode("ascii", "replace").decode("ascii")


def _unusable(named: str, error: Exception, hint: str) -> ConfigInvalidError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ConfigInvalidError(f"{named} holds no certificates that can be read: {why[:300]}", hint=hint)


def explain_tls(why: str, error: ssl.SSLCertVerificationError | None, address: Address) -> tuple[str, str]:
    """Return what is wrong with a TLS connection and what to do; `why` is the library's word for it."""
    host = urlsplit(address.url).hostname or ""
    if error is None:
        return (
            f"no trusted TLS connection: {why}",
            f"a server without TLS has an http:// address; a private certificate authority is named with {CA_OPTION} "
            "or SSL_CERT_FILE",
        )
    if error.verify_code == _EXPIRED:
        return (
            f"the certificate of {host} has expired ({why})",
            "let the operator renew it; check the clock of this machine",
        )
    if error.verify_code == _NOT_YET_VALID:
        return (
            f"the certificate of {host} is not valid yet ({why})",
            "check the clock of this machine, and the server's",
        )
    if error.verify_code in _OTHER_NAME:
        return (
            f"the certificate is not for {host} ({why})",
            "set --control-plane (CHAINLOOP_CONTROL_PLANE_API) to a name that stands in the certificate",
        )
    if error.verify_code in _UNKNOWN_AUTHORITY and address.ca:
        return (
            f"the authority given with {CA_OPTION} did not sign the certificate of {host} ({why})",
            f"set {CA_OPTION} to the PEM of the authority that did, with every authority between the two; the server "
            "should send those itself",
        )
    return (
        f"the certificate of {host} is of an authority that this machine does not trust ({why})",
        f"set {CA_OPTION} to a PEM file of the private authority, or SSL_CERT_FILE to one with all that are trusted",
    )
