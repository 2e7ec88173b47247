"""The use cases of integrations, together: who is told, of what, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from server.services.attachments import Attachments
from server.services.delivery_log import DeliveryLog
from server.services.registrations import Registrations


@dataclass(frozen=True, slots=True)
class Integrations:
    """One attribute per noun."""

    registrations: Registrations
    attachments: Attachments
    deliveries: DeliveryLog
