"""What a forge does instead of its work: errors, limits, silence, answers that lead elsewhere."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from examples.forge.exchange import Request


@dataclass(slots=True)
class Faults:
    """Shares from 0 to 1 of the requests that meet a fault; they add up to 1 at most. The seed repeats them."""

    seed: int = 1
    server_error: float = 0.0
    """500, 502, 503 or 504 in place of the work."""
    lost_answer: float = 0.0
    """The work is done and 502 is answered, as a proxy does whose upstream was too slow."""
    rate_limited: float = 0.0
    """429 with `Retry-After`."""
    secondary_limit: float = 0.0
    """GitHub's 403 of the secondary limit with `Retry-After`; GitLab has none and answers 429."""
    retry_after_seconds: int = 1
    hang: float = 0.0
    """No answer until the forge is closed or `release` is called."""
    slow: float = 0.0
    slow_seconds: float = 0.2
    redirect: float = 0.0
    """307 to `redirect_to`, with the request's path."""
    redirect_to: str = ""
    foreign_link: str = ""
    """When set, every answer that has pages names this address as the next one."""
    only: str = ""
    """A regular expression: requests whose «METHOD /path» does not match it meet no fault."""
    count: int | None = None
    """So many faults are left; None for no end."""
    _random: random.Random | None = field(default=None, repr=False)

    def pick(self, request: Request) -> str | None:
        """Return the name of the fault that this request meets, or None."""
        if self.count == 0 or not re.search(self.only, f"{request.method} {request.path}"):
            return None
        name = self._draw()
        if name is not None and self.count is not None:
            self.count -= 1
        return name

    def server_status(self) -> int:
        """Return the status of a server error."""
        return self._generator().choice((500, 502, 503, 504))

    def _draw(self) -> str | None:
        drawn = self._generator().random()
        for name in ("server_error", "lost_answer", "rate_limited", "secondary_limit", "hang", "slow", "redirect"):
            drawn -= getattr(self, name)
            if drawn < 0:
                return name
        return None

    def _generator(self) -> random.Random:
        if self._random is None:
            self._random = random.Random(self.seed)
        return self._random
