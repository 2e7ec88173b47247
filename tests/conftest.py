"""What every test may ask for, and what no test may do."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.postgresql import PostgresqlServer

PROJECT = Path(__file__).resolve().parent.parent

# A busy machine is no failure, and neither is the first draw of a process, in which Hypothesis reads all our modules.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the checkout's root."""
    return PROJECT


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Return the folder of real documents beside the project; the test is skipped where it is absent."""
    folder = PROJECT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip(f"the corpus of real documents is not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def content_checker() -> Iterator[Any]:
    """Return what looks at documents in child processes; one for all tests of a process, as a server has it."""
    from server.content_check.checker import ContentChecker

    checker = ContentChecker(1024**3)
    yield checker
    checker.close()


@pytest.fixture
def fake_github() -> Iterator[Any]:
    """Return a GitHub on loopback; the test fails when a request or an answer is not as GitHub describes its API."""
    from tests.forges.checked import checked_github

    with checked_github() as forge:
        yield forge


@pytest.fixture
def fake_gitlab() -> Iterator[Any]:
    """Return a GitLab on loopback; the test fails when a request or an answer is not as GitLab describes its API."""
    from tests.forges.checked import checked_gitlab

    with checked_gitlab() as forge:
        yield forge


ENGINES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that touches the store on both engines, unless it is marked with the one that it is about."""
    if "engine_name" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("engine")
        metafunc.parametrize("engine_name", marked.args if marked else ENGINES)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """Run a PostgreSQL server for all tests of this process, with a template that has the tables."""
    from server.store import schema
    from server.store.database import open_engine
    from tests.postgresql import TEMPLATE, find_programs, run_server

    programs = find_programs()
    if programs is None:
        lack("needs PostgreSQL's server, not installed here (.ci/run installs it)")
    with run_server(programs) as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        engine = open_engine(server.url(TEMPLATE))
        schema.upgrade(engine)
        engine.dispose()
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an embedded database that has the tables: copied, it takes a hundredth of making them."""
    from server.store import schema
    from server.store.database import open_engine, sqlite_url

    file = tmp_path_factory.mktemp("template") / "chainloop.db"
    engine = open_engine(sqlite_url(file))
    schema.upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of a fresh database that has the tables; empty: it is the embedded one, without any yet."""
    if engine_name == "sqlite":
        yield ""
        return
    from tests.postgresql import closing_connections

    server = request.getfixturevalue("postgresql")
    name = server.take()
    # Some tests make more servers than the one that their fixture ends.
    with closing_connections():
        yield server.url(name)
    server.give_back(name)


def lack(reason: str) -> NoReturn:
    """Skip what cannot be tested here; where everything is required, fail."""
    if os.environ.get("CHAINLOOP_TEST_REQUIRE") == "all":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of the property tests, unless it was given; parallel workers get the one that was chosen."""
    if getattr(config.option, "hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Send the tests of an `xdist_group` to one worker.

    xdist 3.8 writes the group into a field that pytest 9.2 does not read any more, so that each worker would start a
    group's servers, and two would meet at one port. The group is read from the file instead: a file has one at most.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group_of(nodeid.partition("::")[0]) or nodeid

    return Groups(config, log)


@cache
def _group_of(file: str) -> str:
    found = re.search(r'xdist_group\("([\w-]+)"\)', (PROJECT / file).read_text(encoding="utf-8"))
    return found[1] if found else ""


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to repeat the property tests."""
    return f"property tests: repeat with --hypothesis-seed={config.option.hypothesis_seed}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose real component is missing; where all are required, fail it."""
    for marker in item.iter_markers("real"):
        missing = [name for name in marker.args if shutil.which(name) is None]
        if not missing:
            continue
        lack(f"needs {', '.join(missing)}, not installed here (.ci/run installs it)")


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Close every door but loopback: a test that needs the network is a test that fails on a train."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            try:
                allowed = ipaddress.ip_address(host).is_loopback
            except ValueError:
                allowed = host == "localhost"
            if not allowed:
                raise OSError(f"tests reach loopback only, not {host}")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign]  # the one door that every client goes through
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]  # as it was
