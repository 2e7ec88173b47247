"""The limits of a contract and of the names in it, which hold wherever they travel: files, wire, statement."""

from __future__ import annotations

MAX_CONTRACT_BYTES = 1024 * 1024
"""A contract's document."""
MAX_MATERIALS = 1000
"""Materials of one contract, and of one attestation."""
MAX_MATERIAL_NAME = 253
"""In characters. The reference limits only the alphabet (section 2.2): room for the long names of contracts that exist,
and the same at lint, at `add` and at the store."""
MAX_TEXT = 4096
"""A description or the value of an annotation, in characters."""

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""Every name that a user gives to a thing (reference section 2.2)."""
NAME_RULE = "must contain only lowercase letters, numbers, and hyphens, and begin and end with a letter or number"
"""The same for people, after the name."""
