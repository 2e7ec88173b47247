"""Commands of `attestation` as our own texts name them, read back: an advice says them to people at a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chainloop_ci.records import record

_VALUE = r"[^\s`'\"-][^\s`]*"
_OPTION = rf" --(?P<flag>[a-z]+(?:-[a-z]+)*)(?: (?P<value>{_VALUE}))?"
_ANY_OPTION = re.compile(_OPTION)
_COMMAND = re.compile(
    r"(?:chainloop )?attestation (?P<command>craft|init|add|status|push|reset)"
    rf"(?P<options>(?: --[a-z-]+(?: {_VALUE})?)*)"
)
# `contract.compliance.add_command`; names are those of a contract.
_ADDITION = re.compile(
    r"chainloop attestation add --name (?P<name>[a-z0-9-]+) --value (?P<value><[a-z:]+>)"
    r"(?P<annotations>(?: --annotation [\w./-]+=<value>)*)(?P<replace> --replace)?"
)
_ANNOTATION = re.compile(r"chainloop attestation push --annotation (?P<name>[\w./-]+)=<value>")


@record
class SpokenCommand:
    """`chainloop attestation init --replace`."""

    command: str
    options: Mapping[str, str]
    """By name, without the dashes; a switch is empty."""


@record
class AddedMaterial:
    """`chainloop attestation add --name sbom --value <file>`."""

    name: str
    value: str
    annotations: tuple[str, ...]
    """Names of those that need a value."""
    replace: bool
    text: str
    """The command itself."""


def parse_command(text: str) -> SpokenCommand | None:
    """Return the command that a text is, whole; None when it is another one, or has something in quotes."""
    found = _COMMAND.fullmatch(text)
    if found is None:
        return None
    options = {each["flag"]: each["value"] or "" for each in _ANY_OPTION.finditer(found["options"])}
    return SpokenCommand(found["command"], options)


def parse_additions(text: str) -> tuple[AddedMaterial, ...]:
    """Return the commands that add a material, of a text that is nothing but one or several of them."""
    each = [_ADDITION.fullmatch(part) for part in text.split(" or ")]
    if not all(each):
        return ()
    return tuple(
        AddedMaterial(
            name=found["name"],
            value=found["value"],
            annotations=tuple(re.findall(r"--annotation ([^=]+)=", found["annotations"])),
            replace=bool(found["replace"]),
            text=found[0],
        )
        for found in filter(None, each)
    )


def parse_annotation(text: str) -> str:
    """Return the name in `chainloop attestation push --annotation NAME=<value>`; empty when a text is another one."""
    found = _ANNOTATION.fullmatch(text)
    return found["name"] if found else ""
