"""`python -m server dispatch`: the dispatcher as a process, beside `serve` or by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from server.admin.data_folder import open_current
from server.admin.parent import end_with
from server.config import ServerConfig
from server.dispatch_wiring import build_couriers, build_dispatcher
from server.dispatcher.couriers import Couriers
from server.dispatcher.dispatcher import Dispatcher
from server.routes.log_format import configure_logging
from server.services.disk_reserve import DiskReserve
from server.store import schema
from server.wiring import World, build_transport

POLL_SECONDS = 5.0
"""So often the dispatcher looks whether something is due."""
TICK_SECONDS = 1.0
"""So often it looks whether it has to end."""
PAUSE_SECONDS = 0.05
"""Between two steps of a sweep: longer than a writer that waits for the embedded database looks away."""

_log = structlog.get_logger("server.dispatcher")


def dispatch(
    config: ServerConfig,
    *,
    once: bool = False,
    world: World | None = None,
) -> bool:
    """Do what is due until SIGTERM or Ctrl-C; with `once` everything a single time.

    A signal ends it after the step that is being done. Returns whether nothing failed, which only `once` waits for.

    Raises:
        ConfigInvalidError: there is no data folder.
        SchemaMismatchError: the database is, or has become, of another version.
    """
    configure_logging()
    database, world = open_current(config), world or World()
    stop = _stop_on_signals()
    holder = world.new_id()
    reserve, transport = DiskReserve(config.data), build_transport(config, world)

    parts, pause = (config, world, database, transport), partial(stop.wait, PAUSE_SECONDS)
    dispatcher = build_dispatcher(*parts, holder=holder, is_stopping=stop.is_set, pause=pause)
    couriers = build_couriers(*parts, holder=holder)
    try:
        if once:
            reserve.keep()
            # Both, whatever comes of the first.
            return all((dispatcher.run(only_due=False), couriers.run_until_idle()))
        _log.info("dispatcher-started", pid=os.getpid(), holder=holder)
        with _beside(couriers, stop):
            _sweep(dispatcher, database.engine, reserve, stop)
        _log.info("dispatcher-ended", pid=os.getpid())
        return True
    finally:
        transport.close()
        database.engine.dispose()


def _sweep(dispatcher: Dispatcher, engine: Engine, reserve: DiskReserve, stop: threading.Event) -> None:
    """Do the sweeps that are due, again and again."""
    next_look = time.monotonic()
    while not stop.is_set():
        if time.monotonic() >= next_look:
            reserve.keep()
            if _is_current(engine):
                dispatcher.run()
            next_look = time.monotonic() + POLL_SECONDS
        stop.wait(TICK_SECONDS)


@contextmanager
def _beside(couriers: Couriers, stop: threading.Event) -> Iterator[None]:
    """Let the couriers work in a thread of their own: a sweep may take long, and nobody is told later for that.

    Whatever ends the sweeps ends them; tries that have begun are finished, within `TRY_SECONDS` each.
    """
    ending = threading.Event()
    thread = threading.Thread(
        target=couriers.run, args=(lambda: ending.is_set() or stop.is_set(),), name="couriers", daemon=False
    )
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def dispatch_beside(config: ServerConfig, master_id: int) -> bool:
    """Be the dispatcher of the process that forked this one, and end with it, however it ends.

    Of a master that was killed no step is finished: a try alone may take `TRY_SECONDS`, and the next server waits for
    the data folder meanwhile. What was cut off is done again when its lease has ended.
    """
    end_with(master_id)
    # A terminal sends Ctrl-C and its hang-up to every process: the master decides, and tells this one.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return dispatch(config)


def _is_current(engine: Engine) -> bool:
    """Tell whether the database can be reached, and insist that it is still of this version.

    Somebody may have stopped the server and migrated it.

    Raises:
        SchemaMismatchError: with the command that helps.
    """
    try:
        schema.require_current(engine)
    except SQLAlchemyError as error:
        _log.warning("database-unreachable", error=type(error).__name__)
        return False
    return True


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        # As `dispatch_beside` left it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))
    return stop
