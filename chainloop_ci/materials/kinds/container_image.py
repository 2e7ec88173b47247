"""CONTAINER_IMAGE: an image that lives in a registry. Source: reference sections 3.3 and 3.4."""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.types import MaterialKind, MaterialSource

CONTAINER_IMAGE = MaterialKind(type=MaterialType.CONTAINER_IMAGE, source=MaterialSource.IMAGE, title="container image")
