"""The use cases of webhooks that come in."""

from __future__ import annotations

from dataclasses import dataclass

from server.services.inbound import Inbound
from server.services.inbound_log import InboundLog
from server.services.source_secrets import SourceSecrets


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Use cases of webhooks that come in."""

    secrets: SourceSecrets
    inbound: Inbound
    log: InboundLog
