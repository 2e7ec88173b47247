"""The child: gives up everything but one connection and some memory, then looks at documents.

It is forked from a process that holds nothing of the server (`fork_server`), and looks at documents of one organization
only: none meets what a document of another tenant has left behind.
"""

from __future__ import annotations

import ctypes
import gc
import io
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress

from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.registry import get_kind
from chainloop_ci.materials.rejection import rejected
from chainloop_ci.materials.types import Checked
from server.content_check.limits import LIFE_CPU_SECONDS, MAX_ANSWER_BYTES, MIB, ChildLimits
from server.content_check.wire import (
    Job,
    StopReason,
    Task,
    receive_frame,
    render_checked,
    render_rejected,
    render_stopped,
    send_frame,
)

NOBODY = 65534
"""User and group without rights, by the custom of Linux distributions (systemd, "Users, Groups, UIDs and GIDs")."""

_MAX_FRAME_BYTES = 16 * MIB
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


def run(connection: socket.socket, limits: ChildLimits, parent_pid: int) -> None:
    """Confine this process and serve one worker until it hangs up; whatever happens, the process ends here."""
    status = 1
    try:
        confine(connection.fileno(), limits, parent_pid)
        _serve(connection, limits.cpu_seconds)
        status = 0
    finally:
        os._exit(status)


def confine(kept_descriptor: int, limits: ChildLimits, parent_pid: int) -> None:
    """Give up what a check does not need: files, network, other processes, rights, core dumps, memory and time.

    No descriptor can be opened any more, so there are no files and no sockets but the one that is kept. Whatever a
    check imports or reads has to be there already (`fork_server`). `limits.memory_bytes` is the whole address space.
    """
    # A process group of its own: nothing that is meant for others reaches it.
    os.setpgid(0, 0)
    # No search for modules: what is not loaded is not there, and nothing is opened to find that out.
    sys.meta_path.clear()
    for kind in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_DFL)
    _close_all_but(kept_descriptor)
    gc.disable()
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, limits.memory_bytes),
    ):
        _limit(what, most, most)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, LIFE_CPU_SECONDS)
    _drop_rights()
    _bind_to(parent_pid)


def _limit(what: int, soft: int, hard: int) -> None:
    """Set a limit, or keep a harder one that the operator has set for the whole server."""
    _, present = resource.getrlimit(what)
    most = hard if present == resource.RLIM_INFINITY else min(hard, present)
    resource.setrlimit(what, (min(soft, most), most))


def _close_all_but(kept: int) -> None:
    """Close standard input, output and error too: a check says nothing but its answer."""
    os.closerange(0, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _drop_rights() -> None:
    """Let root become nobody: the limit on processes does not hold for root (getrlimit(2))."""
    if os.geteuid() != 0:
        return
    # A container may have no such user; the other limits hold all the same.
    with suppress(OSError):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _bind_to(parent_pid: int) -> None:
    """End with the parent, gain no right by executing a file, be traced by nobody (prctl(2)); setuid resets that."""
    if sys.platform != "linux" or _PRCTL is None:
        return
    _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _PRCTL(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _PRCTL(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.getppid() != parent_pid:
        # It was gone before it was bound to.
        os._exit(1)


# Looked up before the fork: afterwards no file can be opened.
_PRCTL = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)


def _serve(connection: socket.socket, cpu_seconds: int) -> None:
    while header := receive_frame(connection, 4096):
        most = int(time.process_time()) + 1 + cpu_seconds
        _limit(resource.RLIMIT_CPU, most, LIFE_CPU_SECONDS)
        document = io.BytesIO()
        while block := receive_frame(connection, _MAX_FRAME_BYTES):
            document.write(block)
        if block is None:
            return
        raw = document.getvalue()
        del document
        answer = _answer(Job.from_bytes(header), raw)
        del raw
        send_frame(connection, answer)


def _answer(job: Job, raw: bytes) -> bytes:
    try:
        answer = render_checked(_look(job, raw))
        if len(answer) > MAX_ANSWER_BYTES:
            what = f"a {get_kind(job.type).title}"
            answer = render_rejected(rejected(what, f"one that says more than {MAX_ANSWER_BYTES} bytes of itself"))
    except MaterialRejectedError as error:
        return render_rejected(error)
    except MemoryError:
        return render_stopped(StopReason.MEMORY)
    except Exception as error:  # noqa: BLE001  # a document that a check of ours cannot cope with; the name goes to the log
        return render_stopped(StopReason.CRASHED, type(error).__name__)
    return answer


def _look(job: Job, raw: bytes) -> Checked:
    kind = get_kind(job.type)
    if job.task is Task.CHECK and kind.check:
        return kind.check(raw, job.strict)
    if job.task is Task.DESCRIBE and kind.describe_small:
        return Checked(kind.describe_small(raw))
    raise ValueError(f"nothing to do for {job.type}")
