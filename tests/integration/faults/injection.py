"""Refusals of the disk on command: the n-th call of one kind fails in this process (libfiu; run under `fiu-run -x`)."""

from __future__ import annotations

import ctypes
from types import TracebackType

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_int),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_uint),
)


class Fault:
    """Within the block the `number`-th call of `point`, or with 0 every one, fails with the error `code`."""

    def __init__(self, point: str, number: int, code: int) -> None:
        self._point = point.encode()
        self._number = number
        self._code = code
        self._library = ctypes.CDLL("libfiu.so.0")
        self._callback = _CALLBACK(self._decide)
        self.calls = 0

    @property
    def was_met(self) -> bool:
        """Tell whether a call failed."""
        return self.calls >= max(1, self._number)

    def __enter__(self) -> Fault:
        failed = self._library.fiu_enable_external(self._point, 1, ctypes.c_void_p(self._code), 0, self._callback)
        if failed:
            raise RuntimeError(f"libfiu does not take the point {self._point.decode()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.fiu_disable(self._point)

    def _decide(self, *_: object) -> int:
        self.calls += 1
        return int(self._number in (0, self.calls))
