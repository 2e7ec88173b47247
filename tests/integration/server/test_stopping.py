"""A server stops when it is told to: soon when it is idle, after its requests otherwise."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from examples.demo.control_plane import free_port
from tests.waiting import wait_for

SOON_SECONDS = 15
"""An idle server takes one; far below the 30 after which its workers would be killed."""

TOLD_TO_STOP_WHILE_FORKING = """
import os, signal, time
from gunicorn.app.base import BaseApplication
from server.admin.processes import Master, Worker

def stop_master(server, worker):
    # In the new worker, before it has signal handlers of its own.
    os.kill(os.getppid(), signal.SIGTERM)
    end = time.monotonic() + 2
    while signal.SIGTERM not in signal.sigpending() and time.monotonic() < end:
        time.sleep(0.01)

class Server(BaseApplication):
    def load_config(self):
        for name, value in {"bind": "127.0.0.1:0", "worker_class": Worker, "graceful_timeout": 60,
                            "post_fork": stop_master, "control_socket_disable": True}.items():
            self.cfg.set(name, value)
    def load(self):
        return lambda environ, start: []

Master(Server()).run()
"""


def environment(**more):
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), **more}


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts the server as the leader of its process group and waits for its greeting."""
    started = []

    def serve():
        port = free_port()
        env = environment(PORT=str(port), CHAINLOOP_DATA=str(tmp_path / "data"), CHAINLOOP_MIN_FREE_BYTES="0")
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "server", "serve"],
                env=env,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)
        for _ in range(4):
            process.stdout.readline()
        return process, port

    yield serve
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def ask(connection, path="/healthz"):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    return connection.recv(65536)


def killed(tmp_path):
    return "SIGKILL" in (tmp_path / "log").read_text()


def test_a_worker_that_is_being_forked_hears_that_it_shall_stop():
    ended = subprocess.run(
        [sys.executable, "-c", TOLD_TO_STOP_WHILE_FORKING], env=environment(), capture_output=True, timeout=20
    )

    assert ended.returncode == 0
    assert b"SIGKILL" not in ended.stderr


def test_ctrl_c_right_after_the_greeting_stops_at_once(serve, tmp_path):
    process, _ = serve()

    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(timeout=SOON_SECONDS) == 0
    assert not killed(tmp_path)


def test_open_connections_without_a_request_do_not_keep_a_server(serve, tmp_path):
    process, port = serve()
    with socket.create_connection(("127.0.0.1", port)) as kept, socket.create_connection(("127.0.0.1", port)):
        assert b" 200 " in ask(kept)

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=SOON_SECONDS) == 0
    assert not killed(tmp_path)


def test_a_request_in_progress_is_answered_before_the_server_stops(serve, tmp_path):
    process, port = serve()
    token = (tmp_path / "data" / "admin-token").read_text().strip()
    body = b'{"name": "acme"}'
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(
            f"POST /api/v1/organizations HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b"100 Continue" in connection.recv(65536)

        os.killpg(process.pid, signal.SIGINT)
        wait_for_log(tmp_path / "log", "Handling signal: int")
        connection.sendall(body)

        assert b" 201 " in connection.recv(65536)
    assert process.wait(timeout=SOON_SECONDS) == 0


def wait_for_log(log, text):
    wait_for(lambda: text in log.read_text(), f"{text!r} is in the log", seconds=10)
