"""The one place where the server's services meet the world: clock, randomness, database, disk."""

from __future__ import annotations

import random
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict

from chainloop_ci.errors import NotFoundError
from server.auth.authenticator import Authenticator
from server.auth.page_sessions import PageSessions
from server.cas.blobs import Blobs
from server.cas.registry import open_back_ends
from server.config import ServerConfig
from server.content_check.checker import ContentChecker
from server.egress.github_addresses import web_address
from server.egress.policy import Policy
from server.egress.resolver import Resolver, resolve_addresses
from server.egress.transport import Transport
from server.integrations.registry import by_kind
from server.integrations.types import Integration, Tools
from server.model.hook_secrets import SECRET_BYTES, render_secret
from server.model.sweeps import FIRST_SWEEPS
from server.secret_box import open_secret_box
from server.services.apply import Apply
from server.services.artifacts import Artifacts
from server.services.attachments import Attachments
from server.services.attestations import Attestations
from server.services.audit import Audit
from server.services.audit_export import AuditExport
from server.services.body_places import BodyPlaces
from server.services.contracts import Contracts
from server.services.crafting import Crafting
from server.services.credentials import Credentials
from server.services.delivery_log import DeliveryLog
from server.services.disk_reserve import DiskReserve
from server.services.drift import Drift
from server.services.gates import Gates
from server.services.health import Health
from server.services.impact import Impacts
from server.services.inbound import GitHubApp, Inbound
from server.services.inbound_limits import InboundLimits
from server.services.inbound_log import InboundLog
from server.services.integrations import Integrations
from server.services.inventories import Inventories, listing_kinds
from server.services.keys import VerificationKeys
from server.services.metrics import Metrics
from server.services.metrics_process import ProcessMetrics
from server.services.metrics_server import ServerMetrics
from server.services.organizations import Organizations
from server.services.overrides import Overrides
from server.services.overview import Overview
from server.services.pages import Pages
from server.services.projects import Projects
from server.services.referrers import Referrers
from server.services.registrations import Registrations
from server.services.runs import Runs
from server.services.secrets import Secrets
from server.services.shared_states import SharedStates
from server.services.source_hooks import SourceHooks
from server.services.source_secrets import SourceSecrets
from server.services.sources import Sources
from server.services.successors import Successors
from server.services.sweep_log import SweepLog
from server.services.tokens import Tokens
from server.services.uploads import Uploads
from server.services.verdict_pages import VerdictPages
from server.services.webhooks import Webhooks
from server.services.workflows import Workflows
from server.store import attestations
from server.store.database import Database, open_engine, sqlite_url


@dataclass(frozen=True, slots=True)
class World:
    """What a process gets from outside; tests hand over their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    resolver: Resolver = resolve_addresses
    """Names to addresses, of what is sent to the outside."""
    checker: ContentChecker | None = None
    """None: one with the memory that the settings say."""
    jitter: Callable[[], float] = random.random
    """From 0 to 1: spreads what would otherwise happen at one moment."""
    integrations: Mapping[str, Integration] = field(default_factory=by_kind)


@dataclass(frozen=True, slots=True)
class Services:
    """All use cases, one attribute per noun."""

    config: ServerConfig
    world: World
    database: Database
    authenticator: Authenticator
    health: Health
    organizations: Organizations
    tokens: Tokens
    keys: VerificationKeys
    projects: Projects
    workflows: Workflows
    sources: Sources
    apply: Apply
    contracts: Contracts
    impacts: Impacts
    crafting: Crafting
    runs: Runs
    overrides: Overrides
    gates: Gates
    drift: Drift
    inventories: Inventories
    shared_states: SharedStates
    successors: Successors
    attestations: Attestations
    artifacts: Artifacts
    uploads: Uploads
    body_places: BodyPlaces
    """For bodies of other requests than uploads: whoever uploads keeps none of them waiting."""
    referrers: Referrers
    integrations: Integrations
    audit: Audit
    audit_export: AuditExport
    metrics: Metrics
    process_metrics: ProcessMetrics
    server_metrics: ServerMetrics
    secrets: Secrets
    webhooks: Webhooks
    hooks: SourceHooks
    transport: Transport
    """The only way out (R45); loads its libraries with the first request."""
    pages: Pages


def open_database(config: ServerConfig) -> Database:
    """Return the database of a server, whatever its version; it is opened on first use."""
    return Database(open_engine(config.database_url or sqlite_url(config.database_path)))


def build_services(config: ServerConfig, world: World | None = None) -> Services:
    """Return the services over the data folder of `config`; the database is opened on first use, so after a fork."""
    world = world or World()
    database = open_database(config)
    back_ends = open_back_ends(config.blobs_path)
    # Workers may overlap while one takes the place of another.
    health, process = _build_health(config, database, world.now), ProcessMetrics(2 * config.workers)
    artifacts, uploads = _build_content(config, database, world.now, back_ends)
    transport, stored_secrets = build_transport(config, world), build_secrets(config, world)
    return Services(
        config=config,
        world=world,
        database=database,
        health=health,
        **_build_catalog(config, world, database),
        **_build_runs(config, world, database, process, back_ends),
        artifacts=artifacts,
        uploads=uploads,
        body_places=BodyPlaces(config.threads // 4),
        referrers=Referrers(database),
        integrations=_build_integrations(config, world, database, transport, stored_secrets),
        audit=Audit(database, world.now),
        audit_export=AuditExport(database, world.now),
        metrics=Metrics(database, world.now, listing_kinds(world.integrations)),
        process_metrics=process,
        server_metrics=ServerMetrics(database, health, process),
        webhooks=_build_webhooks(config, world, database, stored_secrets),
        secrets=stored_secrets,
        hooks=build_hooks(config, world, database, stored_secrets),
        transport=transport,
        pages=_build_pages(world, database),
    )


class _Catalog(TypedDict):
    """What `Services` has of organizations and of what they register."""

    authenticator: Authenticator
    organizations: Organizations
    tokens: Tokens
    keys: VerificationKeys
    projects: Projects
    workflows: Workflows
    sources: Sources
    apply: Apply
    contracts: Contracts
    impacts: Impacts


def _build_catalog(config: ServerConfig, world: World, database: Database) -> _Catalog:
    now, new_id, reserve = world.now, world.new_id, DiskReserve(config.data)
    projects = Projects(database, now, new_id)
    contracts = Contracts(database, now, new_id)
    sources = Sources(database, now, new_id)
    workflows = Workflows(database, now, new_id, projects=projects, contracts=contracts, sources=sources)
    return _Catalog(
        authenticator=Authenticator(database, now),
        organizations=Organizations(database, now, new_id),
        tokens=Tokens(database, now, new_id, world.random_bytes, reserve),
        keys=VerificationKeys(database, now, reserve),
        projects=projects,
        workflows=workflows,
        sources=sources,
        apply=Apply(database, now, contracts=contracts, workflows=workflows, sources=sources),
        contracts=contracts,
        impacts=Impacts(database),
    )


class _Runs(TypedDict):
    """What `Services` has of runs, and of what follows from them."""

    crafting: Crafting
    runs: Runs
    overrides: Overrides
    gates: Gates
    drift: Drift
    inventories: Inventories
    shared_states: SharedStates
    successors: Successors
    attestations: Attestations


def _build_runs(
    config: ServerConfig, world: World, database: Database, process: ProcessMetrics, back_ends: Mapping[str, Blobs]
) -> _Runs:
    now, new_id, reserve = world.now, world.new_id, DiskReserve(config.data)
    checker = world.checker or ContentChecker(config.check_memory_bytes, process.checked)
    return _Runs(
        crafting=Crafting(database, now, config.max_blob_bytes),
        runs=Runs(database, now, new_id, reserve=reserve, max_open_runs=config.max_open_runs),
        overrides=Overrides(database, now, new_id, reserve),
        gates=Gates(database, now, process.answered_gate),
        drift=Drift(database, now),
        inventories=Inventories(database, world.integrations),
        shared_states=SharedStates(database, now),
        successors=Successors(database, now, new_id, max_open_runs=config.max_open_runs),
        attestations=Attestations(database, now, new_id, back_ends=back_ends, checker=checker),
    )


def _build_pages(world: World, database: Database) -> Pages:
    sessions = PageSessions(database, world.now, world.random_bytes, Authenticator(database, world.now))
    return Pages(sessions, VerdictPages(database, world.now), Overview(database, world.now))


def build_transport(config: ServerConfig, world: World) -> Transport:
    """Return the way out that the settings leave open; nothing large is loaded before its first request."""
    return Transport(Policy.from_config(config), resolver=world.resolver, monotonic=world.monotonic)


def _build_health(config: ServerConfig, database: Database, now: Callable[[], datetime]) -> Health:
    sweep_log = SweepLog(database, now, patient_until=now() + FIRST_SWEEPS)
    return Health(database, config.data, config.min_free_bytes, sweep_log)


def _build_webhooks(config: ServerConfig, world: World, database: Database, stored_secrets: Secrets) -> Webhooks:
    now, new_id, random_bytes = world.now, world.new_id, world.random_bytes
    own = SourceSecrets(database, now, random_bytes, secrets=stored_secrets, public_url=config.public_url)
    inbound = Inbound(
        database,
        now,
        new_id,
        secrets=own,
        limits=InboundLimits(world.monotonic),
        app=GitHubApp(app_host(config), config.github_app_webhook_secrets),
        decoy=render_secret(random_bytes(SECRET_BYTES)),
    )
    return Webhooks(own, inbound, InboundLog(database, now))


def _build_integrations(
    config: ServerConfig, world: World, database: Database, transport: Transport, stored_secrets: Secrets
) -> Integrations:
    registrations = Registrations(
        database,
        world.now,
        world.new_id,
        integrations=world.integrations,
        credentials=Credentials(stored_secrets),
        tools=make_tools(config, world, database, transport),
    )
    attachments = Attachments(database, world.now, world.new_id, integrations=world.integrations)
    return Integrations(registrations, attachments, DeliveryLog(database, world.now))


def build_hooks(config: ServerConfig, world: World, database: Database, secrets: Secrets) -> SourceHooks:
    """Return what has our webhooks at the forges looked after."""
    own = SourceSecrets(database, world.now, world.random_bytes, secrets=secrets, public_url=config.public_url)
    return SourceHooks(database, world.now, world.new_id, own)


def _build_content(
    config: ServerConfig, database: Database, now: Callable[[], datetime], back_ends: Mapping[str, Blobs]
) -> tuple[Artifacts, Uploads]:
    # One number of places for both directions: whoever reads slowly holds a thread like somebody who sends slowly.
    places = BodyPlaces(config.threads // 2)
    uploads = Uploads(
        database,
        now,
        back_ends=back_ends,
        max_blob_bytes=config.max_blob_bytes,
        run_quota_bytes=config.run_quota_bytes,
        places=places,
    )
    return Artifacts(database, back_ends=back_ends, places=places), uploads


def build_secrets(config: ServerConfig, world: World) -> Secrets:
    """Return what seals and opens credentials with the keys of the settings."""
    return Secrets(open_secret_box(config, world.random_bytes), world.now)


def app_host(config: ServerConfig) -> str:
    """Return where the server's App is registered, spelled as registrations spell a forge."""
    return web_address(config.github_app_url)


def make_tools(config: ServerConfig, world: World, database: Database, transport: Transport) -> Tools:
    """Return the world of integrations."""

    def load_attestation(organization_id: str, digest: str) -> bytes:
        with database.read() as connection:
            found = attestations.find(connection, organization_id, digest)
        if found is None:
            raise NotFoundError(f"there is no attestation {digest}")
        return found[0].bundle

    hooks = build_hooks(config, world, database, build_secrets(config, world))
    return Tools(
        transport,
        world.now,
        config.public_url,
        load_attestation=load_attestation,
        hook_secret=hooks.open_secret,
    )
