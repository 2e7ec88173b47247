"""R1's matrix, one case per endpoint: a fresh thing at a place, and the request that asks for it."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from chainloop_ci.api.inbound import InboundOutcome
from chainloop_ci.api.limits import BUNDLE_MEDIA_TYPE
from chainloop_ci.digests import sha256_digest
from server.model.inbound import ReceiverKind, StoredInbound
from server.store import inbound
from tests.integration.server.r1_world import OTHER_ORGANIZATION, OTHER_PROJECT, OTHER_WORKFLOW, OWN, Ask, Place, World
from tests.integration.server.receivers import SECRET
from tests.integration.server.test_keys import new_pem

Build = Callable[[str], Ask]
"""Returns the request for the thing of that id or name."""
Prepare = Callable[[World, Place], tuple[str, Build]]
"""Makes a thing at a place and returns its id or name, and the request that asks for it."""

BLOB = {"Content-Type": "application/octet-stream"}
BUNDLE = {"Content-Type": BUNDLE_MEDIA_TYPE}
YAML = {"Content-Type": "application/yaml"}
ALL_PLACES = (OWN, OTHER_WORKFLOW, OTHER_PROJECT, OTHER_ORGANIZATION)
WITHIN = (OWN, OTHER_WORKFLOW, OTHER_PROJECT)


class Belongs(Enum):
    """What a thing belongs to, so which scopes reach it."""

    WORKFLOW = auto()
    PROJECT = auto()
    ORGANIZATION = auto()
    """As a whole: only a token of the whole organization reaches it."""
    ANYBODY = auto()
    """Every token of the organization reaches it."""


@dataclass(frozen=True)
class Case:
    """How one endpoint is asked."""

    prepare: Prepare
    belongs: Belongs = Belongs.WORKFLOW
    places: tuple[str, ...] = ALL_PLACES
    """Without `other organization` where nothing in the request can name something of another one."""
    outside: int = 403
    """For what lies in the organization but outside the scope."""
    foreign: int = 404
    """For what belongs to another organization."""
    unlike: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(scope, place) → status where the rule of the other fields does not hold."""
    lists: Callable[[dict[str, Any]], str] | None = None
    """For a list: the id or name of an item; the list must hold the things that are reached and no other."""


def asking(method: str, path: str, **options: Any) -> Build:
    """Return a request whose `{}` in the path is the thing."""
    return lambda ident: Ask(method, path.format(ident), **options)


def of_workflow(method: str, suffix: str = "", **options: Any) -> Prepare:
    return lambda world, place: (place.workflow_id, asking(method, "/workflows/{}" + suffix, **options))


def of_project(world: World, place: Place) -> tuple[str, Build]:
    if place.name != OTHER_ORGANIZATION:
        return place.project, asking("GET", "/projects/{}")
    name = world.fresh("project")
    world.made(place, "POST", "/projects", json={"name": name})
    return name, asking("GET", "/projects/{}")


def of_token(method: str, suffix: str = "", **options: Any) -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        body = {"name": world.fresh("token"), "role": "attest", "project": place.project}
        made: Any = world.made(place, "POST", "/api-tokens", json={**body, "workflow": place.workflow_name})
        return made["token"]["id"], asking(method, "/api-tokens/{}" + suffix, **options)

    return prepare


def new_token(world: World, place: Place) -> tuple[str, Build]:
    project, workflow = place.project, place.workflow_name
    if place.name == OTHER_ORGANIZATION:
        project = world.fresh("project")
        world.made(place, "POST", "/workflows", json={"name": workflow, "project": project})
    body = {"name": world.fresh("token"), "role": "attest", "workflow": workflow}
    return project, lambda ident: Ask("POST", "/api-tokens", json={**body, "project": ident})


def of_key(method: str, suffix: str = "") -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        body = {"name": world.fresh("key"), "publicKey": new_pem(), "workflows": [place.workflow]}
        made: Any = world.made(place, "POST", "/verification-keys", json=body)
        return made["id"], asking(method, "/verification-keys/{}" + suffix)

    return prepare


def new_key(world: World, place: Place) -> tuple[str, Build]:
    project = place.project
    if place.name == OTHER_ORGANIZATION:
        project = world.fresh("project")
        world.made(place, "POST", "/workflows", json={"name": place.workflow_name, "project": project})
    body = {"name": world.fresh("key"), "publicKey": new_pem()}
    name = place.workflow_name
    return project, lambda ident: Ask("POST", "/verification-keys", json={**body, "workflows": [f"{ident}/{name}"]})


def new_workflow(world: World, place: Place) -> tuple[str, Build]:
    body = {"name": world.fresh("workflow"), "project": place.project}
    if place.name != OTHER_ORGANIZATION:
        return body["name"], lambda ident: Ask("POST", "/workflows", json={**body, "name": ident})
    contract = world.fresh("contract")
    world.made(place, "PUT", f"/contracts/{contract}", data=b"schemaVersion: v1\n", headers=YAML)
    return contract, lambda ident: Ask("POST", "/workflows", json={**body, "contract": ident})


def unused_workflow(world: World, place: Place) -> tuple[str, Build]:
    made: Any = world.made(
        place, "POST", "/workflows", json={"name": world.fresh("workflow"), "project": place.project}
    )
    return made["id"], asking("DELETE", "/workflows/{}")


def of_source(method: str, **options: Any) -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        body = {"source": f"github:acme/{world.fresh('app')}", "ciFile": ".github/workflows/ci.yml"}
        if method == "PUT":
            options["json"] = body
        else:
            world.made(place, "PUT", f"/workflows/{place.workflow_id}/source", json=body)
        return place.workflow_id, asking(method, "/workflows/{}/source", **options)

    return prepare


def changed_source(world: World, place: Place) -> tuple[str, Build]:
    source_id, _ = listed_source(world, place)
    return source_id, asking("PATCH", "/sources/{}", json={"namesInPublic": True})


def listed_source(world: World, place: Place) -> tuple[str, Build]:
    body = {"source": f"github:acme/{world.fresh('app')}", "ciFile": ".github/workflows/ci.yml"}
    made: Any = world.made(place, "PUT", f"/workflows/{place.workflow_id}/source", json=body)
    return made["sourceId"], asking("GET", "/sources")


def of_secret(suffix: str = "", **options: Any) -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        source_id, _ = listed_source(world, place)
        return source_id, asking("POST", "/sources/{}/secret" + suffix, **options)

    return prepare


def of_inbound(method: str, suffix: str = "") -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        delivery = StoredInbound(
            id=world.services.world.new_id(),
            organization_id=place.tenant.id,
            scope=world.fresh("scope"),
            receiver=ReceiverKind.GITHUB,
            event="push",
            body_digest=sha256_digest(world.fresh("body").encode()),
            body_bytes=2,
            received_at=world.clock(),
            headers={"x-github-event": "push"},
            outcome=InboundOutcome.HANDLED,
        )
        with world.services.database.write() as connection:
            inbound.add(connection, delivery, zlib.compress(b"{}"))
        return delivery.id, asking(method, "/inbound-webhooks/{}" + suffix)

    return prepare


def apply_workflow(world: World, place: Place) -> tuple[str, Build]:
    body = {"name": world.fresh("workflow"), "project": place.project}
    if place.name != OTHER_ORGANIZATION:
        return body["name"], lambda ident: Ask("POST", "/apply", json={"workflows": [{**body, "name": ident}]})
    contract = world.fresh("contract")
    world.made(place, "PUT", f"/contracts/{contract}", data=b"schemaVersion: v1\n", headers=YAML)
    return contract, lambda ident: Ask("POST", "/apply", json={"workflows": [{**body, "contract": ident}]})


def crafting_context(world: World, place: Place) -> tuple[str, Build]:
    name = place.workflow_name
    if place.name == OTHER_ORGANIZATION:
        name = world.fresh("workflow")
        world.made(place, "POST", "/workflows", json={"name": name, "project": place.project})
    return name, asking("GET", "/crafting-context?workflow={}&project=" + place.project)


def of_contract(suffix: str = "") -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        name = place.contract_name
        if place.name == OTHER_ORGANIZATION:
            name = world.fresh("contract")
            world.made(place, "PUT", f"/contracts/{name}", data=b"schemaVersion: v1\n", headers=YAML)
        return name, asking("GET", "/contracts/{}" + suffix)

    return prepare


def impact(world: World, place: Place) -> tuple[str, Build]:
    name, _ = of_contract()(world, place)
    return name, asking("POST", "/contracts/{}/impact", data=b"schemaVersion: v1\n", headers=YAML)


def new_override(world: World, place: Place) -> tuple[str, Build]:
    body = override_body(place)
    return place.workflow_id, lambda ident: Ask("POST", "/overrides", json={**body, "workflowId": ident})


def override_body(place: Place) -> dict[str, object]:
    commit = uuid.uuid4().hex + "01234567"
    until = "2026-11-30T00:00:00Z"
    return {"kind": "override", "reason": "r1", "workflowId": place.workflow_id, "commit": commit, "until": until}


def of_override(world: World, place: Place) -> tuple[str, Build]:
    made: Any = world.made(place, "POST", "/overrides", json=override_body(place))
    return made["id"], asking("POST", "/overrides/{}/end", json={"reason": "r1"})


def asked_gate(world: World, place: Place) -> tuple[str, Build]:
    name = f"{place.project}/{place.workflow_name}"
    if place.name == OTHER_ORGANIZATION:
        name = f"{place.project}/{world.fresh('workflow')}"
        project, _, workflow = name.partition("/")
        world.made(place, "POST", "/workflows", json={"name": workflow, "project": project})
    return name, lambda ident: Ask(
        "POST", "/gate", json={"workflows": [ident], "commit": uuid.uuid4().hex + "01234567"}
    )


def unused_contract(world: World, place: Place) -> tuple[str, Build]:
    name = world.fresh("contract")
    world.made(place, "PUT", f"/contracts/{name}", data=b"schemaVersion: v1\n", headers=YAML)
    return name, asking("DELETE", "/contracts/{}")


def of_run(method: str, suffix: str = "", **options: Any) -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        job = world.job(place)
        return job.run_id, asking(method, "/workflow-runs/{}" + suffix, headers=job.headers, **options)

    return prepare


def new_run(world: World, place: Place) -> tuple[str, Build]:
    job = world.waiting_job(place)
    return place.workflow_id, lambda ident: Ask("PUT", job.path, json=job.request(workflowId=ident))


def store_attestation(world: World, place: Place) -> tuple[str, Build]:
    job = world.job(place)
    job.add_everything()
    bundle = job.key.bundle(job.payload())
    headers = {**BUNDLE, **job.headers}
    return job.run_id, asking("PUT", "/workflow-runs/{}/attestation", data=bundle, headers=headers)


def put_state(world: World, place: Place) -> tuple[str, Build]:
    job = world.shared_job(place)
    headers = {**BLOB, **job.headers, "If-None-Match": "*"}
    return job.run_id, asking("PUT", "/workflow-runs/{}/state", data=world.content(), headers=headers)


def get_state(world: World, place: Place) -> tuple[str, Build]:
    job = world.shared_job(place)
    assert job.keep(world.content()).status_code == 201
    return job.run_id, asking("GET", "/workflow-runs/{}/state", headers=job.headers)


def successor(world: World, place: Place) -> tuple[str, Build]:
    job = world.shared_job(place)
    job.end()
    body = {"ci": job.ci_of_attempt(2)}
    return job.run_id, asking("POST", "/workflow-runs/{}/successor", json=body, headers=job.headers)


def attestation_of_run(world: World, place: Place) -> tuple[str, Build]:
    return world.attested(place)[0].run_id, asking("GET", "/workflow-runs/{}/attestation")


def attestation(world: World, place: Place) -> tuple[str, Build]:
    return world.attested(place)[1], asking("GET", "/attestations/{}")


def referrer(world: World, place: Place) -> tuple[str, Build]:
    return world.attested(place)[1], asking("GET", "/referrers/{}")


def artifact(method: str) -> Prepare:
    return lambda world, place: (world.artifact(place)[1], asking(method, "/artifacts/{}"))


def post_artifact(world: World, place: Place) -> tuple[str, Build]:
    job, content = world.job(place), world.content()
    headers = {**BLOB, **job.headers}
    return job.run_id, asking("POST", "/artifacts?filename=f&run={}", data=content, headers=headers)


def put_artifact(world: World, place: Place) -> tuple[str, Build]:
    job, content = world.job(place), world.content()
    path = f"/artifacts/{sha256_digest(content)}?filename=f&run={{}}"
    return job.run_id, asking("PUT", path, data=content, headers={**BLOB, **job.headers})


def refer_artifact(world: World, place: Place) -> tuple[str, Build]:
    job, digest = world.artifact(place)
    return job.run_id, asking("POST", f"/workflow-runs/{{}}/artifacts/{digest}", headers=job.headers)


def of_registration(method: str, suffix: str = "", *, fresh: bool = False, **options: Any) -> Prepare:
    def prepare(world: World, place: Place) -> tuple[str, Build]:
        made = world.registration(place, fresh=fresh)
        return str(made["id"]), asking(method, "/registrations/{}" + suffix, **options)

    return prepare


def new_registration(world: World, place: Place) -> tuple[str, Build]:
    body = {"kind": "webhook", "url": f"{world.receiver.url}/hook", "credentials": {"secret": SECRET}}
    name = world.fresh("hook")
    return name, lambda ident: Ask("POST", "/registrations", json={**body, "name": ident})


def of_attachment(method: str) -> Prepare:
    return lambda world, place: (str(world.attachment(place)["id"]), asking(method, "/attachments/{}"))


def new_attachment(world: World, place: Place) -> tuple[str, Build]:
    project, name = place.project, place.workflow_name
    if place.name == OTHER_ORGANIZATION:
        project = world.fresh("project")
        world.made(place, "POST", "/workflows", json={"name": name, "project": project})
    registration = world.registration(place)["name"]
    body = {"registration": registration, "workflow": name}
    return project, lambda ident: Ask("POST", "/attachments", json={**body, "project": ident, "events": world.kinds()})


def of_delivery(method: str, suffix: str = "") -> Prepare:
    return lambda world, place: (world.delivery(place), asking(method, "/deliveries/{}" + suffix))


def of_event(world: World, place: Place) -> tuple[str, Build]:
    return world.event(place).id, asking("GET", "/events")


def plain(method: str, path: str, **options: Any) -> Prepare:
    """A request that names no thing."""
    return lambda world, place: ("", lambda ident: Ask(method, path, **options))


def listing(path: str, make: Prepare) -> Prepare:
    """A list, after a thing was made at the place."""

    def prepare(world: World, place: Place) -> tuple[str, Build]:
        ident, _ = make(world, place)
        return ident, lambda _: Ask("GET", path)

    return prepare


NOBODY_ELSE = {"belongs": Belongs.ANYBODY, "places": (OWN,)}
"""For what concerns nothing but the token that asks."""

OF_ORGANIZATION = {"belongs": Belongs.ORGANIZATION, "places": (OWN, OTHER_ORGANIZATION)}
"""For what no project has."""

CASES: dict[str, Case] = {
    "GET /whoami": Case(plain("GET", "/whoami"), **NOBODY_ELSE),
    "GET /organizations": Case(plain("GET", "/organizations"), **NOBODY_ELSE),
    "POST /organizations": Case(
        lambda world, place: ("", lambda _: Ask("POST", "/organizations", json={"name": world.fresh("more")})),
        **NOBODY_ELSE,
    ),
    "GET /organizations/<name>": Case(
        lambda world, place: (place.tenant.name, asking("GET", "/organizations/{}")),
        belongs=Belongs.ANYBODY,
        places=(OWN, OTHER_ORGANIZATION),
    ),
    "PATCH /organizations/<name>": Case(
        lambda world, place: (place.tenant.name, asking("PATCH", "/organizations/{}", json={"quotaBytes": 0})),
        belongs=Belongs.ORGANIZATION,
        places=(OWN, OTHER_ORGANIZATION),
    ),
    "GET /api-tokens": Case(listing("/api-tokens", of_token("GET")), lists=lambda item: item["id"]),
    "POST /api-tokens": Case(new_token),
    "GET /api-tokens/<uuid:token_id>": Case(of_token("GET")),
    "POST /api-tokens/<uuid:token_id>/rotate": Case(of_token("POST", "/rotate", json={})),
    "POST /api-tokens/<uuid:token_id>/revoke": Case(of_token("POST", "/revoke")),
    "GET /api-tokens/<uuid:token_id>/activity": Case(of_token("GET", "/activity")),
    # Records name no project: only a token of the whole organization reaches them.
    "GET /audit-records": Case(plain("GET", "/audit-records"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "GET /audit-export": Case(plain("GET", "/audit-export"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "GET /audit-export/<kind>": Case(plain("GET", "/audit-export/runs"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "GET /verification-keys": Case(listing("/verification-keys", of_key("GET")), lists=lambda item: item["id"]),
    "POST /verification-keys": Case(new_key, foreign=422),
    "GET /verification-keys/<digest:key_id>": Case(of_key("GET")),
    "POST /verification-keys/<digest:key_id>/retire": Case(of_key("POST", "/retire")),
    "POST /verification-keys/<digest:key_id>/revoke": Case(of_key("POST", "/revoke")),
    "GET /projects": Case(listing("/projects", of_project), belongs=Belongs.PROJECT, lists=lambda item: item["name"]),
    "POST /projects": Case(
        lambda world, place: ("", lambda _: Ask("POST", "/projects", json={"name": world.fresh("project")})),
        belongs=Belongs.ORGANIZATION,
        places=(OWN,),
    ),
    "GET /projects/<name>": Case(of_project, belongs=Belongs.PROJECT),
    "GET /workflows": Case(listing("/workflows", of_workflow("GET")), lists=lambda item: item["id"]),
    "POST /workflows": Case(new_workflow, belongs=Belongs.PROJECT),
    "GET /workflows/<uuid:workflow_id>": Case(of_workflow("GET")),
    "PATCH /workflows/<uuid:workflow_id>": Case(of_workflow("PATCH", json={"team": "core"})),
    "DELETE /workflows/<uuid:workflow_id>": Case(unused_workflow),
    "GET /sources": Case(listing("/sources", listed_source), lists=lambda item: item["id"]),
    "PATCH /sources/<uuid:source_id>": Case(changed_source, belongs=Belongs.ORGANIZATION),
    "POST /sources/<uuid:source_id>/secret": Case(of_secret(), belongs=Belongs.ORGANIZATION),
    "POST /sources/<uuid:source_id>/secret/rotate": Case(of_secret("/rotate", json={}), belongs=Belongs.ORGANIZATION),
    "GET /inbound-webhooks": Case(
        listing("/inbound-webhooks", of_inbound("GET")), belongs=Belongs.ORGANIZATION, lists=lambda item: item["id"]
    ),
    "GET /inbound-webhooks/<uuid:delivery_id>": Case(of_inbound("GET"), belongs=Belongs.ORGANIZATION),
    "POST /inbound-webhooks/<uuid:delivery_id>/replay": Case(
        of_inbound("POST", "/replay"), belongs=Belongs.ORGANIZATION
    ),
    "GET /workflows/<uuid:workflow_id>/source": Case(of_source("GET")),
    "PUT /workflows/<uuid:workflow_id>/source": Case(of_source("PUT")),
    "DELETE /workflows/<uuid:workflow_id>/source": Case(of_source("DELETE")),
    "POST /apply": Case(apply_workflow, belongs=Belongs.PROJECT),
    "GET /workflows/<uuid:workflow_id>/refused-inits": Case(of_workflow("GET", "/refused-inits")),
    # A token of a workflow is told that the names are not its own, whether or not they exist.
    "GET /crafting-context": Case(crafting_context, unlike={("workflow", OTHER_ORGANIZATION): 403}),
    "GET /contracts": Case(listing("/contracts", of_contract()), lists=lambda item: item["name"]),
    "GET /contracts/<name>": Case(of_contract()),
    "PUT /contracts/<name>": Case(
        lambda world, place: (
            place.contract_name,
            asking("PUT", "/contracts/{}", data=place.contract, headers=YAML),
        ),
        places=WITHIN,
    ),
    "POST /contracts/<name>/impact": Case(impact),
    "DELETE /contracts/<name>": Case(unused_contract, belongs=Belongs.ORGANIZATION, places=(OWN, OTHER_ORGANIZATION)),
    "GET /contracts/<name>/revisions": Case(of_contract("/revisions")),
    "GET /contracts/<name>/revisions/<int:revision>": Case(of_contract("/revisions/1")),
    "PUT /workflow-runs/<uuid:run_id>": Case(new_run),
    "GET /workflow-runs": Case(listing("/workflow-runs", of_run("GET")), lists=lambda item: item["id"]),
    "GET /workflow-runs/<uuid:run_id>": Case(of_run("GET")),
    "POST /workflow-runs/<uuid:run_id>/cancel": Case(of_run("POST", "/cancel", json={"trigger": "failure"})),
    "POST /overrides": Case(new_override),
    "GET /overrides": Case(listing("/overrides", of_override), lists=lambda item: item["id"]),
    "POST /overrides/<uuid:override_id>/end": Case(of_override),
    "GET /drift": Case(listing("/drift", of_override), lists=lambda item: item.get("overrideId", "")),
    "GET /drift/repositories": Case(plain("GET", "/drift/repositories"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "GET /drift/inventories": Case(plain("GET", "/drift/inventories"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    # A gate that names another organization's workflow is closed, like one that names none that there is.
    "POST /gate": Case(asked_gate, foreign=200),
    "PUT /workflow-runs/<uuid:run_id>/state": Case(put_state),
    "GET /workflow-runs/<uuid:run_id>/state": Case(get_state),
    "POST /workflow-runs/<uuid:run_id>/successor": Case(successor),
    "PUT /workflow-runs/<uuid:run_id>/attestation": Case(store_attestation),
    "GET /workflow-runs/<uuid:run_id>/attestation": Case(attestation_of_run),
    "GET /attestations/<digest:digest>": Case(attestation),
    "POST /artifacts": Case(post_artifact),
    "PUT /artifacts/<digest:digest>": Case(put_artifact),
    "GET /artifacts/<digest:digest>": Case(artifact("GET")),
    "HEAD /artifacts/<digest:digest>": Case(artifact("HEAD")),
    "POST /workflow-runs/<uuid:run_id>/artifacts/<digest:digest>": Case(refer_artifact),
    "POST /source-hooks": Case(
        plain("POST", "/source-hooks", json={"mode": "check"}), belongs=Belongs.ORGANIZATION, places=(OWN,)
    ),
    "GET /source-hooks": Case(plain("GET", "/source-hooks"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "GET /integrations": Case(plain("GET", "/integrations"), **NOBODY_ELSE),
    # A registration names no project: only a token of the whole organization reaches it.
    "GET /registrations": Case(plain("GET", "/registrations"), belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "POST /registrations": Case(new_registration, belongs=Belongs.ORGANIZATION, places=(OWN,)),
    "GET /registrations/<uuid:registration_id>": Case(of_registration("GET"), **OF_ORGANIZATION),
    "PATCH /registrations/<uuid:registration_id>": Case(of_registration("PATCH", json={}), **OF_ORGANIZATION),
    "DELETE /registrations/<uuid:registration_id>": Case(of_registration("DELETE", fresh=True), **OF_ORGANIZATION),
    "POST /registrations/<uuid:registration_id>/check": Case(of_registration("POST", "/check"), **OF_ORGANIZATION),
    "POST /registrations/<uuid:registration_id>/pause": Case(of_registration("POST", "/pause"), **OF_ORGANIZATION),
    "POST /registrations/<uuid:registration_id>/resume": Case(of_registration("POST", "/resume"), **OF_ORGANIZATION),
    "GET /attachments": Case(listing("/attachments", of_attachment("GET")), lists=lambda item: item["id"]),
    "POST /attachments": Case(new_attachment),
    "DELETE /attachments/<uuid:attachment_id>": Case(of_attachment("DELETE")),
    "GET /deliveries": Case(listing("/deliveries", of_delivery("GET")), lists=lambda item: item["id"]),
    "GET /deliveries/<uuid:delivery_id>": Case(of_delivery("GET")),
    "POST /deliveries/<uuid:delivery_id>/replay": Case(of_delivery("POST", "/replay")),
    "GET /events": Case(listing("/events", of_event), lists=lambda item: item["id"]),
    # Who may not see a node is not told that it is there.
    "GET /referrers/<anydigest:digest>": Case(referrer, outside=404),
}
