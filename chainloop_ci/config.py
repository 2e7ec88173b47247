"""Settings: where the control plane is and who we are there, and where each value came from.

An option wins over the environment, the environment over the configuration file. The file is TOML at
`$XDG_CONFIG_HOME/chainloop/config.toml`, readable only by its user since it holds the token.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from chainloop_ci.errors import ConfigInvalidError, FileUnreadableError, Finding, PathRefusedError, UsageError
from chainloop_ci.records import record
from chainloop_ci.small_files import read_small_file

T = TypeVar("T")

FILE_KEYS = ("control-plane", "ca", "token", "organization", "signing-key")
"""What `chainloop config save` keeps, in the order in which it is written."""

MAX_FILE_BYTES = 1024 * 1024

# The words that click takes for a command's own switches, so that one variable means the same to every command.
_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n"})


class Secret:
    """A text that no log, table or traceback shows; `reveal` gives it to the one place that needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class Source(StrEnum):
    """Where a value came from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@record
class Setting(Generic[T]):
    """A value and its origin."""

    value: T
    source: Source
    where: str = ""
    """For people: `--token`, `CHAINLOOP_TOKEN`, `token in …/config.toml`."""


@record
class ConfigFile:
    """What the configuration file says; empty when there is none."""

    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By the names of `FILE_KEYS`."""
    warnings: tuple[str, ...] = ()
    """For people: others may read it, or it holds what is not ours."""
    foreign: tuple[str, ...] = ()
    """Fields that are not ours; such a file is never overwritten."""


@record
class Settings:
    """The settings of one command; None where nobody said anything."""

    control_plane: Setting[str] | None = None
    ca: Setting[str] | None = None
    """Path or PEM text of the certificate authority of the control plane."""
    organization: Setting[str] | None = None
    token: Setting[Secret] | None = None
    signing_key: Setting[Secret] | None = None
    """A path, PEM text or base64 of it (R5): a secret, since it may be the key itself."""
    insecure: Setting[bool] = Setting(False, Source.DEFAULT)
    shadowed_token: str = ""
    """Where another token than `token` is kept, which is not used; for people."""
    empty_variables: tuple[str, ...] = ()
    """Variables that are set to nothing, as CI systems do for a secret that does not exist; they count as not set."""


@record
class _Origin:
    """The names of one setting in the three places."""

    flag: str
    variable: str
    key: str | None = None


_CONTROL_PLANE = _Origin("control-plane", "CHAINLOOP_CONTROL_PLANE_API", "control-plane")
_CA = _Origin("control-plane-ca", "CHAINLOOP_CONTROL_PLANE_API_CA", "ca")
_ORGANIZATION = _Origin("organization", "CHAINLOOP_ORGANIZATION", "organization")
_TOKEN = _Origin("token", "CHAINLOOP_TOKEN", "token")
_SIGNING_KEY = _Origin("key", "CHAINLOOP_SIGNING_KEY", "signing-key")
_INSECURE = _Origin("insecure", "CHAINLOOP_API_INSECURE")
_ORIGINS = (_CONTROL_PLANE, _CA, _ORGANIZATION, _TOKEN, _SIGNING_KEY, _INSECURE)


def resolve_settings(flags: Mapping[str, str | None], env: Mapping[str, str], file: ConfigFile) -> Settings:
    """Return each setting with its origin. `flags` has the names of options without leading dashes (`control-plane`).

    Raises:
        UsageError: the variable for `insecure` is no truth value.
    """

    def text(origin: _Origin) -> Setting[str] | None:
        return _resolve(origin, flags, env, file)

    def secret(origin: _Origin) -> Setting[Secret] | None:
        found = _resolve(origin, flags, env, file)
        return Setting(Secret(found.value), found.source, found.where) if found else None

    token = secret(_TOKEN)
    kept = _resolve(_TOKEN, {}, {}, file)
    return Settings(
        control_plane=text(_CONTROL_PLANE),
        ca=text(_CA),
        organization=text(_ORGANIZATION),
        token=token,
        shadowed_token=kept.where if token and kept and token.value.reveal() != kept.value else "",
        signing_key=secret(_SIGNING_KEY),
        insecure=_truth(text(_INSECURE)),
        empty_variables=tuple(
            origin.variable for origin in _ORIGINS if origin.variable in env and not env[origin.variable].strip()
        ),
    )


def _resolve(
    origin: _Origin, flags: Mapping[str, str | None], env: Mapping[str, str], file: ConfigFile
) -> Setting[str] | None:
    candidates = (
        (flags.get(origin.flag), Source.FLAG, f"--{origin.flag}"),
        (env.get(origin.variable), Source.ENVIRONMENT, origin.variable),
        (file.values.get(origin.key) if origin.key else None, Source.FILE, f"{origin.key} in {file.path}"),
    )
    for value, source, where in candidates:
        if value and value.strip():
            # A secret that is pasted into a form keeps its newline.
            return Setting(value.strip(), source, where)
    return None


def _truth(found: Setting[str] | None) -> Setting[bool]:
    if found is None:
        return Setting(False, Source.DEFAULT)
    truth = find_truth(found.value)
    if truth is None:
        raise UsageError(f"{found.where}: expected true or false, found {found.value[:40]!r}")
    return Setting(truth, found.source, found.where)


def find_truth(text: str) -> bool | None:
    """Return what the variable of a switch says, None when it says neither; empty is no."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    return None if word and word not in _FALSE else False


def config_path(env: Mapping[str, str], explicit: str | None = None) -> Path:
    """Return where the configuration file is, existing or not; `explicit` is the option.

    Raises:
        ConfigInvalidError: there is neither a configuration folder nor a home folder.
    """
    if explicit:
        return Path(explicit)
    base, home = env.get("XDG_CONFIG_HOME") or env.get("APPDATA"), env.get("HOME") or env.get("USERPROFILE")
    if base and Path(base).is_absolute():
        return Path(base) / "chainloop" / "config.toml"
    if home:
        return Path(home) / ".config" / "chainloop" / "config.toml"
    raise ConfigInvalidError(
        "there is no home folder for the configuration file", hint="set XDG_CONFIG_HOME, or name the file with --config"
    )


def load_config(path: Path, *, must_exist: bool = False) -> ConfigFile:
    """Return what the file at `path` says; a missing one is empty, unless somebody has named it (`must_exist`).

    Fields of other programs are left alone and named in a warning: the Go product keeps its own at the same place.

    Raises:
        ConfigInvalidError: it cannot be read, is no TOML, or one of our fields is no text.
    """
    try:
        document, mode = _read_document(path)
    except FileNotFoundError as error:
        if must_exist:
            raise ConfigInvalidError(
                f"there is no configuration file {path}",
                hint="check --config and CHAINLOOP_CONFIG; `chainloop config save` makes the file",
            ) from error
        return ConfigFile(path)
    foreign = _foreign(document)
    ours = {name: value for name, value in document.items() if name not in foreign}
    return ConfigFile(path, _require_texts(path, ours), _warnings(path, mode, foreign), foreign)


def _read_document(path: Path) -> tuple[dict[str, object], int]:
    """Return the parsed file and its mode."""
    try:
        file = read_small_file(path, "the configuration file", MAX_FILE_BYTES)
        if len(file.raw) > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES} bytes")
        import tomllib  # most jobs have no such file

        return tomllib.loads(file.raw.decode("utf-8")), file.mode
    except (FileUnreadableError, PathRefusedError) as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None
        raise ConfigInvalidError(error.message, hint=error.hint) from error
    except ValueError as error:  # tomllib's errors, and bytes that are not UTF-8
        hint = "correct it, or remove it with `chainloop config reset`"
        raise ConfigInvalidError(f"{path} is no TOML: {error}", hint=hint) from error


def _foreign(document: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(name for name, value in document.items() if name not in FILE_KEYS or isinstance(value, dict))


def _require_texts(path: Path, ours: Mapping[str, object]) -> dict[str, str]:
    findings = [
        Finding("invalid-field", f"{name}: expected a text, found {type(value).__name__}", path=name)
        for name, value in ours.items()
        if not isinstance(value, str)
    ]
    if findings:
        listed = "; ".join(finding.message for finding in findings)
        raise ConfigInvalidError(f"{path} cannot be used: {listed}", hint="put the value in quotes", findings=findings)
    return {name: value for name, value in ours.items() if isinstance(value, str)}


def _warnings(path: Path, mode: int, foreign: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    if sys.platform != "win32" and mode & 0o077:
        found.append(f"{path} holds a token and may be used by other users of this machine: run chmod 600 {path}")
    if foreign:
        found.append(f"{path}: not read, since they are not of this program: {', '.join(foreign)}")
    return tuple(found)


def save_config(path: Path, changes: Mapping[str, str]) -> ConfigFile:
    """Set the fields in `changes` and return the file; an empty text removes its field.

    Raises:
        ConfigInvalidError: an unknown field, a value with control characters, a file not ours or not writable.
    """
    old = load_config(path)
    _require_ours(path, old.foreign)
    findings = [Finding("unknown-field", f"{name} is no field", path=name) for name in changes if name not in FILE_KEYS]
    findings += [
        Finding("invalid-field", f"{name}: a control character cannot be part of it", path=name)
        for name, value in changes.items()
        if any(character < " " or character == "\x7f" for character in value)
    ]
    if findings:
        listed = "; ".join(finding.message for finding in findings)
        raise ConfigInvalidError(f"cannot be saved: {listed}", hint=f"known: {', '.join(FILE_KEYS)}", findings=findings)
    values = {**old.values, **changes}
    _write_private(path, "".join(f"{key} = {_quote(values[key])}\n" for key in FILE_KEYS if values.get(key)))
    return load_config(path)


def reset_config(path: Path) -> bool:
    """Remove the file; tell whether there was one.

    Raises:
        ConfigInvalidError: it holds fields of another program, or cannot be removed.
    """
    foreign: tuple[str, ...] = ()
    # What is no TOML is nobody's: removing it is the way out that `load_config` names.
    with suppress(FileNotFoundError, ConfigInvalidError):
        foreign = _foreign(_read_document(path)[0])
    _require_ours(path, foreign)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigInvalidError(f"{path} cannot be removed: {error.strerror or error}") from error
    return True


def _require_ours(path: Path, foreign: tuple[str, ...]) -> None:
    if foreign:
        raise ConfigInvalidError(
            f"{path} belongs to another program too (fields {', '.join(foreign)}): it is not changed",
            hint="move that file away, or choose another one with --config",
        )


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ConfigInvalidError(f"{path} cannot be written: {error.strerror or error}") from error
