"""Post a message, and read the receiver's answer. Nothing but its status counts; no redirect is followed (R45)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chainloop_ci.attestation.times import render_time
from server.errors import EgressError
from server.integrations.answers import is_transient, no_answer, try_later
from server.integrations.types import Checked, Message, Target, Tools
from server.integrations.webhook.messages import render
from server.integrations.webhook.signing import MAX_SECRET_BYTES, MIN_SECRET_BYTES, PREFIX, parse_secret, sign
from server.model.deliveries import Outcome, OutcomeKind
from server.model.events import EventKind

if TYPE_CHECKING:
    from server.egress.transport import Answer

SECRET, PREVIOUS_SECRET = "secret", "previous-secret"  # their names
POST_SECONDS = 15.0
"""For one post with its answer; a receiver does its work afterwards."""
MAX_REFUSALS = 10
"""Tries of a message that the receiver refuses for its own reasons; with the pauses between them some 15 minutes."""

_HEADERS = {"Content-Type": "application/json", "User-Agent": "chainloop-webhook"}


def deliver(target: Target, message: Message, tools: Tools) -> Outcome:
    """Make one try."""
    body = render(message.content, lambda digest: tools.load_attestation(target.organization_id, digest))
    try:
        answer = _post(target, message.delivery_id, body, tools)
    except EgressError as error:
        return no_answer(error)
    return judge(answer, message.attempt, tools)


def judge(answer: Answer, attempt: int, tools: Tools) -> Outcome:
    """Return what an answer to the try number `attempt` means."""
    status, code = answer.status, str(answer.status)
    if 200 <= status < 300:
        return Outcome(OutcomeKind.DELIVERED, code)
    if 300 <= status < 400:
        return Outcome(
            OutcomeKind.REFUSED, code, "the receiver wants to be called elsewhere; redirects are not followed"
        )
    if status == 401:
        return Outcome(OutcomeKind.UNAUTHORIZED, code, "the receiver does not take our signature")
    if status == 410:
        return Outcome(OutcomeKind.GONE, code, "the receiver says that it is gone for good")
    if is_transient(status):
        return try_later(status, "", answer.headers, tools.now())
    if attempt >= MAX_REFUSALS:
        return Outcome(OutcomeKind.REFUSED, code, f"the receiver refused it {attempt} times")
    return Outcome(OutcomeKind.RETRY, code, "the receiver refused it")


def check(target: Target, tools: Tools) -> Checked:
    """Post a message that says what it is, and expect that it is taken.

    Raises:
        EgressError: there is no answer.
    """
    wrong = [name for name in (SECRET, PREVIOUS_SECRET) if _is_wrong(target.credentials, name)]
    if wrong:
        form = f"{PREFIX} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} random bytes in Base64"
        return Checked(tuple(f"the credential {name} is not of the form that receivers know: {form}" for name in wrong))
    now = tools.now()
    tested = {
        "type": EventKind.INTEGRATION_TESTED.value,
        "timestamp": render_time(now),
        "data": {"organizationId": target.organization_id, "subject": target.registration_id, "facts": {}},
    }
    # Nothing else has this id: it is made once, and not repeated.
    message_id = f"test-{target.registration_id}-{now.timestamp():.6f}"
    answer = _post(target, message_id, json.dumps(tested, sort_keys=True).encode(), tools)
    if 200 <= answer.status < 300:
        return Checked(facts={"answered": answer.status})
    return Checked((f"the receiver answered the test message with {answer.status}; expected 2xx{_why(answer.status)}",))


def _why(status: int) -> str:
    if 300 <= status < 400:
        return ": give the address that it redirects to"
    return ": its secret is perhaps another one" if status in (400, 401, 403) else ""


def _post(target: Target, message_id: str, body: bytes, tools: Tools) -> Answer:
    names = (SECRET, PREVIOUS_SECRET)
    keys = [key for name in names if (key := parse_secret(target.credentials.get(name, "")))]
    headers = {**_HEADERS, **sign(message_id, tools.now(), body, keys)}
    return tools.transport.post(target.host, body, headers, deadline_seconds=POST_SECONDS)


def _is_wrong(credentials: Mapping[str, str], name: str) -> bool:
    return name in credentials and parse_secret(credentials[name]) is None
