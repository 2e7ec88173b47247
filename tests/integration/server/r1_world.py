"""What R1's matrix asks for: two organizations, everybody who may ask, and fresh things at four places.

A place is seen from a token bound to `app/build` of `acme`: its own workflow, another workflow of the same project,
another project, another organization.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chainloop_ci.api.access import Role
from chainloop_ci.digests import sha256_digest
from server.model.deliveries import Delivery, DeliveryState
from server.model.events import Event, EventKind
from server.store import deliveries, events
from server.wiring import Services
from tests.integration.server.conftest import Api, Clock, Tenant, bearer, make_tenant, store_token
from tests.integration.server.jobs import CONTRACT, Job, Key, put_contract, register_key
from tests.integration.server.receivers import SECRET
from tests.unit.stub_server import StubServer

OWN, OTHER_WORKFLOW, OTHER_PROJECT, OTHER_ORGANIZATION = "own", "other workflow", "other project", "other organization"
PLACES = {
    OWN: ("acme", "app/build"),
    OTHER_WORKFLOW: ("acme", "app/deploy"),
    OTHER_PROJECT: ("acme", "other/build"),
    OTHER_ORGANIZATION: ("rival", "app/build"),
}


@dataclass(frozen=True)
class Asker:
    """A token of `acme`, or the operator's with the header that names `acme`."""

    role: str
    scope: str
    """`organization`, `project` (app) or `workflow` (app/build)."""

    def __str__(self) -> str:
        return f"{self.role} of the {self.scope}"


ASKERS = (
    *(Asker(role, scope) for role in ("attest", "read", "operate", "admin") for scope in ("organization", "project")),
    Asker("attest", "workflow"),
    Asker("instance", "organization"),
)


@dataclass(frozen=True)
class Ask:
    """One request below `/api/v1`."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    json: object = None
    data: bytes | None = None


@dataclass
class Place:
    """Where a thing lies."""

    name: str
    tenant: Tenant
    workflow: str

    @property
    def project(self) -> str:
        return self.workflow.split("/")[0]

    @property
    def workflow_name(self) -> str:
        return self.workflow.split("/")[1]

    @property
    def workflow_id(self) -> str:
        return self.tenant.workflows[self.workflow]

    @property
    def contract(self) -> bytes:
        return contract_of(self.workflow)

    @property
    def contract_name(self) -> str:
        return self.workflow.replace("/", "-")


class World:
    """Both organizations; every workflow has `CONTRACT` and a key."""

    def __init__(self, services: Services, client: FlaskClient, clock: Clock, receiver: StubServer) -> None:
        self.receiver = receiver
        self.services = services
        self.client = client
        self.clock = clock
        self.tenants = {name: make_tenant(services, clock, client, name) for name in ("acme", "rival")}
        self.instance = store_token(services, clock, name="operator", role=Role.INSTANCE)
        self.key = Key()
        self._numbers = itertools.count(1)
        self._registered: dict[str, dict[str, object]] = {}
        for tenant in self.tenants.values():
            register_key(self.api, tenant, self.key, organizationWide=True)
            for workflow in tenant.workflows:
                put_contract(self.api, tenant, contract_of(workflow), workflow.replace("/", "-"))

    def api(self, secret: str) -> Api:
        """Return requests with a token."""
        return Api(self.client, secret)

    def place(self, name: str) -> Place:
        """Return the place of that name."""
        tenant, workflow = PLACES[name]
        return Place(name, self.tenants[tenant], workflow)

    def fresh(self, prefix: str) -> str:
        """Return a name that nobody has."""
        return f"{prefix}-{next(self._numbers)}"

    def as_owner(self, place: Place, ask: Ask) -> TestResponse:
        """Ask with the administrator's token of the organization that the place belongs to."""
        return self._send(bearer(place.tenant.token("admin")), ask)

    def as_asker(self, asker: Asker, ask: Ask) -> TestResponse:
        """Ask with one of `ASKERS`."""
        if asker.role == "instance":
            return self._send(bearer(self.instance, Chainloop_Organization="acme"), ask)
        return self._send(bearer(self.tenants["acme"].token(asker.role, asker.scope)), ask)

    def made(self, place: Place, method: str, path: str, **options: object) -> dict[str, object]:
        """Make a thing with the owner's token and return the answer."""
        answer = self.as_owner(place, Ask(method, path, **options))  # type: ignore[arg-type]
        assert answer.status_code in (200, 201), answer.text
        return answer.json or {}

    def job(self, place: Place) -> Job:
        """Return a job at the place that has begun its run."""
        job = self.waiting_job(place)
        answer = job.begin()
        assert answer.status_code == 201, answer.text
        return job

    def shared_job(self, place: Place) -> Job:
        """Return a job at the place that has begun a run whose state is shared."""
        job = self.waiting_job(place)
        answer = job.begin(stateLocation="shared")
        assert answer.status_code == 201, answer.text
        return job

    def waiting_job(self, place: Place) -> Job:
        """Return a job at the place that has not begun yet."""
        owner = self.api(place.tenant.token("admin"))
        return Job(owner, place.tenant, self.key, contract=place.contract, workflow=place.workflow)

    def attested(self, place: Place) -> tuple[Job, str]:
        """Return a job at the place that was attested, and the digest of its attestation."""
        job = self.job(place)
        job.add_everything()
        answer = job.push()
        assert answer.status_code == 201, answer.text
        return job, answer.json["digest"]

    def registration(self, place: Place, *, fresh: bool = False) -> dict[str, object]:
        """Return a webhook that the place's organization has registered; the same one unless it is to be `fresh`."""
        if not fresh and place.tenant.name in self._registered:
            return self._registered[place.tenant.name]
        body = {"kind": "webhook", "name": self.fresh("hook"), "url": f"{self.receiver.url}/hook"}
        made = self.made(place, "POST", "/registrations", json={**body, "credentials": {"secret": SECRET}})
        if not fresh:
            self._registered[place.tenant.name] = made
        return made

    def attachment(self, place: Place) -> dict[str, object]:
        """Return a new attachment of the place's workflow."""
        body = {"registration": self.registration(place)["name"], "project": place.project}
        return self.made(
            place, "POST", "/attachments", json={**body, "workflow": place.workflow_name, "events": self.kinds()}
        )

    def kinds(self) -> list[str]:
        """Return kinds of events that nobody listens to in just this choice: the same twice is refused."""
        number = next(self._numbers)
        return [kind.value for place, kind in enumerate(EventKind) if number >> place & 1]

    def event(self, place: Place) -> Event:
        """Return something that has happened to the place's workflow."""
        event = Event(
            id=self.services.world.new_id(),
            organization_id=place.tenant.id,
            kind=EventKind.WORKFLOW_CHANGED,
            at=self.clock(),
            subject=place.workflow_id,
            project_id=place.tenant.projects[place.project],
            workflow_id=place.workflow_id,
        )
        with self.services.database.write() as connection:
            events.add(connection, event)
            return events.list_page(connection, place.tenant.id, before=None, limit=1)[0]

    def delivery(self, place: Place) -> str:
        """Return the id of a delivery that was given up."""
        event, delivery_id = self.event(place), self.services.world.new_id()
        delivery = Delivery(
            id=delivery_id,
            organization_id=place.tenant.id,
            event_sequence=event.sequence,
            registration_id=str(self.registration(place)["id"]),
            attachment_id="somebody",
            part="message",
            lane=event.id,
            content={"type": "workflow.changed"},
            created_at=self.clock(),
            next_attempt_at=self.clock(),
            state=DeliveryState.DEAD,
        )
        with self.services.database.write() as connection:
            deliveries.add(connection, delivery)
        return delivery_id

    def content(self) -> bytes:
        """Return content that nobody has."""
        return uuid.uuid4().bytes

    def artifact(self, place: Place) -> tuple[Job, str]:
        """Return a job at the place, and the digest of what it uploaded."""
        job, content = self.job(place), self.content()
        assert job.upload(content, "file").status_code == 201
        return job, sha256_digest(content)

    def _send(self, headers: dict[str, str], ask: Ask) -> TestResponse:
        return self.client.open(
            "/api/v1" + ask.path,
            method=ask.method,
            headers={**headers, **ask.headers},
            json=ask.json,
            data=ask.data,
        )


def contract_of(workflow: str) -> bytes:
    """Return the bytes of a workflow's contract."""
    return CONTRACT.replace(b"name: app-build", b"name: " + workflow.replace("/", "-").encode())
