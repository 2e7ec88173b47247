from __future__ import annotations

import re
import subprocess
import sys

import pytest

from chainloop_ci.deferred import deferred_pattern

HEAD = """
import sys
from chainloop_ci.deferred import postpone
def is_loaded(name): return hasattr(sys.modules[name], "__file__")
"""


def in_new_process(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", HEAD + script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_deferred_pattern_does_what_a_compiled_one_does() -> None:
    pattern, compiled = deferred_pattern("(?P<a>x+)Y", re.IGNORECASE), re.compile("(?P<a>x+)Y", re.IGNORECASE)

    assert pattern.pattern == compiled.pattern
    assert pattern.flags == compiled.flags
    assert pattern.sub("-", "xxy xy z") == compiled.sub("-", "xxy xy z") == "- - z"
    assert (match := pattern.fullmatch("XXy")) and match["a"] == "XX"


def test_a_deferred_pattern_is_compiled_when_it_is_used() -> None:
    broken = deferred_pattern("(")

    with pytest.raises(re.error):
        broken.match("")


def test_a_deferred_pattern_is_asked_once_for_what_it_can_do() -> None:
    pattern = deferred_pattern("x")

    assert pattern.match is pattern.match


def test_a_postponed_module_is_not_loaded_by_importing_it_once_or_twice() -> None:
    assert (
        in_new_process("postpone('calendar'); import calendar; import calendar; print(is_loaded('calendar'))")
        == "False"
    )


def test_a_postponed_module_is_loaded_by_using_it() -> None:
    script = "postpone('calendar'); import calendar; print(calendar.isleap(2024), is_loaded('calendar'))"

    assert in_new_process(script) == "True True"


def test_a_postponed_module_is_asked_once_for_what_is_in_it() -> None:
    script = "postpone('calendar'); import calendar; calendar.isleap; print('isleap' in vars(calendar))"

    assert in_new_process(script) == "True"


def test_a_postponed_module_is_loaded_by_a_private_name_too() -> None:
    assert in_new_process("postpone('calendar'); import calendar; print(calendar._nextmonth(2024, 1))") == "(2024, 2)"


def test_who_imported_a_postponed_module_before_and_after_it_was_loaded_sees_the_same_objects() -> None:
    script = (
        "postpone('calendar'); import calendar as early; from calendar import Calendar\n"
        "import calendar as late; print(early is late, early.Calendar is Calendar is late.Calendar)"
    )

    assert in_new_process(script) == "False True"


def test_what_a_postponed_module_does_not_have_is_an_error_as_usual() -> None:
    script = (
        "postpone('calendar'); import calendar\ntry: calendar.nothing\nexcept AttributeError as error: print(error)"
    )

    assert in_new_process(script) == "module 'calendar' has no attribute 'nothing'"


def test_a_module_that_is_there_already_stays_as_it_is() -> None:
    assert in_new_process("import calendar; postpone('calendar'); print(is_loaded('calendar'))") == "True"


def test_parallel_threads_load_a_postponed_module_together() -> None:
    script = (
        "postpone('calendar'); import calendar, threading\n"
        "gate, found = threading.Barrier(8), []\n"
        "def use(): gate.wait(); found.append(calendar.isleap(2024))\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]; print(found == [True] * 8)"
    )

    assert in_new_process(script) == "True"
