"""The operator's guide, typed as it stands: every command that needs neither root nor a package manager really runs.

One shell, one control plane, nginx with TLS from the private authority that the guide makes. What is not typed as it
stands is in the table `Machine.substitutes` and in `SKIPPED`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from examples.demo.control_plane import ControlPlane, free_port
from server.errors import StoreFullError
from tests.family.typist import HEADING, Shell, Typed, steps_of
from tests.integration.tls_proxy import MAIN

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "operators-guide.md").read_text()
UNITS = PROJECT / "examples" / "systemd"
START_SECONDS = 120
KEPT_FOR_TWO_WEEKS = "20??-??-??T??????"
DEFAULT_SITE = "etc/nginx/sites-enabled/default"
FOLDERS = (
    "opt", "var/lib", "var/backups", "etc/systemd/system", "etc/nginx/conf.d", "etc/nginx/sites-enabled",
    "usr/local/sbin", "usr/local/bin", "root",
)  # fmt: skip

# What a package manager, pip or systemd does; what stands in for it is in this file.
SKIPPED = re.compile(
    r"apt-get |useradd |python3 -m venv |\.venv/bin/(pip|python -m compileall) |systemctl daemon-reload|nginx -t$"
)


@dataclass
class Machine:
    """A folder that stands for the file system of the guide's server."""

    root: Path
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    plane: ControlPlane | None = None
    nginx: subprocess.Popen[bytes] | None = None

    @property
    def substitutes(self) -> tuple[tuple[str, str], ...]:
        """THE table: what stands in the guide and its files, and what is typed and installed here."""
        return (
            (r"https://chainloop\.example\.com", f"https://localhost:{self.tls_port}"),
            (r"chainloop\.example\.com", "localhost"),
            (r"127\.0\.0\.1:8080", f"127.0.0.1:{self.port}"),
            (r"listen 443 ssl", f"listen 127.0.0.1:{self.tls_port} ssl"),
            (r"^PORT=8080", f"PORT={self.port}"),
            (r" -o chainloop -g chainloop", ""),
            (r"chown -R chainloop:chainloop", f"chown -R {os.getuid()}:{os.getgid()}"),
            (r"\brunuser -u chainloop -- ", ""),
            (r"/opt/chainloop/current/\.venv/bin/python(?= )", sys.executable),
            (r"(?<=exec )\.venv/bin/python(?= )", sys.executable),
            (r"(?<![\w.])/(?=(opt|var|etc|root)/|usr/local/)", f"{self.root}/"),
        )

    def translate(self, text: str) -> str:
        """Return a line of the guide, or a file of the examples, for this machine."""
        for pattern, ours in self.substitutes:
            text = re.sub(pattern, lambda _, ours=ours: ours, text, flags=re.MULTILINE)
        return text

    def translate_installed(self) -> None:
        """Translate the files that `install` has copied from the examples."""
        for folder in ("etc/chainloop", "etc/nginx/conf.d", "etc/systemd/system", "usr/local/sbin", "usr/local/bin"):
            for path in (self.root / folder).glob("*"):
                text = path.read_text()
                if str(self.root) not in text:
                    path.write_text(self.translate(text))

    def systemctl(self, verb: str, unit: str, shell: Shell) -> None:
        """Do what systemd does with the guide's units."""
        match verb, unit.removesuffix(".service"):
            case "start" | "enable" | "restart" | "stop", "chainloop":
                self.stop_server()
                if verb != "stop":
                    self.start_server()
            case "restart", "nginx":
                self.start_nginx()
            case "enable", "chainloop-backup.timer":
                assert (self.root / "etc/systemd/system/chainloop-backup.timer").is_file()
            case "start", "chainloop-backup":
                for name in ("ExecStart", "ExecStartPost"):
                    self.run_line(name, shell)
            case other:
                raise AssertionError(f"systemctl {other}")

    def run_line(self, name: str, shell: Shell) -> None:
        """Run a line of the installed backup unit, in its folder and with its settings, as systemd reads it."""
        unit = (self.root / "etc/systemd/system/chainloop-backup.service").read_text()
        [line] = re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)
        command = line.replace("%%", "%").replace("$$", "$")
        current, settings = self.root / "opt/chainloop/current", self.root / "etc/chainloop/server.env"
        done = shell.type(f"(set -a; . {settings}; set +a; cd {current}; {command})")
        assert done.status == 0, done.output

    def start_server(self) -> None:
        """Start the control plane with the settings of the guide."""
        text = (self.root / "etc/chainloop/server.env").read_text()
        settings = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))
        data = Path(settings["CHAINLOOP_DATA"])
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        current = self.root / "opt/chainloop/current"
        self.plane = ControlPlane(current, data, settings, port=int(settings["PORT"]))
        self.plane.wait()

    def stop_server(self) -> None:
        """Stop the control plane, if it runs."""
        if self.plane:
            self.plane.stop()
            self.plane = None

    def start_nginx(self) -> None:
        """Start nginx with the installed site; its answer is asked for by the guide itself."""
        self.stop_nginx()
        folder = self.root / "nginx"
        folder.mkdir(exist_ok=True)
        (folder / "access.log").unlink(missing_ok=True)
        site = str(self.root / "etc/nginx/conf.d/chainloop.conf")
        main = MAIN.format(folder=folder).replace(str(folder / "chainloop.conf"), site)
        (folder / "nginx.conf").write_text(main)
        words = ["nginx", "-p", str(folder), "-e", str(folder / "start.log"), "-c", str(folder / "nginx.conf")]
        subprocess.run([*words, "-t"], check=True, capture_output=True)
        self.nginx = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.tls_port}", timeout=2):
                return
            if (folder / "access.log").exists() and (folder / "access.log").read_text():
                # A plain request to a TLS port is answered with 400, which raises: it listens.
                return
            time.sleep(0.05)
        raise AssertionError((folder / "start.log").read_text())

    def stop_nginx(self) -> None:
        """Stop nginx, if it runs."""
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait(10)
            self.nginx = None

    def end(self) -> None:
        """Stop what runs."""
        self.stop_server()
        self.stop_nginx()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    root = tmp_path / "machine"
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    (root / DEFAULT_SITE).write_text("server { listen 80 default_server; }")
    machine = Machine(root)
    try:
        yield machine
    finally:
        machine.end()


def open_shell(machine: Machine, tokens: list[str]) -> Shell:
    programs = [str(machine.root / "usr/local" / name) for name in ("sbin", "bin")]
    env = {
        "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
        "PYTHONPATH": str(PROJECT),
        "HOME": str(machine.root / "root"),
        "CHAINLOOP_SIGNING_PASSWORD": "",
        "NO_PROXY": "*",
    }
    return Shell(["bash"], machine.root / "root", env, tokens)


def type_line(machine: Machine, shell: Shell, line: str) -> Typed:
    """Type one line of the guide, or do what stands for it."""
    if SKIPPED.match(line):
        return Typed(line, 0, "")
    if match := re.fullmatch(r"systemctl (\w+) (?:--now )?([\w.-]+)", line):
        machine.systemctl(match[1], match[2], shell)
        return Typed(line, 0, "")
    if match := re.fullmatch(r"git clone \S+ (\S+)", line):
        return shell.type(f"ln -s {PROJECT} {machine.translate(match[1])}")
    done = shell.type(machine.translate(line))
    machine.translate_installed()
    return Typed(line, done.status, done.output)


@pytest.mark.real("nginx")
@pytest.mark.real("openssl")
@pytest.mark.xdist_group("nginx")
def test_every_step_of_the_guide_works_as_it_is_typed(machine: Machine) -> None:
    said: dict[str, str] = {}
    tokens: list[str] = []
    with open_shell(machine, tokens) as root, open_shell(machine, tokens) as reader:
        for step in steps_of(PAGE):
            if step.text:
                (machine.root / "root" / step.line).write_text(step.text)
                continue
            done = type_line(machine, root if step.is_root else reader, step.line)
            assert done.status == 0, f"step {step.section}: {done.line}\n{done.output}"
            said[f"{step.section} {step.line}"] = done.output

    assert "success" in said["2 chainloop workflow run list"]
    assert said["3 openssl verify -CAfile ca.pem chainloop.crt"] == "chainloop.crt: OK"
    assert (
        '"status": "ready"' in said["3 curl -fsS --cacert /etc/chainloop/ca.pem https://chainloop.example.com/readyz"]
    )
    assert "success" in said["3 chainloop workflow run list"]
    assert not (machine.root / DEFAULT_SITE).exists()
    [backup] = said["5 ls /var/backups/chainloop"].split()
    assert fnmatch(backup, KEPT_FOR_TWO_WEEKS)
    assert "FAIL" not in said["5 chainloop-server doctor"] + said["6 chainloop-server doctor"]
    assert said["5 chainloop-server migrate"].endswith(": nothing to do")
    assert said["6 readlink /opt/chainloop/current"].endswith("/opt/chainloop/2")
    assert "run.begun" in said["8 chainloop organization api-token activity ci --since 30d"]
    assert "success" in said["8 chainloop workflow run list --token-name ci --since 30d"]
    [listed, graph] = [said[line] for line in said if line.startswith("9 ") and "sha256sum" in line]
    assert "success" in listed
    assert "hello/build" in graph
    assert "first-administrator" in said["11 chainloop organization audit list --org acme --since 30d"]


def test_the_nightly_backup_removes_old_ones_of_its_own_and_nothing_that_was_named_by_hand(tmp_path: Path) -> None:
    unit = (UNITS / "chainloop-backup.service").read_text()
    [line] = re.findall(r"^ExecStartPost=(.*)$", unit, re.MULTILINE)
    names = ("2026-01-05T023000", "2026-01-06T024512", "before-2", "first", "2026-yearly")
    for name in names:
        (tmp_path / name / "blobs").mkdir(parents=True)
    (tmp_path / "a-file.tar.gz").touch()
    for path in tmp_path.iterdir():
        if path.name != names[1]:
            os.utime(path, (0, 0))

    subprocess.run(shlex.split(line.replace("/var/backups/chainloop", str(tmp_path))), check=True)

    assert f"-name '{KEPT_FOR_TWO_WEEKS}'" in line
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:], "a-file.tar.gz"}


def test_the_guide_quotes_what_a_server_of_another_version_says() -> None:
    quoted = re.findall(r"^(?:error|hint): (.* (?:schema|migrat).*)$", PAGE, re.MULTILINE)
    sources = flatten(text_of("server"))

    assert len(quoted) == 4
    for text in quoted:
        assert all(flatten(fragment) in sources for fragment in re.split(r"\d{4}", text)), text


def test_the_guide_quotes_what_a_job_is_told_when_the_disk_is_full() -> None:
    error = StoreFullError()

    assert f"ERR {error.message}\nhint: {error.hint} (request " in PAGE


def test_every_message_of_the_trouble_table_is_one_of_ours() -> None:
    table = PAGE[HEADING_OF_TROUBLE:]
    shown = [text for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for text in re.findall("`(.+?)`", cell)]
    sources = flatten(text_of("server") + text_of("chainloop_ci"))

    assert len(shown) > 10
    for text in shown:
        for fragment in re.split("…|: ?|http.*|/readyz", text):
            assert flatten(fragment) in sources, text


@pytest.mark.real("systemd-analyze")
@pytest.mark.parametrize("name", ["chainloop.service", "chainloop-backup.service", "chainloop-backup.timer"])
def test_systemd_understands_the_units(name: str, tmp_path: Path) -> None:
    for unit in UNITS.glob("chainloop*.*"):
        # The programs that it names are not on this machine.
        text = re.sub(r"=/opt/chainloop/current/\.venv/bin/python", "=/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, [line for line in done.stderr.splitlines() if "chainloop" in line]) == (0, [])


def text_of(package: str) -> str:
    return "".join(path.read_text() for path in sorted((PROJECT / package).rglob("*.py")))


def flatten(text: str) -> str:
    """Return a text without what sources put between its parts: quotes, line ends, prefixes of texts."""
    return re.sub(r"\"\s*\n\s*f?\"|\s+|'", "", text)


HEADING_OF_TROUBLE = next(head.start() for head in HEADING.finditer(PAGE) if head[1] == "11")
