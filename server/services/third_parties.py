"""Ask third parties of registrations by the dispatcher, which nobody waits for: what is wrong becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog

from chainloop_ci.errors import ChainloopError
from server.integrations.types import Integration, Target, Tools, target_of
from server.model.integrations import StoredRegistration
from server.services.credentials import Credentials

AT_ONCE = 8
"""Third parties that are asked at the same time: one that hangs holds up the others of its group only."""

_log = structlog.get_logger("server.services")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ThirdParties:
    """What it takes to ask them."""

    integrations: Mapping[str, Integration]
    """By kind."""
    credentials: Credentials
    tools: Tools

    def ask(
        self, registration: StoredRegistration, question: Callable[[Target, Tools], T], explain: Callable[[str], T]
    ) -> T:
        """Return the answer to a question; where there is none, `explain` makes one of the finding that says why."""
        try:
            return question(target_of(registration, self.credentials.open(registration)), self.tools)
        except ChainloopError as error:
            return explain(error.message)
        except Exception as error:  # noqa: BLE001  # one registration must not end what is asked of the others
            _log.error("third-party-not-asked", registration=registration.id, exc_info=error)
            return explain(f"a defect of the server: {type(error).__name__}; its log says more")
