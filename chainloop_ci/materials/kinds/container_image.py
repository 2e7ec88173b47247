"""CONTAINER_IMAGE: an image in a registry, or in an OCI layout on disk. Source: reference sections 3.3 and 3.4."""

from __future__ import annotations

from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.types import MaterialKind, MaterialSource

CONTAINER_IMAGE = MaterialKind(type=MaterialType.CONTAINER_IMAGE, source=MaterialSource.IMAGE, title="container image")
