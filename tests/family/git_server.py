"""A git server over http on loopback, as a GitLab is one: `git http-backend` behind Python's own server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    credentials: list[str]
    is_private = False
    moved_to = ""

    def _answer(self) -> None:
        login = self.headers.get("Authorization", "")
        self.credentials.append(login)
        if self.is_private and not login:
            self._say(401, "WWW-Authenticate", 'Basic realm="GitLab"')
        elif self.moved_to:
            self._say(301, "Location", f"{self.moved_to}{self.path}")
        else:
            self._serve()

    def _say(self, status: int, name: str, value: str) -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], env=env, input=self.rfile.read(length), capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer a question for references."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a request for objects."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class GitServer:
    """Bare repositories below a folder; a private server wants a login, one that has moved leads to another."""

    def __init__(self, folder: Path, *, is_private: bool = False, moved_to: str = "") -> None:
        self.folder = folder
        self.credentials: list[str] = []
        """The Authorization header of each request; empty where there was none."""
        facts = {"folder": folder, "credentials": self.credentials, "is_private": is_private, "moved_to": moved_to}
        handler = type("Handler", (_Handler,), facts)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def publish(self, name: str, source: Path, *, tag: str) -> None:
        """Make a repository called `name` of the files in `source`, with one commit and a tag."""
        bare = self.folder / f"{name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        person = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
        for words in (
            ["init", "--quiet", "--bare", "--initial-branch", "main", str(bare)],
            [f"--git-dir={bare}", f"--work-tree={source}", "add", "--all"],
            [*person, f"--git-dir={bare}", f"--work-tree={source}", "commit", "--quiet", "--message", "Publish"],
            [f"--git-dir={bare}", "tag", tag],
        ):
            subprocess.run(["git", *words], check=True, capture_output=True, cwd=source)

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def git_server(folder: Path, *, is_private: bool = False, moved_to: str = "") -> Iterator[GitServer]:
    """Serve as long as the block lasts."""
    server = GitServer(folder, is_private=is_private, moved_to=moved_to)
    try:
        yield server
    finally:
        server.stop()
