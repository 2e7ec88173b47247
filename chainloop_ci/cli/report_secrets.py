"""The secrets that a command was given, for a CI system that masks them in its log."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from chainloop_ci.cli.options import SIGNING_PASSWORD_VARIABLE
from chainloop_ci.errors import ChainloopError

if TYPE_CHECKING:
    from chainloop_ci.cli.wiring import World

_TOKEN_VARIABLES = ("CHAINLOOP_TOKEN", "CHAINLOOP_REGISTRY_PASSWORD", SIGNING_PASSWORD_VARIABLE)
_KEY_VARIABLE = "CHAINLOOP_SIGNING_KEY"
_PROXY_VARIABLES = ("CHAINLOOP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_BEGIN = "-----BEGIN"


def find_secrets(world: World, typed: Mapping[str, str]) -> Iterator[str]:
    """Yield every secret that was typed (by the option's name), stands in a variable or is kept in the configuration.

    The name of a file that holds one is no secret; what is in it is masked by whoever reads it.
    """
    kept = _kept(world)
    yield from filter(None, (value for name, value in typed.items() if name != "key"))
    yield from filter(None, (world.env.get(name) for name in _TOKEN_VARIABLES))
    yield kept.get("token", "")
    for reference in (typed.get("key"), world.env.get(_KEY_VARIABLE), kept.get("signing-key")):
        yield from _of_key(reference or "", world.env)
    yield from _of_proxies(world.env)


def _kept(world: World) -> Mapping[str, str]:
    from chainloop_ci.config import config_path, load_config

    with suppress(ChainloopError):  # told by whoever needs the file
        return load_config(config_path(world.env, world.text("config"))).values
    return {}


def _of_key(reference: str, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the key's text when the reference holds it: as it is, in base64, or in a variable."""
    text = env.get(reference.removeprefix("env://"), "") if reference.startswith("env://") else reference
    if _BEGIN in text:
        yield text
        return
    with suppress(binascii.Error, ValueError):
        decoded = b64decode("".join(text.split()), validate=True).decode()
        if _BEGIN in decoded:
            yield from (text, decoded)


def _of_proxies(env: Mapping[str, str]) -> Iterator[str]:
    for name in (*_PROXY_VARIABLES, *(name.lower() for name in _PROXY_VARIABLES)):
        with suppress(ValueError):  # no address; whoever connects says so
            address = env.get(name, "")
            if password := urlsplit(address if "://" in address else f"//{address}").password:
                yield from dict.fromkeys((password, unquote(password)))
