"""Whom the client trusts over TLS, and in plain words why it does not. Source: `X509_STORE_CTX_get_error(3)`."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chainloop_ci.network import CA_BUNDLE_VARIABLE, trust, trust_too

if TYPE_CHECKING:
    from chainloop_ci.client.http import Address

CA_OPTION = "--control-plane-ca (CHAINLOOP_CONTROL_PLANE_API_CA)"
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})


def trust_for(address: Address) -> ssl.SSLContext:
    """Trust what every connection trusts, and the given CA of the control plane besides.

    Raises:
        ConfigInvalidError: one of them holds no certificates that can be read.
    """
    context = trust(address.env)
    if address.ca:
        trust_too(context, address.ca, CA_OPTION)
    return context


def explain_tls(why: str, error: ssl.SSLCertVerificationError | None, address: Address) -> tuple[str, str]:
    """Return what is wrong with a TLS connection and what to do; `why` is the library's word for it."""
    host = urlsplit(address.url).hostname or ""
    if error is None:
        return (
            f"no trusted TLS connection: {why}",
            f"a server without TLS has an http:// address; a private certificate authority is named with {CA_OPTION} "
            f"or {CA_BUNDLE_VARIABLE}",
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
        f"set {CA_OPTION} to a PEM file of the private authority, or {CA_BUNDLE_VARIABLE} when it is that of the whole "
        "network",
    )
