from __future__ import annotations

import itertools

import pytest

from chainloop_ci.cli.output import Output
from chainloop_ci.cli.progress import ConsoleReporter, render_size
from tests.unit.cli.conftest import Screen

DIGEST = "sha256:" + "5" * 64


def make(*, terminal: bool, step: float = 1.0, columns: int = 200) -> ConsoleReporter:
    seconds = itertools.count(100.0, step)
    output = Output(Screen(), Screen(terminal=terminal), {"COLUMNS": str(columns)})
    return ConsoleReporter(output, lambda: next(seconds))


def test_a_log_gets_one_line_with_size_and_rate() -> None:
    reporter = make(terminal=False)

    upload = reporter.upload("control-plane", 4_000_000)
    upload.advance(2_000_000)
    upload.advance(2_000_000)
    upload.done(DIGEST)

    log = reporter._output.stderr.getvalue()
    assert log == "INF uploaded file=control-plane size=4.00MB duration=3.000s rate=1.33MB/s\n"


def test_a_terminal_gets_a_bar_and_a_last_line() -> None:
    reporter = make(terminal=True)

    upload = reporter.upload("control-plane", 4_000_000)
    upload.advance(1_000_000)
    upload.done(DIGEST)

    shown = reporter._output.stderr.getvalue()
    assert "25.00% [####..............] [1.00MB in 1.0s; ~ETA: 3s; 1.00MB/s] ... control-plane" in shown
    assert shown.endswith(f"control-plane@{DIGEST} ... done! [4.00MB in 2.000s; 2.00MB/s]\n")


@pytest.mark.parametrize(("size", "step"), [(8, 1.0), (64 * 1024, 0.01)])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_rate_that_says_nothing_is_left_out(size: int, step: float, terminal: bool) -> None:
    reporter = make(terminal=terminal, step=step)

    reporter.upload("f", size).done(DIGEST)

    shown = reporter._output.stderr.getvalue()
    assert "rate" not in shown
    assert "/s" not in shown


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("name", ["sbom.json", "control-plane-" * 5])
def test_on_a_terminal_no_line_wraps(columns: int, name: str) -> None:
    reporter = make(terminal=True, columns=columns)

    upload = reporter.upload(name, 4_000_000)
    upload.advance(1_000_000)
    upload.done(DIGEST)

    lines = [line for line in reporter._output.stderr.getvalue().split("\r\x1b[2K") if line]
    assert len(lines) == 2
    assert all(len(line.rstrip("\n")) < columns for line in lines)
    assert ("@sha256:555555555555… ... done! [4.00MB" in lines[1]) is (columns == 80)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0B"), (999, "999B"), (1000, "1.00kB"), (36_820_000, "36.82MB"), (16e9, "16.00GB"), (2e12, "2.00TB")],
)
def test_sizes_are_for_people(size, expected) -> None:
    assert render_size(size) == expected
