"""The options that every command takes: what was typed, what a variable says, what holds otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainloop_ci.cli.options import Kind, OnUnreachable, find_option
from chainloop_ci.cli.shared_options import is_on
from chainloop_ci.errors import UsageError

_MAX_PATIENCE_SECONDS = 3600


class GlobalOptions:
    """The global options of one invocation."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.given: dict[str, Any] = {}
        """As they were typed, anywhere on the line."""
        self.on_unreachable = OnUnreachable.FAIL
        """What to do when the control plane does not answer (`take_policy`)."""

    def text(self, name: str) -> str | None:
        """Return a global option: what was typed, else its variable, else its default."""
        option = find_option(name)
        return self.given.get(name) or self.env.get(option.env or "") or option.default

    def switch(self, name: str) -> bool:
        """Tell whether a global switch is on.

        Raises:
            UsageError: its variable is no truth value.
        """
        option = find_option(name)
        if option.kind is Kind.SWITCH and self.given.get(name):
            return True
        word = self.env.get(option.env or "", "")
        truth = is_on(word)
        if truth is None:
            raise UsageError(f"{option.env}: expected true or false, found {word[:40]!r}")
        return truth

    def take_policy(self) -> None:
        """Read `on_unreachable`: its variable may hold anything.

        Raises:
            UsageError: it is none of the words.
        """
        option, word = find_option("on_unreachable"), (self.text("on_unreachable") or "").strip().lower()
        if word not in option.choices:
            raise UsageError(f"{option.env}: expected one of {', '.join(option.choices)}, found {word[:40]!r}")
        self.on_unreachable = OnUnreachable(word)

    @property
    def patience_seconds(self) -> float:
        """Return how long the control plane may keep the command waiting.

        Raises:
            UsageError: it is no number of seconds, or one that nobody waits.
        """
        typed = self.given.get("patience")
        text = str(self.text("patience") if typed is None else typed).strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= _MAX_PATIENCE_SECONDS):
            raise UsageError(
                f"--patience ({find_option('patience').env}): expected seconds from 1 to {_MAX_PATIENCE_SECONDS}, "
                f"found {text[:40]!r}"
            )
        return float(text)

    @property
    def debug(self) -> bool:
        """Tell whether `--debug` is on; RUNNER_DEBUG is how GitHub re-runs a job «with debug logging»."""
        word = self.env.get("CHAINLOOP_DEBUG") or self.env.get("RUNNER_DEBUG") or ""
        return bool(self.given.get("debug")) or is_on(word) is True

    @property
    def format(self) -> str:
        """Return what `--output` asks for."""
        return self.text("output") or "table"
