"""The process that makes the children: started fresh by a worker, it loads what checks need once and then only forks.

It never sees a byte of a document, has no thread, and holds nothing of the server: no database, no socket, no
environment. When its worker ends, for whatever reason, it ends with all its children.
"""

from __future__ import annotations

import contextlib
import encodings
import gc
import importlib
import os
import pkgutil
import resource
import select
import signal
import socket
from collections.abc import Mapping
from dataclasses import replace

from chainloop_ci.materials.registry import MATERIALS
from server.content_check import child
from server.content_check.limits import LIMITS_BYTES, MIB, ChildEnd, ChildLimits
from server.content_check.wire import READY

_WINDOWS_ONLY = frozenset({"encodings.mbcs", "encodings.oem", "encodings.cp65001"})
_USUAL_ADDRESS_SPACE = 512 * MIB
"""Where the system does not tell."""
_FIRST_TO_GO = "1000"
"""For /proc/self/oom_score_adj: when memory runs out, the kernel ends a check rather than a server (proc(5))."""


def main(descriptor: int) -> None:
    """Serve the worker at the other end of `descriptor` until it is gone."""
    control = socket.socket(fileno=descriptor)
    prepare()
    _keep_quiet()
    control.sendall(READY)
    ForkServer(control).run()


def prepare() -> None:
    """Load everything that a check may need: its child can open no file."""
    for kind in MATERIALS:
        if kind.prepare:
            kind.prepare()
    # XML names its encoding, and archives have names in several.
    for module in pkgutil.iter_modules(encodings.__path__, "encodings."):
        if module.name not in _WINDOWS_ONLY:
            importlib.import_module(module.name)
    # Not there outside Linux, or forbidden: the other limits hold all the same.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(_FIRST_TO_GO)
    gc.collect()
    # What is there now is never garbage: children share its memory for as long as nothing writes to it.
    gc.freeze()


def _keep_quiet() -> None:
    """Say nothing any more: standard error told the worker why a start failed, and belongs to the log from now on."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _address_space() -> int:
    """Return how much of it this process has, and each child begins with."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  # nothing more is imported here
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return _USUAL_ADDRESS_SPACE


class ForkServer:
    """Makes children, ends those whose worker wants it, and tells how each ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._own_bytes = _address_space()
        self._children: dict[int, socket.socket] = {}
        """By number of the process: where its end is told."""
        self._poller = select.poll()
        self._woken, self._wake = os.pipe()
        for descriptor in (self._woken, self._wake):
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        """Work until the worker hangs up."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._poller.register(self._control, select.POLLIN)
        self._poller.register(self._woken, select.POLLIN)
        alive = True
        while alive:
            events = dict(self._poller.poll())
            if self._woken in events:
                os.read(self._woken, 4096)
            self._reap()
            self._end_unwanted(events)
            alive = self._control.fileno() not in events or self._take()
        for pid in list(self._children):
            self._end(pid)

    def _take(self) -> bool:
        """Make the child that the worker asks for; tell whether the worker is there at all."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, LIMITS_BYTES, 2)
        except ConnectionError:
            return False
        if len(message) != LIMITS_BYTES or len(descriptors) != 2:
            return False
        limits = ChildLimits.from_bytes(message)
        limits = replace(limits, memory_bytes=limits.memory_bytes + self._own_bytes)
        connection, status = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        with connection:
            self._fork(connection, status, limits)
        return True

    def _fork(self, connection: socket.socket, status: socket.socket, limits: ChildLimits) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            _tell(status, ChildEnd(0, 0.0, was_made=False))
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            child.run(connection, limits, parent)
        self._children[pid] = status
        self._poller.register(status, select.POLLIN)

    def _end_unwanted(self, events: Mapping[int, int]) -> None:
        """End the children whose worker has hung up on their status: their time is over, or nobody needs them."""
        for pid, status in list(self._children.items()):
            if status.fileno() in events:
                self._end(pid)

    def _end(self, pid: int) -> None:
        # Not reaped yet, so the number is still this child's.
        os.kill(pid, signal.SIGKILL)
        self._finish(pid)

    def _reap(self) -> None:
        for pid in list(self._children):
            self._finish(pid, os.WNOHANG)

    def _finish(self, pid: int, options: int = 0) -> None:
        ended, how, used = os.wait4(pid, options)
        if not ended:
            return
        number = os.WTERMSIG(how) if os.WIFSIGNALED(how) else 0
        status = self._children.pop(pid)
        self._poller.unregister(status)
        _tell(status, ChildEnd(number, used.ru_utime + used.ru_stime))


def _tell(status: socket.socket, end: ChildEnd) -> None:
    # Whoever asked may have gone: nobody is left to be told.
    with status, contextlib.suppress(OSError):
        status.sendall(end.to_bytes())
