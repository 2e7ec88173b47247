"""Where a GitHub is: its web address in one spelling, and its API. Loads no client."""

from __future__ import annotations

from server.egress.targets import parse_target

_CLOUD = ("github.com", "www.github.com")
_CLOUD_END = ".ghe.com"


def api_address(host: str) -> str:
    """Return the address of the API of a forge's web address, such as `https://github.com`.

    Source: GitHub Docs, "Getting started with the REST API" of GitHub.com, Enterprise Server and data residency.

    Raises:
        EgressRefusedError: the address cannot be used.
    """
    origin = parse_target(host).origin
    if origin.host in _CLOUD:
        return "https://api.github.com"
    if origin.host.endswith(_CLOUD_END):
        return f"https://api.{origin.host}"
    return f"{origin}/api/v3"


def web_address(host: str) -> str:
    """Return the one spelling of a forge's web address: all that `api_address` takes for the same forge are one.

    Raises:
        EgressRefusedError: the address cannot be used.
    """
    origin = parse_target(host).origin
    if origin.host in _CLOUD:
        return "https://github.com"
    return f"https://{origin.host}" if origin.host.endswith(_CLOUD_END) else str(origin)
