"""How much a check of stored documents may take, and what one is allowed for its size (R11; threats T24-T31)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MIB = 1024 * 1024

MEMORY_PER_BYTE = 12
"""Address space for each byte of a document: real SBOMs and reports need five to six, so half of it is spare."""
MIN_MEMORY_BYTES = 64 * MIB
"""What the smallest document gets."""
CPU_SECONDS = 8
"""Processor time for one document; 64 MiB of a real SBOM take one second."""
LIFE_CPU_SECONDS = 600
"""Processor time of one child, whatever it does."""
WALL_SECONDS = 10.0
"""Time by the clock for all documents of one attestation: a client waits 18 seconds for an answer."""
WAIT_SECONDS = 6.0
"""How long a check waits until others have given memory back."""
START_SECONDS = 20.0
"""The process that makes the children has to be ready so soon."""
GRACE_SECONDS = 3.0
"""An end that was ordered has to be told within this time."""

MAX_IDLE = 4
"""Children of one worker that wait for the next attestation of their organization."""
MAX_KEPT_DOCUMENT_BYTES = 1 * MIB
"""A child that has seen a larger document is not kept."""
MAX_DOCUMENTS = 200
"""A child that has seen so many is not kept."""

MAX_ANSWER_BYTES = 2 * MIB
"""Longest answer of a child; a document that says more of itself is refused."""


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What one child may take."""

    memory_bytes: int
    """Address space beyond what the child begins with."""
    cpu_seconds: int = CPU_SECONDS
    """For each document."""

    def to_bytes(self) -> bytes:
        """Return the form in which the process that makes children gets it."""
        return _LIMITS.pack(self.memory_bytes, self.cpu_seconds)

    @classmethod
    def from_bytes(cls, raw: bytes) -> ChildLimits:
        """Read `to_bytes`."""
        return cls(*_LIMITS.unpack(raw))


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended, told by the process that made it."""

    signal: int
    """0: it ended by itself."""
    cpu_seconds: float
    was_made: bool = True
    """False: the system gave no process."""

    def to_bytes(self) -> bytes:
        """Return the form in which it is told."""
        return _END.pack(self.signal, self.cpu_seconds, self.was_made)

    @classmethod
    def from_bytes(cls, raw: bytes) -> ChildEnd:
        """Read `to_bytes`."""
        return cls(*_END.unpack(raw))


_LIMITS = struct.Struct("!QI")
_END = struct.Struct("!id?")
LIMITS_BYTES = _LIMITS.size
END_BYTES = _END.size


def memory_for(size_bytes: int) -> int:
    """Return the address space that a check of a document of that size is given."""
    return max(MIN_MEMORY_BYTES, MEMORY_PER_BYTE * size_bytes)


def largest_document(memory_bytes: int) -> int:
    """Return the size up to which documents are checked when checks may take `memory_bytes` together."""
    return memory_bytes // MEMORY_PER_BYTE
