"""R11: what a process that looks at documents may not do, tried from within."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFINED = """
import os, socket, sys
from server.content_check import fork_server
from server.content_check.child import confine
from server.content_check.limits import ChildLimits
fork_server.prepare()
kept = os.dup(1)
def try_it(name, act):
    try:
        act()
    except BaseException as error:
        return f"{name}: {type(error).__name__}\\n"
    return f"{name}: done\\n"
parent = os.getpid()
if os.fork() == 0:
    confine(kept, ChildLimits(fork_server._address_space() + 64 * 1024**2), parent)
    said = [
        try_it("file", lambda: open("/etc/passwd")),
        try_it("socket", lambda: socket.socket()),
        try_it("pipe", os.pipe),
        try_it("fork", os.fork),
        try_it("thread", lambda: __import__("_thread").start_new_thread(print, ())),
        try_it("import", lambda: __import__("sqlite3")),
        try_it("memory", lambda: bytearray(512 * 1024**2)),
        try_it("stdin", lambda: os.read(0, 1)),
        f"user: {os.getuid() != 0}\\n",
        f"environment: {set(os.environ) <= {'LC_CTYPE'}}\\n",
        f"group: {os.getpgid(0) == os.getpid()}\\n",
    ]
    os.write(kept, "".join(said).encode())
    os._exit(0)
os.wait()
"""


def test_r11_a_child_has_no_files_no_network_no_children_and_no_rights(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED], capture_output=True, text=True, cwd=project, env={}, timeout=60, check=True
    )

    assert dict(line.split(": ") for line in done.stdout.splitlines()) == {
        "file": "OSError",
        "socket": "OSError",
        "pipe": "OSError",
        "fork": "BlockingIOError",
        "thread": "RuntimeError",
        "import": "ModuleNotFoundError",
        "memory": "MemoryError",
        "stdin": "OSError",
        "user": "True",
        "environment": "True",
        "group": "True",
    }
