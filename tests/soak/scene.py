"""What a round of the soak is: a scene is set once and played many times."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Played:
    """What was done in one round."""

    victim: str
    """Who was killed."""
    how: str
    """By `clock` or by `call`; `late`: it had ended before."""


class Scene(Protocol):
    """A place where things are killed. It raises `ViolationError` when something that must hold does not."""

    def play(self, rng: random.Random) -> Played:
        """Play one round."""

    def close(self) -> None:
        """Check the whole once more, and stop what was started."""
