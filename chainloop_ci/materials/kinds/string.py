"""STRING: a value of its own. Source: reference section 3.3."""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.types import MaterialKind, MaterialSource

STRING = MaterialKind(type=MaterialType.STRING, source=MaterialSource.LITERAL, title="text value")
