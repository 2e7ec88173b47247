"""What database engines do each in their own way; everything else of the store is the same for all of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from chainloop_ci.errors import ChainloopError
from server.store.writer_turns import ProcessQueue

BUSY_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class EngineKind:
    """One database engine."""

    prepare: Callable[[Engine], None]
    """Sets an engine that has no connection yet."""
    begin_reading: Callable[[Connection], None]
    """Begins a transaction that sees one moment of the database."""
    begin_writing: Callable[[Connection, float], None]
    """Begins the one transaction that writes, and waits so many seconds for another one to end."""
    begin_beside: Callable[[Connection], None] | None
    """Begins a transaction that writes beside it, in rows that it has locked; None: there is no beside."""
    queue_of: Callable[[Engine], ProcessQueue | None]
    """Returns where the processes that write to a database queue; None: the engine has a queue of its own."""
    alone: Callable[[Engine], AbstractContextManager[None]]
    """Keeps other processes from changing the schema; raises StoreBusyError when one is at it and does not end."""
    require_suitable: Callable[[Connection], None]
    """Refuses a database whose texts would not be kept and sorted as ours have to be."""
    count_others: Callable[[Connection], int]
    """Counts the connections that others of our servers have to the database, as far as the engine knows them."""
    failure_of: Callable[[BaseException], ChainloopError | None]
    """Says what an error of the driver means for users; None: it is a defect of ours, or no error of this driver."""
    has_lasting_connections: bool
    """Whether a connection may break while nobody uses it, since a server at its other end was started again."""
