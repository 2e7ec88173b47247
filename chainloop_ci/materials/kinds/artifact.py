"""ARTIFACT: any file. Source: reference section 3.3."""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.types import MaterialKind, MaterialSource

ARTIFACT = MaterialKind(type=MaterialType.ARTIFACT, source=MaterialSource.FILE, title="artifact")
