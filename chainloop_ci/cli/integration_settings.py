"""Settings and credentials as they are typed: `NAME=VALUE`, and where a secret is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainloop_ci.api.integrations import MAX_SECRET
from chainloop_ci.cli.options import Kind, Option
from chainloop_ci.cli.wiring import World
from chainloop_ci.errors import ChainloopError, FileUnreadableError, UsageError

SETTINGS = Option(
    "settings",
    ("--setting",),
    "A setting of the integration; may be repeated, and a list takes one value each time.",
    Kind.LIST,
    metavar="NAME=VALUE",
)
CREDENTIALS = Option(
    "credentials",
    ("--credential",),
    "A credential, and where its value is read: env://VARIABLE, a file, or - for the standard input; may be repeated.",
    Kind.LIST,
    metavar="NAME=PLACE",
)
"""A value never stands on the command line: others can read those."""

_ENV = "env://"


def parse_settings(typed: Sequence[str], schema: Mapping[str, Any]) -> dict[str, object]:
    """Return settings of the types that their schema says; what it does not know is sent as it is.

    Raises:
        UsageError: no `NAME=VALUE`, a setting that is no list given twice, or a word that is no number.
    """
    found: dict[str, object] = {}
    for text in typed:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--setting: expected NAME=VALUE, found {text[:80]!r}")
        entry = schema.get("properties", {}).get(name, {})
        if entry.get("type") == "array":
            listed = found.setdefault(name, [])
            if isinstance(listed, list):
                listed.append(_typed(name, value, entry.get("items", {})))
        elif name in found:
            raise UsageError(f"--setting: {name} is given twice, and takes one value")
        else:
            found[name] = _typed(name, value, entry)
    return found


def _typed(name: str, value: str, entry: Mapping[str, Any]) -> object:
    if entry.get("type") == "boolean" and value in ("true", "false"):
        return value == "true"
    if entry.get("type") == "integer":
        try:
            return int(value)
        except ValueError:
            raise UsageError(f"--setting: {name} takes a whole number, found {value[:40]!r}") from None
    return value


def read_credentials(world: World, typed: Sequence[str]) -> dict[str, str]:
    """Return the credentials that options name, read from where they say.

    Raises:
        UsageError: a name without a place, the standard input twice, a variable that is empty. No message has what
            stood behind `=`: somebody may have typed the secret itself.
        FileUnreadableError: there is no such file.
    """
    places: dict[str, str] = {}
    for text in typed:
        name, _, place = text.partition("=")
        if not name or not place:
            raise UsageError(
                f"--credential: say where {name[:40] or 'it'} is read",
                hint="--credential NAME=env://VARIABLE, NAME=FILE, or NAME=- for the standard input",
            )
        if name in places:
            raise UsageError(f"--credential: {name[:40]} is given twice")
        places[name] = place
    if list(places.values()).count("-") > 1:
        raise UsageError("--credential: the standard input can hold one credential", hint="use files or env://")
    return {name: _read(world, name, place) for name, place in places.items()}


def _read(world: World, name: str, place: str) -> str:
    if place == "-":
        text = world.stdin.read(MAX_SECRET + 1)
    elif place.startswith(_ENV):
        text = world.env.get(place.removeprefix(_ENV), "")
    else:
        text = _read_file(world, name, place)
    text = text.strip("\r\n")
    if not text.strip():
        raise UsageError(
            f"--credential: what {name} is read from is empty", hint="the variable, file or input has to hold it"
        )
    return text


def _read_file(world: World, name: str, place: str) -> str:
    from chainloop_ci.small_files import read_small_file

    try:
        return read_small_file(world.cwd / place, "a credential", MAX_SECRET).raw.decode()
    except (ChainloopError, UnicodeDecodeError):
        # Its message has the path, which may be the secret.
        raise FileUnreadableError(
            f"--credential: the file that {name} is to be read from cannot be read",
            hint="give a path, env://VARIABLE, or - for the standard input; a secret itself is not typed",
        ) from None
