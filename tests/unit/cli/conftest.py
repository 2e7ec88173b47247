"""A whole invocation of the command line without a process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.cli.main import run
from chainloop_ci.cli.wiring import World
from tests.unit.crafting.memory import NOW, MemoryPlane
from tests.unit.stub_server import StubServer, stub_server


class Screen(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, *, terminal: bool = False, typed: str = "") -> None:
        super().__init__(typed)
        self.terminal = terminal
        self.buffer = io.BytesIO()
        """What was written as exact bytes."""

    def isatty(self) -> bool:
        return self.terminal


class TestWorld(World):
    """A world whose control plane is in memory."""

    __test__ = False

    plane: MemoryPlane | None = None

    def control_plane(self, known_url: str = "") -> Any:
        if self.plane is None:
            return super().control_plane(known_url)
        return self.plane


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    status: int
    out: str
    err: str
    raw: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def chainloop(tmp_path: Path) -> Callable[..., Result]:
    """Return what runs one command in an empty folder."""

    def invoke(
        *arguments: str,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
        plane: MemoryPlane | None = None,
        typed: str | None = None,
    ) -> Result:
        """`typed` is what a person answers at a terminal; None: there is nobody."""
        terminal = terminal or typed is not None
        out, err = Screen(terminal=terminal), Screen(terminal=terminal)
        world = TestWorld(
            env={"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config"), **(env or {})},
            cwd=tmp_path,
            stdin=Screen(terminal=typed is not None, typed=typed or ""),
            stdout=out,
            stderr=err,
            now=lambda: NOW,
        )
        if plane is not None:
            plane.http = type("Http", (), {"base_url": "https://cp.test"})
            world.plane = plane
        return Result(run(arguments, world), out.getvalue(), err.getvalue())

    return invoke


@pytest.fixture
def plane() -> MemoryPlane:
    """Return a control plane that knows one workflow."""
    return MemoryPlane()


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """Run a control plane that answers what the test tells it to."""
    with stub_server() as running:
        yield running


@pytest.fixture
def operate(tmp_path: Path, stub: StubServer) -> Callable[..., Result]:
    """Return what runs one command of an operator in an empty folder against the stub."""

    def invoke(*arguments: str | Path, typed: str | None = None, env: Mapping[str, str] | None = None) -> Result:
        """`typed` is what a person answers at a terminal; None: there is nobody."""
        out, err = Screen(terminal=typed is not None), Screen(terminal=typed is not None)
        world = World(
            env={
                "XDG_CONFIG_HOME": str(tmp_path / "config"),
                "CHAINLOOP_CONTROL_PLANE_API": stub.url,
                "CHAINLOOP_TOKEN": "clp_the-token",
                **(env or {}),
            },
            cwd=tmp_path,
            stdin=Screen(terminal=typed is not None, typed=typed or ""),
            stdout=out,
            stderr=err,
            now=lambda: NOW,
        )
        status = run([str(argument) for argument in arguments], world)
        return Result(status, out.getvalue(), err.getvalue(), out.buffer.getvalue())

    return invoke
