"""`python -m server serve` as a process of its own."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import urllib.request

import pytest

from examples.demo.control_plane import free_port
from server.auth.token_text import is_token


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts the server over one data folder."""
    started = []

    def serve(stdout=subprocess.PIPE, port=None):
        port = port or free_port()
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.getcwd(),
            "PORT": str(port),
            "CHAINLOOP_DATA": str(tmp_path / "data"),
            "CHAINLOOP_WORKERS": "1",
            "CHAINLOOP_MIN_FREE_BYTES": "0",
        }
        log = (tmp_path / f"log-{len(started)}").open("wb")
        process = subprocess.Popen([sys.executable, "-m", "server", "serve"], env=env, stdout=stdout, stderr=log)
        log.close()
        started.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield serve
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def greeting(process):
    return [process.stdout.readline().decode() for _ in range(4)]


def get(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def stop(process):
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=20)


def test_r6_a_fresh_server_puts_the_token_into_a_private_file_and_nowhere_else(serve, tmp_path):
    process, url = serve()
    lines = greeting(process)
    path = tmp_path / "data" / "admin-token"
    token = path.read_text().strip()

    who = get(f"{url}/api/v1/whoami", token)
    status = stop(process)

    assert lines == [
        f"Chainloop control plane: {url}\n",
        f"  listening on {url.removeprefix('http://')}\n",
        f"  API reference: {url}/docs\n",
        f"  instance token: {path}\n",
    ]
    assert status == 0
    assert is_token(token)
    assert who["role"] == "instance"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rest = process.stdout.read().decode() + (tmp_path / "log-0").read_text()
    assert token not in "".join(lines) + rest


def test_a_second_server_of_the_same_folder_is_refused_and_the_first_named(serve, tmp_path):
    first, url = serve()
    greeting(first)

    second, _ = serve()

    assert second.wait(timeout=20) == 1
    assert second.stdout.read() == b""
    holder = f"process {first.pid} (serving on 127.0.0.1 port {url.rpartition(':')[2]})"
    said = (tmp_path / "log-1").read_text()
    assert said.startswith(
        f"error: the data folder {tmp_path / 'data'} is in use by {holder}\nhint: stop that one first"
    )
    stop(first)


def test_a_port_in_use_is_one_clear_error_and_nothing_is_made(serve, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        process, _ = serve(port=port)

        assert process.wait(timeout=20) == 2
    assert (tmp_path / "log-0").read_text() == (
        f"error: port {port} of 127.0.0.1 is in use\nhint: choose another with PORT=\n"
    )
    assert not (tmp_path / "data").exists()


def test_the_log_is_one_json_object_per_line(serve, tmp_path):
    process, url = serve()
    greeting(process)
    get(f"{url}/api/v1/whoami", (tmp_path / "data" / "admin-token").read_text().strip())
    stop(process)

    events = [json.loads(line) for line in (tmp_path / "log-0").read_text().splitlines()]

    requests = [event for event in events if event["event"] == "request"]
    assert [(item["method"], item["route"], item["status"]) for item in requests] == [("GET", "/api/v1/whoami", 200)]
    assert requests[0]["request_id"]


def test_a_second_start_keeps_the_first_token(serve, tmp_path):
    path = tmp_path / "data" / "admin-token"

    def start_and_stop():
        process, url = serve()
        greeting(process)
        get(f"{url}/api/v1/whoami", path.read_text().strip())
        stop(process)
        return path.stat()

    assert start_and_stop() == start_and_stop()


def test_r6_a_terminal_is_shown_the_token_once(serve, tmp_path):
    leader, follower = pty.openpty()
    process, url = serve(stdout=follower)
    os.close(follower)
    seen = b""
    while b"shown this once" not in seen:
        seen += os.read(leader, 4096)
    token = (tmp_path / "data" / "admin-token").read_text().strip()
    while b")" not in seen[seen.index(b"shown this once") :]:
        seen += os.read(leader, 4096)
    get(f"{url}/api/v1/whoami", token)
    stop(process)
    os.close(leader)

    assert token in seen.decode()
    assert token not in (tmp_path / "log-0").read_text()
