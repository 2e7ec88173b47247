"""Names to addresses, within a time: the system's resolver has none that a caller could set."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from server.egress.deadline import Deadline

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port in, addresses out, the best one first; raises OSError for a name that is not known."""

MAX_WAITING = 64
"""Names that are being resolved at once. Each has a thread, so that one that takes long keeps no other waiting."""


def resolve_addresses(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(str(address[0]) for _, _, _, _, address in found)


class TimedResolver:
    """A resolver whose answers are not waited for any longer than they may take."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    def resolve(self, host: str, port: int, deadline: Deadline) -> Sequence[str]:
        """Return the addresses.

        Raises:
            OSError: the name is not known.
            TimeoutError: there is no answer yet.
        """
        if not self._places.acquire(timeout=deadline.remaining()):
            raise TimeoutError("too many names are being resolved")
        answers: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()
        # A daemon: nothing waits at the end of the process for a name server that is silent.
        threading.Thread(target=self._ask, args=(host, port, answers), daemon=True).start()
        try:
            answer = answers.get(timeout=deadline.remaining())
        except Empty:
            raise TimeoutError("the name is still being resolved") from None
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _ask(self, host: str, port: int, answers: SimpleQueue[Sequence[str] | OSError]) -> None:
        try:
            answers.put(self._resolver(host, port))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else socket.gaierror(str(error)))
        finally:
            self._places.release()
