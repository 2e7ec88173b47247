"""How many connections a worker may keep: as many as wanted, as far as the system lets a process open files."""

from __future__ import annotations

import resource

from chainloop_ci.records import record

MAX_CONNECTIONS = 2048
"""Per worker. Which worker a client gets is chance: one may get nearly all of a thousand jobs."""
FILES_BESIDE = 256
"""Files that a worker has open beside its connections: database, blobs, pipes of its children."""
MIN_CONNECTIONS = 64
"""Kept wherever the server starts at all; where the files run out first, the worker makes room."""


@record
class OpenFiles:
    """What the limit of open files should be, and what it leaves for connections."""

    soft_limit: int
    connections: int


def share_files(soft: int, hard: int) -> OpenFiles:
    """Return the soft limit to set and the connections of a worker; `resource.RLIM_INFINITY` is no limit."""
    wanted = MAX_CONNECTIONS + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return OpenFiles(soft, MAX_CONNECTIONS)
    reachable = wanted if hard == resource.RLIM_INFINITY else max(soft, min(hard, wanted))
    return OpenFiles(reachable, max(MIN_CONNECTIONS, reachable - FILES_BESIDE))


def allow_connections() -> int:
    """Raise this process's soft limit as far as needed and allowed; return the connections of a worker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    share = share_files(soft, hard)
    if share.soft_limit != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (share.soft_limit, hard))
    return share.connections
