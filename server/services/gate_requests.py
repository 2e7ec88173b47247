"""Answer deployments that wait for our word: at once, and again whenever a verdict on their commit changes (R36)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from chainloop_ci.api.source_address import SourceAddress, SourceKind
from server.model.events import Event, EventKind
from server.model.gate_requests import GateState, StoredGateRequest, content_of
from server.model.gates import GateVerdict
from server.model.integrations import MAX_REGISTRATIONS, BoundRepository, StoredRegistration
from server.model.sources import StoredSource
from server.services.gates import judge_all, judge_named
from server.store import app_installations, events, forge_facts, gate_requests, registrations, sources

_KIND = SourceKind.GITHUB.value


class GateRequests:
    """What the dispatcher does with such events, in the transaction that tells them."""

    def __init__(self, now: Callable[[], datetime], new_id: Callable[[], str], app_host: str) -> None:
        """`app_host`: the forge whose App has the one endpoint, from which all such events are (R42)."""
        self._now = now
        self._new_id = new_id
        self._app_host = app_host

    def follow(self, connection: Connection, event: Event) -> None:
        """Draw the conclusions of an event."""
        if event.kind is EventKind.GATE_REQUESTED:
            self._ask(connection, event)
        elif event.kind is EventKind.VERDICT_CHANGED:
            for request in gate_requests.list_waiting(connection, event.organization_id, str(event.facts["sha"])):
                self._answer(connection, request)

    def _ask(self, connection: Connection, event: Event) -> None:
        registration = _find_registration(connection, event, self._app_host)
        facts = {name: str(event.facts.get(name) or "") for name in ("ciRunId", "environment", "sha", "repositoryId")}
        if registration is None or not all(facts.values()):
            # R42: nobody in this organization speaks as that installation for that repository.
            return
        bound = next(item for item in registration.repositories if item.repository_id == facts["repositoryId"])
        source = _find_source(connection, event.organization_id, bound)
        head = forge_facts.find_head_sha(connection, source.id, facts["ciRunId"]) if source else None
        request = StoredGateRequest(
            organization_id=event.organization_id,
            registration_id=registration.id,
            host=bound.host,
            repository_id=bound.repository_id,
            repository=bound.name,
            ci_run_id=facts["ciRunId"],
            environment=facts["environment"][:255],
            # GitHub names the test merge commit of a pull request, which nobody attests.
            sha=head or facts["sha"],
            requested_at=event.at,
        )
        self._answer(connection, request, is_new=True)

    def _answer(self, connection: Connection, request: StoredGateRequest, *, is_new: bool = False) -> None:
        registration = registrations.find(connection, request.organization_id, request.registration_id)
        if registration is None or registration.removed_at is not None:
            return
        now = self._now()
        content = content_of(request, _judge(connection, registration, request, now), _KIND)
        is_decided = content.state is not GateState.WAITING
        if is_new or is_decided:
            answered = replace(request, state=content.state, answered_at=now if is_decided else None)
            gate_requests.put(connection, answered)
            events.add(
                connection,
                Event(
                    id=self._new_id(),
                    organization_id=request.organization_id,
                    kind=EventKind.GATE_ANSWERED,
                    at=now,
                    subject=f"{request.ci_run_id}/{request.environment}",
                    facts=content.to_facts(),
                    only_registration_id=request.registration_id,
                ),
            )


def _judge(
    connection: Connection, registration: StoredRegistration, request: StoredGateRequest, now: datetime
) -> GateVerdict:
    bound = BoundRepository(request.host, request.repository_id, request.repository)
    source = _find_source(connection, request.organization_id, bound)
    names_allowed = source.names_allowed if source else False
    required = _required(registration, request.environment)
    if required is not None:
        owner = request.organization_id
        return judge_named(connection, owner, required, request.sha, now, names_allowed=names_allowed)
    return judge_all(connection, source, request.sha, now, names_allowed=names_allowed)


def _find_source(connection: Connection, organization_id: str, bound: BoundRepository) -> StoredSource | None:
    address = SourceAddress(SourceKind.GITHUB, bound.host, bound.name)
    return sources.find_by_repository(connection, organization_id, address, bound.repository_id)


def _required(registration: StoredRegistration, environment: str) -> Sequence[str] | None:
    """Return the workflows that an administrator named for an environment; None: the set of the roll-up (R33).

    GitHub takes `Production` for `production`, and the spelling is that of whoever writes the job.
    """
    named = registration.settings.get("environments")
    lists = named.items() if isinstance(named, dict) else ()
    found = [names for name, names in lists if name.casefold() == environment.casefold() and isinstance(names, list)]
    return tuple(dict.fromkeys(str(name) for names in found for name in names)) if found else None


def _find_registration(connection: Connection, event: Event, host: str) -> StoredRegistration | None:
    """Return the registration that speaks as the installation which was told, for the repository that it names."""
    installation, repository = str(event.facts.get("installationId")), str(event.facts.get("repositoryId"))
    if app_installations.find_owner(connection, host, installation) != event.organization_id:
        # Bound to nobody since it came, or to another one.
        return None
    kept = registrations.list_page(connection, event.organization_id, after=None, limit=MAX_REGISTRATIONS)
    fitting = (
        item
        for item in kept
        if item.kind == _KIND
        and (item.host, item.installation_id) == (host, installation)
        and item.speaks_for(host, repository)
    )
    return next(fitting, None)
