"""R11: no document can take the server down. Real children, documents that are made to hurt."""

from __future__ import annotations

import gzip
import io
import os
import resource
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.errors import MaterialRejectedError
from chainloop_ci.materials.registry import MATERIALS, get_kind
from chainloop_ci.materials.types import Checked
from server.content_check.checker import ContentChecker
from server.content_check.limits import MAX_DOCUMENTS, MIB, ChildLimits
from server.content_check.wire import Job, Stopped, StopReason, Task
from server.errors import CheckerBusyError
from tests.waiting import wait_for

SBOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}'
CYCLONEDX = Job(MaterialType.SBOM_CYCLONEDX_JSON, Task.CHECK)
JUNIT = Job(MaterialType.JUNIT_XML, Task.CHECK)
EVIDENCE = Job(MaterialType.EVIDENCE, Task.DESCRIBE)

Look = Callable[..., Checked | Stopped]


def blocks(raw: bytes) -> Iterator[bytes]:
    return (raw[start : start + MIB] for start in range(0, len(raw), MIB))


@pytest.fixture
def look(content_checker: ContentChecker) -> Look:
    """Return a function that looks at one document in a session of its own."""

    def run(raw: bytes, job: Job = CYCLONEDX, **limits: float) -> Checked | Stopped:
        with content_checker.session("acme", len(raw), **limits) as session:  # type: ignore[arg-type]  # tests of limits
            return session.check(job, lambda: blocks(raw))

    return run


@pytest.fixture
def own_checker() -> Iterator[ContentChecker]:
    checker = ContentChecker(1024 * MIB)
    yield checker
    checker.close()


def children_of(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def descendants_of(pid: int) -> list[int]:
    direct = children_of(pid)
    return direct + [deeper for child in direct for deeper in descendants_of(child)]


def is_gone(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# --- documents that are made to hurt ---------------------------------------------------------------------------------


def entities() -> bytes:
    names = [b'<!ENTITY a0 "lol">']
    names += [b'<!ENTITY a%d "%s">' % (at, b"&a%d;" % (at - 1) * 10) for at in range(1, 10)]
    return b"<!DOCTYPE x [" + b"".join(names) + b"]><testsuite>&a9;</testsuite>"


def zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * (200 * MIB))
    return out.getvalue()


def tar_with_a_strange_name() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a\udcff.xml")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"<a>"))
    return gzip.compress(out.getvalue())


REFUSED = {
    "brackets": (CYCLONEDX, lambda: b"[" * (16 * MIB)),
    "objects": (CYCLONEDX, lambda: b'{"a":' * (3 * MIB)),
    "a huge integer": (CYCLONEDX, lambda: b'{"version": ' + b"9" * (8 * MIB) + b"}"),
    "entities": (JUNIT, entities),
    "a zip bomb": (JUNIT, zip_bomb),
    "an unknown encoding": (JUNIT, lambda: b'<?xml version="1.0" encoding="klingon"?><testsuite/>'),
    "a wide encoding": (JUNIT, lambda: b'<?xml version="1.0" encoding="shift_jis"?><testsuite/>'),
    "a name that is no text": (JUNIT, tar_with_a_strange_name),
    "nothing": (CYCLONEDX, lambda: b""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_r11_hostile_documents_are_refused_by_name(look: Look, name: str) -> None:
    job, make = REFUSED[name]

    with pytest.raises(MaterialRejectedError):
        look(make(), job)


def test_r11_a_document_that_makes_its_check_allocate_comes_to_no_verdict(look: Look) -> None:
    crowded = b'{"bomFormat": "CycloneDX", "components": [' + b"[]," * (5 * MIB) + b"[]]}"

    result = look(crowded)

    assert isinstance(result, Stopped)
    assert result.reason is StopReason.MEMORY


def test_r11_a_document_that_takes_processor_time_is_stopped(look: Look) -> None:
    slow = b"<testsuite>" + b"<a/>" * 990_000 + b"</testsuite>"
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime

    result = look(slow, JUNIT, limits=ChildLimits(1024 * MIB, cpu_seconds=0), wall_seconds=60)

    if isinstance(result, Stopped):
        assert result.reason is StopReason.TIME
    # Whatever the speed of this machine: the work was not done here.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - seconds < 5


def test_r11_a_check_that_gets_no_time_blames_the_machine_and_not_the_document(look: Look) -> None:
    with pytest.raises(CheckerBusyError):
        look(b"<testsuite>" + b"<a/>" * 990_000 + b"</testsuite>", JUNIT, wall_seconds=0.05)


def test_r11_after_every_hostile_document_an_honest_one_is_checked(look: Look) -> None:
    look(b'{"a": [' + b"[]," * (5 * MIB) + b"[]]}")

    assert look(SBOM) == Checked()


def test_the_verdicts_of_children_are_those_of_this_process(look: Look, corpus: Path) -> None:
    kinds = [kind for kind in MATERIALS if kind.check]
    for path in sorted(item for item in corpus.rglob("*") if item.is_file() and item.stat().st_size < 1 * MIB):
        raw = path.read_bytes()
        for kind, strict in product(kinds, (True, False)):
            in_child = verdict(look, raw, Job(kind.type, Task.CHECK, strict))

            assert in_child == verdict(kind.check, raw, strict), (path, kind.type, strict)


def verdict(check: Any, *given: object) -> object:
    """Return what a check says in a form that can be compared."""
    try:
        checked = check(*given)
    except MaterialRejectedError as error:
        return error.message, error.hint, tuple(error.findings)
    return (dict(checked.annotations), checked.warnings) if isinstance(checked, Checked) else checked


def test_what_a_small_file_says_of_itself_is_found_in_a_child(look: Look) -> None:
    raw = b'{"id": "e-1", "data": {}}'

    described = look(raw, EVIDENCE)

    assert isinstance(described, Checked)
    assert dict(described.annotations) == dict(get_kind(MaterialType.EVIDENCE).describe_small(raw))  # type: ignore[misc]


# --- children that die ------------------------------------------------------------------------------------------------


def killing(raw: bytes, whom: Callable[[], list[int]], times: int) -> Callable[[], Iterator[bytes]]:
    """Return a document that kills processes while it is read, the first few times."""
    left = [times]

    def read() -> Iterator[bytes]:
        yield raw[:5]
        if left[0]:
            left[0] -= 1
            for pid in whom():
                os.kill(pid, signal.SIGKILL)
        yield raw[5:]

    return read


@pytest.fixture
def at_work() -> Callable[[], list[int]]:
    """Return a function that waits for the child that was made since, and returns its number."""
    others = set(children_of(os.getpid()))

    def find() -> list[int]:
        found: list[int] = []
        end = time.monotonic() + 60
        while not found:
            assert time.monotonic() < end, "no child was made"
            found = [deeper for child in set(children_of(os.getpid())) - others for deeper in children_of(child)]
        return found

    return find


def test_r11_a_check_that_somebody_killed_is_done_again(
    at_work: Callable[[], list[int]], own_checker: ContentChecker
) -> None:
    with own_checker.session("acme", 1) as session:
        assert session.check(CYCLONEDX, killing(SBOM, at_work, 1)) == Checked()


def test_r11_a_check_that_is_killed_every_time_comes_to_no_verdict(
    at_work: Callable[[], list[int]], own_checker: ContentChecker
) -> None:
    with own_checker.session("acme", 1) as session:
        result = session.check(CYCLONEDX, killing(SBOM, at_work, 9))

    assert result == Stopped(StopReason.CRASHED, "signal 9")


def test_what_makes_children_is_started_again_when_it_was_killed(own_checker: ContentChecker) -> None:
    others = set(children_of(os.getpid()))
    with own_checker.session("acme", 1) as session:
        session.check(CYCLONEDX, lambda: blocks(SBOM))
    [maker] = set(children_of(os.getpid())) - others
    os.kill(maker, signal.SIGKILL)
    wait_for(lambda: is_gone(maker))

    with own_checker.session("acme", 1) as session:
        assert session.check(CYCLONEDX, lambda: blocks(SBOM)) == Checked()


def test_a_document_that_breaks_off_is_an_error_of_its_own(own_checker: ContentChecker) -> None:
    def read() -> Iterator[bytes]:
        yield SBOM[:5]
        raise RuntimeError("the store is broken")

    with own_checker.session("acme", 1) as session, pytest.raises(RuntimeError, match="the store is broken"):
        session.check(CYCLONEDX, read)

    with own_checker.session("acme", 1) as session:
        assert session.check(CYCLONEDX, lambda: blocks(SBOM)) == Checked()


UNDER_LIMITS = """
import resource
from chainloop_ci.contract.types import MaterialType
from server.content_check.checker import ContentChecker
from server.content_check.wire import Job, Task
resource.setrlimit(resource.RLIMIT_AS, (400 * 1024**2, 400 * 1024**2))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
checker = ContentChecker(1024**3)
with checker.session("acme", 60 * 1024**2) as session:
    print(session.check(Job(MaterialType.JUNIT_XML, Task.CHECK), lambda: [b"<testsuite/>"]).annotations)
checker.close()
"""


def test_limits_of_the_whole_server_are_kept_and_are_no_fault_of_a_document(project: Path) -> None:
    done = subprocess.run([sys.executable, "-c", UNDER_LIMITS], capture_output=True, text=True, cwd=project, timeout=60)

    assert (done.stdout, done.stderr) == ("{}\n", "")


def test_r7_organizations_never_share_a_child(own_checker: ContentChecker) -> None:
    seen = {}
    for owner in ("acme", "rival", "acme"):
        with own_checker.session(owner, 1) as session:
            session.check(CYCLONEDX, lambda: blocks(SBOM))
            seen.setdefault(owner, []).append(session.child)

    assert seen["acme"][0] is seen["acme"][1]
    assert seen["rival"][0] is not seen["acme"][0]


def test_r11_a_child_that_has_seen_many_documents_is_not_kept(own_checker: ContentChecker) -> None:
    seen = []
    for documents in (1, MAX_DOCUMENTS - 1, 1):
        with own_checker.session("acme", 1) as session:
            for _ in range(documents):
                session.check(CYCLONEDX, lambda: blocks(SBOM))
            seen.append(session.child)

    assert seen[0] is seen[1]
    assert seen[2] is not seen[1]


def test_many_at_once_all_get_their_answer(own_checker: ContentChecker) -> None:
    def one(number: int) -> object:
        with own_checker.session(f"organization-{number % 5}", 1) as session:
            return session.check(CYCLONEDX, lambda: blocks(SBOM))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(100))) == [Checked()] * 100


def test_closing_leaves_no_process() -> None:
    before = set(descendants_of(os.getpid()))
    checker = ContentChecker(1024 * MIB)
    with checker.session("acme", 1) as session:
        session.check(CYCLONEDX, lambda: blocks(SBOM))
    started = set(descendants_of(os.getpid())) - before

    checker.close()

    assert len(started) == 2
    assert all(is_gone(pid) for pid in started)


WORKER = """
import sys
from chainloop_ci.contract.types import MaterialType
from server.content_check.checker import ContentChecker
from server.content_check.wire import Job, Task
checker = ContentChecker(1024**3)
with checker.session("acme", 1) as session:
    def read():
        yield b"{"
        print("reading", flush=True)
        sys.stdin.read()
    session.check(Job(MaterialType.SBOM_CYCLONEDX_JSON, Task.CHECK), read)
"""


def test_when_a_worker_is_killed_its_children_end() -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdin
    assert worker.stdout
    with worker.stdin, worker.stdout:
        assert worker.stdout.readline() == b"reading\n"
        wait_for(lambda: len(descendants_of(worker.pid)) == 2)
        family = descendants_of(worker.pid)

        worker.kill()
        worker.wait()

    wait_for(lambda: all(is_gone(pid) for pid in family))
