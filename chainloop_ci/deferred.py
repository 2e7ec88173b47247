"""What is made when it is first used: patterns of ours, and modules that libraries import for rare cases.

A command lives for a twentieth of a second, and most of it is spent on making ready what it never uses; decision
record 13 says what was measured.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any, cast


def deferred_pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern that is compiled when it is first asked for something."""
    return cast("re.Pattern[str]", _DeferredPattern(text, flags))


def postpone(*names: str) -> None:
    """Let `import name` succeed at once for modules of the standard library, and load each when it is first used.

    `importlib.util.LazyLoader` does not serve here: the second `import` of a module that it postponed loads it.
    Only for a process of ours, before anything else is imported; a module that is there already stays as it is.
    """
    for name in names:
        if name not in sys.modules:
            sys.modules[name] = _PostponedModule(name)


class _DeferredPattern:
    """Stands for a compiled pattern; what it was asked for stays, so that nobody asks twice."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found


class _PostponedModule(ModuleType):
    """Stands for a module until somebody asks for what is in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # The import system looks for these on every `import`; they do not mean that the module is wanted.
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        loaded = import_module(self.__name__)
        self.__dict__.update(loaded.__dict__)
        return getattr(loaded, name)
