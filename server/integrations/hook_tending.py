"""What every forge's looking after our webhook has in common: what is remembered of it, and what is said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chainloop_ci.api.record import from_dict
from chainloop_ci.errors import NotFoundError
from server.integrations.answers import refuse
from server.integrations.types import Target, Tools
from server.model.forge_answers import HookAnswer, HookMode, HookQuestion, HookState

MAX_TRIES = 3
"""Of one delivery that failed, so that one that is refused for good is not sent for ever."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of a webhook."""

    secret: str = ""
    """Digest of the secret that it was given last."""
    tries: Mapping[str, int] | None = None
    """How often a delivery was asked for again, by the forge's own key."""

    @classmethod
    def read(cls, memory: Mapping[str, Any]) -> Kept:
        """Return what was remembered."""
        try:
            return from_dict(cls, memory)
        except ValueError:
            # Of another version of the server: at worst the secret is written once more.
            return cls()


@dataclass(frozen=True, slots=True)
class Tending:
    """One try for one webhook."""

    question: HookQuestion
    kept: Kept

    def found(self, ours: Sequence[str], differences: Sequence[str]) -> HookAnswer:
        """Return what there is: the numbers of all webhooks of this source, what is wrong with the first of them."""
        if not ours:
            return HookAnswer(HookState.MISSING, differences=("there is no webhook that leads to this server",))
        surplus = (f"there are {len(ours)} webhooks of this source",) if len(ours) > 1 else ()
        differences = (*differences, *surplus)
        return HookAnswer(HookState.DIFFERS if differences else HookState.OK, ours[0], differences)

    def repaired(self, found: HookAnswer, secret: str) -> tuple[HookAnswer, Kept]:
        """Return what becomes of a webhook that is there when it gets the secret; `OK`: nothing has to be written."""
        kept, differences = self.with_secret(secret), found.differences
        if kept.secret != self.kept.secret:
            differences = (*differences, "its secret was not the newest one, or that was not known")
        state = HookState.REPAIRED if differences else HookState.OK
        return replace(found, state=state, differences=differences), kept

    def with_secret(self, secret: str) -> Kept:
        """Return what is remembered once the webhook has the secret."""
        return replace(self.kept, secret=hashlib.sha256(secret.encode()).hexdigest())

    def ask_again(self, failed: Mapping[str, Any], most: int, send: Callable[[Any], object]) -> tuple[int, Kept]:
        """Have the forge send again what never came through, where that is the wish (3.5, rule 6); return how many.

        `failed`: what `send` takes, by the forge's own key, the oldest first.
        """
        tries = {key: count for key, count in (self.kept.tries or {}).items() if key in failed}
        asked = 0
        for key, delivery in failed.items() if self.question.mode is HookMode.REDELIVER else ():
            if asked < most and tries.get(key, 0) < MAX_TRIES:
                send(delivery)
                tries[key], asked = tries.get(key, 0) + 1, asked + 1
        return asked, replace(self.kept, tries=tries)


def secret_of(target: Target, question: HookQuestion, tools: Tools) -> Callable[[], str]:
    """Return what opens the secret of the source when it is needed; it ends the delivery where there is none."""

    def secret() -> str:
        try:
            return tools.hook_secret(target.organization_id, question.source_id)
        except NotFoundError as error:
            raise refuse(error.code, f"{error.message}: {error.hint}") from error

    return secret
