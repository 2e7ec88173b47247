"""The inputs proxy, no-proxy and ca-bundle mean one thing: to the command, and to what installs it in each plugin."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from requests.utils import should_bypass_proxies

from chainloop_ci.cli.plugin_inputs import INSTALL, JENKINS_CREDENTIALS, Plugin, camel
from chainloop_ci.errors import ConfigInvalidError
from chainloop_ci.network import MAX_CA_BYTES, proxy_for, trust
from tests.conftest import PROJECT
from tests.family.gitlab_render import functions
from tests.integration.tls_proxy import Authority

URL = "https://index.example:8443/simple"
OF_ACTIONS = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from log import InstallError
from network import network_variables
try:
    print(json.dumps(network_variables(os.environ)))
except InstallError as error:
    sys.exit(str(error))
"""
OF_JENKINS = """
import json, pathlib, runpy, sys
print(json.dumps(runpy.run_path(sys.argv[1])["git_network"](pathlib.Path(sys.argv[2]))))
"""
OF_GITLAB = """
chainloop_python=$1 chainloop_home=$2
chainloop_network && exec "$1" -I -X utf8 -c 'import json, os; print(json.dumps(dict(os.environ)))'
"""
TRUSTING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")
PLUGINS = tuple(Plugin)


@dataclass(frozen=True)
class Reading:
    """What an installer made of its inputs."""

    variables: Mapping[str, str] | None
    """For pip, uv and git; None when it refused."""
    said: str


def read(plugin: Plugin, folder: Path, env: Mapping[str, str]) -> Reading:
    """Read the inputs as the plugin's installer does, in a process of its own."""
    python = [sys.executable, "-I", "-X", "utf8"]
    commands = {
        Plugin.GITHUB: [*python, "-c", OF_ACTIONS, PROJECT / "actions" / "_shared"],
        Plugin.JENKINS: [*python, "-c", OF_JENKINS, PROJECT / "jenkins/resources/chainloop/install.py", folder],
        Plugin.GITLAB: ["sh", "-ec", functions() + OF_GITLAB, "sh", sys.executable, folder],
    }
    done = subprocess.run(
        list(map(str, commands[plugin])),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(folder), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    variables = json.loads(done.stdout) if done.returncode == 0 else None
    return Reading(variables, done.stderr)


# --- proxy ------------------------------------------------------------------------------------------------------------

PROXIES = {
    "http://p:1": "http://p:1",
    "https://p:1": "https://p:1",
    "p:1": "http://p:1",
    "p": "http://p",
    "user:s3cret@p:1": "http://user:s3cret@p:1",
    "http://user:p%40ss@p:1": "http://user:p%40ss@p:1",
    " http://p:1\t": "http://p:1",
    "http://[::1]:3128": "http://[::1]:3128",
    " ": "",
    "socks5://user:s3cret@p:1": None,
    "ftp://p:1": None,
    "http://": None,
    "http://user:s3cret/x@p:1": None,
    "http://user:s3cret@p:port": None,
    "http://user:s3cret@[p:1": None,
    "user:s3cret@p:0": None,
    "http://user:s3cret@p:1\nhttp://q:2": None,
    "http://user:s3cret@p p:1": None,
}
"""What is given, and the proxy that it means: empty for none, None for what is refused."""


@pytest.mark.parametrize("value", PROXIES)
def test_a_proxy_to_the_command(value: str) -> None:
    try:
        found = proxy_for(URL, {"CHAINLOOP_PROXY": value}) or ""
    except ConfigInvalidError:
        assert PROXIES[value] is None
    else:
        assert found == PROXIES[value]


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("value", PROXIES)
def test_a_proxy_to_an_installer(plugin: Plugin, value: str, tmp_path: Path) -> None:
    reading = read(plugin, tmp_path, {"CHAINLOOP_PROXY": value})

    if PROXIES[value] is None:
        assert reading.variables is None
        assert "expected an address like http://" in reading.said
        assert "s3cret" not in reading.said
    else:
        assert reading.variables is not None, reading.said
        for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
            assert reading.variables.get(name, "") == PROXIES[value]


# --- no-proxy ---------------------------------------------------------------------------------------------------------

DIRECT = [
    (URL, "*", True),
    (URL, "other.example, *", True),
    (URL, "index.example", True),
    (URL, "INDEX.example", True),
    (URL, ".example", True),
    (URL, "example", True),
    (URL, "*.example", True),
    (URL, "other, index.example", True),
    (URL, "index.example:8443", True),
    (URL, "index.example:443", False),
    (URL, "other.example", False),
    (URL, "10.0.0.0/8", False),
    (URL, " , ", False),
    ("https://10.1.2.3/simple", "10.0.0.0/8", True),
    ("https://10.1.2.3/simple", "10.1.2.3", True),
    ("https://11.1.2.3/simple", "10.0.0.0/8", False),
    ("http://127.0.0.1:8080/simple", "other.example", True),
    ("http://localhost:8080/simple", "other.example", True),
]
"""Where to, what is given, and whether no proxy is asked."""


@pytest.mark.parametrize(("url", "listed", "direct"), DIRECT)
def test_hosts_without_a_proxy_to_the_command(url: str, listed: str, direct: bool) -> None:
    proxy = proxy_for(url, {"CHAINLOOP_PROXY": "http://p:1", "CHAINLOOP_NO_PROXY": listed})

    assert (proxy is None) is direct


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("name", ["CHAINLOOP_NO_PROXY", "NO_PROXY"])
def test_hosts_without_a_proxy_to_an_installer(plugin: Plugin, name: str, tmp_path: Path) -> None:
    for url, listed, direct in DIRECT:
        reading = read(plugin, tmp_path, {"CHAINLOOP_PROXY": "http://p:1", name: listed})

        assert reading.variables is not None, reading.said
        # pip asks the same library.
        assert should_bypass_proxies(url, no_proxy=reading.variables["no_proxy"]) is direct, (url, listed)
        assert reading.variables["NO_PROXY"] == reading.variables["no_proxy"]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_t03_a_list_of_hosts_cannot_become_another_variable(plugin: Plugin, tmp_path: Path) -> None:
    reading = read(plugin, tmp_path, {"CHAINLOOP_NO_PROXY": "a.example\nPIP_INDEX_URL=http://evil.example,b.example"})

    assert reading.variables is not None, reading.said
    assert "PIP_INDEX_URL" not in reading.variables
    assert reading.variables["no_proxy"] == "b.example,localhost,127.0.0.1,::1"


# --- ca-bundle --------------------------------------------------------------------------------------------------------

NETWORK, MACHINE = Authority("Network CA"), Authority("Machine CA")
BUNDLES = {
    "a file": ("network.pem", True),
    "a file with blanks around": (" network.pem\n", True),
    "a file with remarks": ("remarks.pem", True),
    "a text": (NETWORK.pem, True),
    "a text in one line": (NETWORK.pem.replace("\n", "\\n"), True),
    "a text of Windows": (NETWORK.pem.replace("\n", "\r\n"), True),
    "a text with remarks": (f"für uns\n{NETWORK.pem}", True),
    "a missing file": ("nowhere.pem", False),
    "a folder": (".", False),
    "another file": ("empty.pem", False),
    "a file that is too large": ("large.pem", False),
    "another text": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", False),
    "a broken text": (NETWORK.pem[:200] + "\n-----END CERTIFICATE-----\n", False),
    "the job's environment": ("/proc/self/environ", False),
}
"""What is given, and whether it is taken."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return the job's folder, with the files that are given."""
    (tmp_path / "network.pem").write_text(NETWORK.pem)
    (tmp_path / "machine.pem").write_text(MACHINE.pem)
    (tmp_path / "remarks.pem").write_text(f"für uns\n{NETWORK.pem}", encoding="utf-8")
    (tmp_path / "empty.pem").write_text("nothing")
    (tmp_path / "large.pem").write_text(NETWORK.pem.ljust(MAX_CA_BYTES + 1))
    return tmp_path


def certificates(text: str) -> set[bytes]:
    """Return the certificates of a PEM text."""
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.DOTALL)
    return set(map(ssl.PEM_cert_to_DER_cert, blocks))


BOTH = certificates(NETWORK.pem + MACHINE.pem)


@pytest.mark.parametrize("case", BUNDLES)
def test_a_bundle_to_the_command(case: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value, taken = BUNDLES[case]
    monkeypatch.chdir(files)
    env = {"CHAINLOOP_CA_BUNDLE": value, "SSL_CERT_FILE": "machine.pem"}

    if taken:
        assert set(trust(env).get_ca_certs(binary_form=True)) == BOTH
    else:
        with pytest.raises(ConfigInvalidError):
            trust(env)


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("case", BUNDLES)
def test_a_bundle_to_an_installer(plugin: Plugin, case: str, files: Path) -> None:
    value, taken = BUNDLES[case]

    reading = read(plugin, files, {"CHAINLOOP_CA_BUNDLE": value, "SSL_CERT_FILE": "machine.pem"})

    if taken:
        assert reading.variables is not None, reading.said
        for name in TRUSTING:
            place = Path(reading.variables[name])
            assert place.is_absolute()
            assert certificates(place.read_text()) == BOTH, name
    else:
        assert reading.variables is None
        assert f"{CALLED[plugin]('ca-bundle')}: " in reading.said


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_key_that_stands_in_the_bundle_is_not_copied(plugin: Plugin, files: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    (files / "network.pem").write_text(key + NETWORK.pem + key)

    reading = read(plugin, files, {"CHAINLOOP_CA_BUNDLE": "network.pem", "SSL_CERT_FILE": "machine.pem"})

    assert reading.variables is not None, reading.said
    text = Path(reading.variables["PIP_CERT"]).read_text()
    assert (certificates(text), "KEY" in text) == (BOTH, False)


@pytest.mark.parametrize("plugin", PLUGINS)
def test_authorities_that_the_machine_has_in_a_folder_stay_trusted(plugin: Plugin, files: Path) -> None:
    folder = files / "certs"
    folder.mkdir()
    (folder / "4f06f81d.0").write_text(MACHINE.pem)
    (folder / "0a1b2c3d.0").symlink_to(files / "nowhere")
    machine = {"SSL_CERT_DIR": str(folder), "SSL_CERT_FILE": ""}

    reading = read(plugin, files, {"CHAINLOOP_CA_BUNDLE": "network.pem", **machine})

    assert reading.variables is not None, reading.said
    assert certificates(Path(reading.variables["PIP_CERT"]).read_text()) >= BOTH


@pytest.mark.parametrize("plugin", PLUGINS)
def test_without_inputs_the_job_s_own_variables_stay(plugin: Plugin, tmp_path: Path) -> None:
    own = {"HTTPS_PROXY": "socks5://p:1", "NO_PROXY": "*.example", "SSL_CERT_FILE": "x", "PIP_CERT": "y"}
    empty = {"CHAINLOOP_PROXY": "", "CHAINLOOP_NO_PROXY": " ", "CHAINLOOP_CA_BUNDLE": ""}

    reading = read(plugin, tmp_path, {**own, **empty})

    assert reading.variables is not None, reading.said
    assert {name: value for name, value in reading.variables.items() if name in own and value != own[name]} == {}
    assert "https_proxy" not in reading.variables


# --- what the user is told --------------------------------------------------------------------------------------------

SECRET = {row.name for row in INSTALL if row.secret}
CALLED = {
    Plugin.GITHUB: lambda name: f"input {name}",
    Plugin.GITLAB: lambda name: f"variable {BY_NAME[name].env}" if name in SECRET else f"input {name}",
    Plugin.JENKINS: lambda name: f"argument {JENKINS_CREDENTIALS[name][0] if name in SECRET else camel(name)}",
}
"""What an input is called where the user of a plugin writes it."""
BY_NAME = {row.name: row for row in INSTALL}


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize(
    ("name", "value"), [("proxy", "ftp://p"), ("ca-bundle", "nowhere.pem"), ("ca-bundle", "-----BEGIN x-----")]
)
def test_a_message_calls_an_input_as_its_user_does(plugin: Plugin, name: str, value: str, tmp_path: Path) -> None:
    said = read(plugin, tmp_path, {BY_NAME[name].env: value}).said

    assert f"{CALLED[plugin](name)}: " in said
    for other in set(PLUGINS) - {plugin}:
        if CALLED[other](name) != CALLED[plugin](name):
            assert CALLED[other](name) not in said


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("wheels", "nowhere", ["wheels"]),
        ("package-index", "ftp://x", ["package-index"]),
        ("proxy", "ftp://p", ["proxy"]),
        (
            "package-index",
            "http://127.0.0.1:9/simple",
            ["package-index", "proxy", "no-proxy", "ca-bundle", "wheels"],
        ),
    ],
)
def test_what_installs_on_jenkins_names_arguments(name: str, value: str, told: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-X", "utf8", PROJECT / "jenkins" / "provide.py"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_RETRIES": "0", BY_NAME[name].env: value},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("chainloopInstall: ")
    assert [CALLED[Plugin.JENKINS](entry) in last for entry in told] == [True] * len(told), last
    assert "input " not in last
