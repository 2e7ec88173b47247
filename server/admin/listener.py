"""The listening socket: taken before anything else is done, so that a port in use costs one clear error."""

from __future__ import annotations

import errno
import socket

from chainloop_ci.errors import ConfigInvalidError
from server.config import ServerConfig

BACKLOG = 2048
"""Connections that wait to be accepted."""

_REASONS = {
    errno.EADDRINUSE: ("is in use", "choose another with PORT="),
    errno.EACCES: ("may not be used by this user", "choose one from 1024 on with PORT="),
    errno.EADDRNOTAVAIL: ("lies on an address that this machine does not have", "correct CHAINLOOP_BIND"),
}


def listen(config: ServerConfig) -> socket.socket:
    """Return a socket that listens on the address of `config`; connections wait until it is served.

    Raises:
        ConfigInvalidError: the address cannot be listened on.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in config.bind else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Connections of a server that has just stopped do not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.bind, config.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason, hint = _REASONS.get(error.errno or 0, (f"cannot be listened on: {error.strerror}", "correct PORT="))
        raise ConfigInvalidError(f"port {config.port} of {config.bind} {reason}", hint=hint) from error
    return listener
