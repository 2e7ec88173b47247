"""Somebody who types what a guide says: its console blocks, line after line, into one shell."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HEADING = re.compile(r"^## +(\d+)\. .*$", re.MULTILINE)
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^([#$]) (.*)$", re.MULTILINE)
TOKEN = re.compile(r"\bclp_[0-9A-Za-z]{49}\b")


@dataclass(frozen=True)
class Step:
    """A line to type, or a file to write that stands in the guide."""

    section: int
    line: str
    text: str = ""
    is_root: bool = False


@dataclass(frozen=True)
class Typed:
    """What a typed line did."""

    line: str
    status: int
    output: str


def steps_of(page: str) -> list[Step]:
    """Return what a guide asks to be typed and written, in its order.

    A YAML block is the file that was named last before it.
    """
    steps, heads = [], [*HEADING.finditer(page)]
    for number, head in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else len(page)
        for block in BLOCK.finditer(page, head.end(), end):
            section = int(head[1])
            if block[1] == "yaml":
                [*_, name] = re.findall(r"`([\w.-]+\.yaml)`", page[: block.start()])
                steps.append(Step(section, name, block[2]))
            else:
                steps += [Step(section, found[2], is_root=found[1] == "#") for found in PROMPT.finditer(block[2])]
    return steps


class Shell:
    """One bash that lives for the whole guide: folders and variables stay as they were left."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str], tokens: list[str]) -> None:
        """`tokens` are those that were shown so far; several shells of one reader share them."""
        self.tokens = tokens
        self._bash = subprocess.Popen(
            command, cwd=folder, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bash.kill()
        self._bash.communicate()

    def type(self, line: str) -> Typed:
        """Type a line; `clp_…` is the token that was shown last, for which `--token -` and `read -rs` ask too."""
        typed = line.replace("clp_…", self.tokens[-1]) if "clp_…" in line else line
        if line.endswith("--token -") or line.startswith("read -rs "):
            typed = f"{typed} <<< {self.tokens[-1]}"
        mark = uuid.uuid4().hex
        assert self._bash.stdin and self._bash.stdout
        self._bash.stdin.write(f"{{ {typed}\n}} </dev/null; printf '\\n%s %s\\n' {mark} $?\n")
        self._bash.stdin.flush()
        said: list[str] = []
        for text in self._bash.stdout:
            if text.startswith(mark):
                output = "".join(said).strip("\n")
                self.tokens += TOKEN.findall(output)
                return Typed(line, int(text.split()[1]), output)
            said.append(text)
        raise AssertionError(f"the shell ended at: {line}\n{''.join(said)}")
