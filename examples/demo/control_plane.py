"""Starting and stopping the demo's own control plane."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from examples.demo.terminal import DemoError

START_SECONDS = 120
_PORTS = itertools.count(secrets.randbelow(20_000))


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on, and the next time another one.

    Below those that the system gives to whoever asks for any: it would give them away before they are used.

    Raises:
        DemoError: none is free.
    """
    for number in itertools.islice(_PORTS, 20_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", 10_240 + number % 20_000))
            return int(probe.getsockname()[1])
    raise DemoError("no port of the loopback address is free")


class ControlPlane:
    """`python -m server serve` in a data folder of its own."""

    def __init__(
        self,
        project: Path,
        data: Path,
        settings: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        python: str = sys.executable,
    ) -> None:
        """Start it; `settings` are variables of its environment. Without a port it takes a free one."""
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token_file = data / "admin-token"
        self.log = data.parent / "server.log"
        env = {name: value for name, value in os.environ.items() if not name.startswith("CHAINLOOP_")}
        env |= {"CHAINLOOP_DATA": str(data), "PORT": str(self.port), **(settings or {})}
        with self.log.open("wb") as log:
            # A session of its own: with KEEP=1 it lives on when the demo's terminal is closed.
            self._process = subprocess.Popen(
                [python, "-m", "server", "serve"],
                cwd=project,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def process_id(self) -> int:
        """Return the master's process id."""
        return self._process.pid

    def wait(self) -> None:
        """Wait until the control plane answers.

        Raises:
            DemoError: it ended, or gave no answer in time; the message has the end of its log.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise DemoError("the control plane did not start:\n" + self.log.read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """Stop it gracefully; kill it when it does not end."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
