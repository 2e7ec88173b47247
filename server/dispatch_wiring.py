"""Where the dispatcher meets the world: its sweeps, and the couriers who turn events into requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from server.cas.registry import open_back_ends
from server.config import ServerConfig
from server.dispatcher.couriers import Couriers
from server.dispatcher.dispatcher import Dispatcher, make_dispatcher
from server.dispatcher.sweeps import Cleaners
from server.egress.transport import Transport
from server.services.announcing import Announcer
from server.services.app_installations import AppInstallations
from server.services.credentials import Credentials
from server.services.delivery_queue import DeliveryQueue
from server.services.fan_out import FanOut
from server.services.forge_answers import ForgeAnswers
from server.services.forge_watch import ForgeWatch
from server.services.gate_requests import GateRequests
from server.services.inbound_follow import InboundFollow
from server.services.inventories import InventorySweep
from server.services.judging import Judge
from server.services.registration_checks import RegistrationChecks
from server.services.third_parties import ThirdParties
from server.store.database import Database
from server.wiring import World, app_host, build_hooks, build_secrets, make_tools


def build_dispatcher(
    config: ServerConfig,
    world: World,
    database: Database,
    transport: Transport,
    *,
    holder: str,
    is_stopping: Callable[[], bool] = lambda: False,
    pause: Callable[[], object] = lambda: None,
) -> Dispatcher:
    """Return the dispatcher over the data folder of `config`; `holder` tells it from all others."""
    back_ends = open_back_ends(config.blobs_path)
    tools = make_tools(config, world, database, transport)
    asked = ThirdParties(world.integrations, Credentials(build_secrets(config, world)), tools)
    checks = RegistrationChecks(database, world.now, world.new_id, asked)
    lists = InventorySweep(database, world.now, asked)
    cleaners = Cleaners(
        database,
        back_ends,
        world.now,
        config.upload_grace,
        world.new_id,
        event_retention=config.event_retention,
        check_registrations=checks.check_all,
        announce=Announcer(database, world.now, world.new_id).announce_all,
        redeliver=build_hooks(config, world, database, build_secrets(config, world)).redeliver,
        list_repositories=lists.list_all,
    )
    return make_dispatcher(cleaners, holder=holder, is_stopping=is_stopping, pause=pause)


def build_couriers(
    config: ServerConfig, world: World, database: Database, transport: Transport, *, holder: str
) -> Couriers:
    """Return what turns events into deliveries and deliveries into requests."""
    now, new_id = world.now, world.new_id
    judge, inbound = Judge(database, now, new_id, public_url=config.public_url), InboundFollow(now, new_id)
    watch, announcer = ForgeWatch(now, new_id, judge), Announcer(database, now, new_id)
    installations, gates = AppInstallations(now, app_host(config)), GateRequests(now, new_id, app_host(config))
    follow = (installations.follow, watch, judge.follow, announcer.follow, gates.follow)
    hooks = build_hooks(config, world, database, build_secrets(config, world))
    learn = {**ForgeAnswers(now, new_id).handlers(), **hooks.handlers()}
    return Couriers(
        FanOut(database, now, new_id, integrations=world.integrations, follow=follow),
        DeliveryQueue(database, now, new_id, world.jitter, learn=learn),
        integrations=world.integrations,
        open_credentials=Credentials(build_secrets(config, world)).open,
        tools=make_tools(config, world, database, transport),
        holder=holder,
        now=now,
        first=(partial(inbound.handle_some, database),),
        due=(judge.judge_due, announcer.announce_due),
    )
