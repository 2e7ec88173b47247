"""Gunicorn's master and workers, made to stop when they are told to, whatever they are doing just then.

With gunicorn's own, an idle server may live on until its workers are killed after `CHAINLOOP_SHUTDOWN_SECONDS`:
a worker that is told to stop between its fork and its own signal handlers never hears of it, and a connection on which
nothing was asked is waited for like a request in progress. And clients that send slowly hold its threads (T30).
"""

from __future__ import annotations

import errno
import itertools
import os
import selectors
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from server.admin.companion import Companion
from server.admin.connections import Connection, Head
from server.admin.malformed import find_malformed, render_malformed

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"""The signals that end a server: Ctrl-C and SIGTERM after the requests in progress, SIGQUIT at once."""


HEAD_SECONDS = 10.0
"""The whole head of a request must have come so long after its connection, or after its first byte on a used one."""
LINGER_SECONDS = 2.0
"""A connection that we end stays readable so long, so that a client still sending can read why."""
DRAIN_SECONDS = 0.1
"""A body that nobody read is waited for so long in a thread; then the connection ends instead."""
MAX_LINGERING = 256
STOP_SECONDS = 1.0
"""A worker that stops keeps used connections so long: a client may be sending its next request just then."""

_SPENT = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)
"""Why there may be nothing to accept: another worker was faster, or the client is gone."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Why a connection cannot be taken: the process or the machine has no more open files (`ulimit -n`) or memory."""
NO_ROOM_SECONDS = 0.05
"""So long nothing is accepted when there is no room, and no connection that could make some."""
NO_ROOM_LOG_SECONDS = 10.0
"""A lack of room is logged once in this time: whoever causes it could otherwise fill the log."""


class Master(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """The process that holds the socket and the data folder, and looks after the workers and the dispatcher."""

    def __init__(self, app: Any, companion: Companion | None = None) -> None:
        """Without `companion` there are workers only."""
        self._companion = companion
        self._is_stopping = False
        super().__init__(app)

    def manage_workers(self) -> None:
        """Start what does not run; asked about once a second."""
        super().manage_workers()
        if self._companion:
            self._companion.tend(self._release)

    def stop(self, graceful: bool = True) -> None:
        """End the workers and the dispatcher."""
        self._is_stopping = True
        if self._companion:
            self._companion.ask_to_end()
        super().stop(graceful)
        if self._companion:
            self._companion.end(at_once=not graceful)

    def _release(self) -> None:
        """Let go of the socket, in the dispatcher's process."""
        for listener in self.LISTENERS:
            listener.close()

    def spawn_worker(self) -> Any:
        """Fork a worker; signals wait until it has handlers of its own, since those it inherits would swallow them."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def signal(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; gunicorn's own hears a second Ctrl-C while it stops, but no second SIGTERM."""
        again = self._is_stopping and number == signal.SIGTERM
        super().signal(signal.SIGINT if again else number, frame)

    def handle_int(self) -> None:
        """Stop like on SIGTERM; a second signal of either kind does not wait for the requests in progress."""
        self.handle_term()


def assign_column(master: Any, worker: Any) -> None:
    """Give a worker that is about to be forked the first column of the shared numbers that no living one has."""
    taken = {other.metrics_column for other in master.WORKERS.values()}
    worker.metrics_column = next(column for column in itertools.count() if column not in taken)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A process that answers requests, several at once, and waits for none of its clients in a thread (T30)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lingering: deque[Connection] = deque()
        self._log_room_at = 0.0

    def init_signals(self) -> None:
        """Take the signals that came since the fork."""
        super().init_signals()
        # A terminal sends Ctrl-C to the workers too: the master decides, and tells them.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def run(self) -> None:
        """Answer until told to stop; then end, without taking the interpreter apart, which may take seconds."""
        super().run()
        self.log.info("Worker exiting (pid: %s)", self.pid)
        os._exit(0)

    def is_parent_alive(self) -> bool:
        """End at once when the master is gone: what is in progress would keep the next one from port and data."""
        if not super().is_parent_alive():
            os._exit(1)
        return True

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End at once; the interpreter's own way out would wait for the threads of requests in progress."""
        os._exit(0)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """React to what has happened on the connections that are still watched."""
        for key, _ in self.poller.select(timeout):
            # One reaction may close another's connection (`_displace`), whose number a new one may have by then.
            if self.poller.get_map().get(key.fd) is key:
                key.data(key.fileobj)

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection; when there are too many, the oldest that asks nothing goes, never the newest."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._make_room(error)
            elif error.errno not in _SPENT:
                raise
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname(), self._linger))
        if self.nr_conns >= self.worker_connections:
            self._displace()

    def enqueue_req(self, connection: Connection) -> None:
        """Give a thread to a connection whose next request's head is there whole; any other waits without one."""
        head = connection.receive_head()
        if head is not Head.PARTIAL:
            self._settle(connection, head)
            return
        connection.timeout = time.monotonic() + HEAD_SECONDS
        self.pending_conns.append(connection)
        self._watch(connection, self.on_pending_socket_readable)

    def on_pending_socket_readable(self, connection: Connection, client: socket.socket) -> None:
        """Take more of a head; the deadline stays where it was."""
        head = connection.receive_head()
        if head is not Head.PARTIAL:
            self.poller.unregister(client)
            self.pending_conns.remove(connection)
            self._settle(connection, head)

    def handle_request(self, request: Any, connection: Connection) -> Any:
        """Answer a request."""
        connection.sock.begin_request()
        return super().handle_request(request, connection)

    def handle_error(self, request: Any, client: socket.socket, address: Any, error: Exception) -> None:
        """Answer a request that is no HTTP like every other refusal."""
        malformed = find_malformed(error)
        if malformed is None:
            super().handle_error(request, client, address, error)
            return
        self.log.warning("malformed request from %s: %s", address[0] if address else "-", malformed.code)
        # Whoever sends such requests may be gone.
        with suppress(OSError):
            client.sendall(render_malformed(malformed))

    def _cap_keepalive(self, deadline: float) -> None:
        # The first that gunicorn does once a worker stops.
        self._close_listeners()
        super()._cap_keepalive(min(deadline, time.monotonic() + STOP_SECONDS))

    def murder_pending(self) -> None:
        """Close connections on which nothing was asked in time: once the worker is stopping, all of them."""
        if not self.alive:
            for connection in self.pending_conns:
                connection.timeout = 0.0
        super().murder_pending()
        now = time.monotonic()
        while self._lingering and self._lingering[0].timeout <= now:
            self._end(self._lingering.popleft())

    def _keepalive_after(self, connection: Connection, keepalive: bool) -> bool:
        deadline = time.monotonic() + DRAIN_SECONDS
        return keepalive and bool(connection.parser.finish_body(deadline=deadline))

    def _settle(self, connection: Connection, head: Head) -> None:
        if head is Head.WHOLE:
            super().enqueue_req(connection)
            return
        self.nr_conns -= 1
        if head is Head.TOO_LONG:
            connection.refuse_head()
        else:
            connection.close()

    def _close_listeners(self) -> None:
        """Take those who are connected already, and let go of the socket: others hear at once that nobody is there."""
        for listener in self.sockets:
            with selectors.DefaultSelector() as waiting:
                waiting.register(listener, selectors.EVENT_READ)
                for _ in range(self.worker_connections):
                    if not waiting.select(0):
                        break
                    self.accept(listener)
            listener.close()

    def _make_room(self, error: OSError) -> None:
        """End a connection that asks nothing; without one, give the requests in progress a moment to end."""
        if time.monotonic() >= self._log_room_at:
            self._log_room_at = time.monotonic() + NO_ROOM_LOG_SECONDS
            self.log.warning("a connection cannot be taken: %s", error.strerror)
        if not self._displace():
            time.sleep(NO_ROOM_SECONDS)

    def _displace(self) -> bool:
        """End the oldest connection that asks nothing, one that was answered first; tell whether there was one."""
        for waiting in (self.keepalived_conns, self.pending_conns):
            if waiting:
                self.nr_conns -= 1
                self._end(waiting.popleft())
                return True
        return False

    def _linger(self, connection: Connection) -> None:
        """Say that nothing more comes, and take what the client still sends: closing at once could cut the answer."""
        try:
            connection.sock.setblocking(False)
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        connection.timeout = time.monotonic() + LINGER_SECONDS
        self._lingering.append(connection)
        self._watch(connection, self._drain)
        if len(self._lingering) > MAX_LINGERING:
            self._end(self._lingering.popleft())

    def _drain(self, connection: Connection, client: socket.socket) -> None:
        try:
            ended = not client.recv(64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._lingering.remove(connection)
            self._end(connection)

    def _watch(self, connection: Connection, react: Any) -> None:
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(react, connection))

    def _end(self, connection: Connection) -> None:
        self.poller.unregister(connection.sock)
        connection.close()
