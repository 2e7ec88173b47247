"""Check a generated CycloneDX SBOM of 10 MB, against `json.loads` of the same bytes."""

from __future__ import annotations

import json

from bench.harness import Row, Settings, measure, milliseconds, row
from chainloop_ci.contract.types import MaterialType
from chainloop_ci.materials.registry import get_kind

GOAL = 2.5
SIZE_BYTES = 10_000_000


def make_sbom(size_bytes: int) -> bytes:
    """Return a valid CycloneDX 1.6 SBOM of at least `size_bytes`, shaped like what scanners of containers write."""
    per_component = len(json.dumps([_component(0), _dependency(0)]))
    count = size_bytes // per_component + 1
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "version": 1,
        "metadata": {
            "timestamp": "2026-01-01T00:00:00Z",
            "tools": {"components": [{"type": "application", "name": "generator", "version": "1.0"}]},
            "component": {"type": "container", "name": "registry.example/app", "version": "1"},
        },
        "components": [_component(number) for number in range(count)],
        "dependencies": [_dependency(number) for number in range(count)],
    }
    return json.dumps(document).encode()


def _component(number: int) -> dict[str, object]:
    name, digest = f"package-{number:06}", f"{number:064x}"
    purl = f"pkg:deb/debian/{name}@1.{number % 97}?arch=amd64"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": f"1.{number % 97}",
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "externalReferences": [{"type": "website", "url": f"https://packages.example/{name}"}],
        "properties": [{"name": "scanner:location", "value": f"/usr/lib/{name}"}],
    }


def _dependency(number: int) -> dict[str, object]:
    return {"ref": f"package-{number:06}", "dependsOn": []}


def run(settings: Settings) -> list[Row]:
    """Return the row."""
    raw = make_sbom(SIZE_BYTES)
    check = get_kind(MaterialType.SBOM_CYCLONEDX_JSON).check
    assert check is not None
    ours, bare = milliseconds(lambda: check(raw, True)), milliseconds(lambda: json.loads(raw))
    return [
        row("sbom-check", "check a CycloneDX SBOM of 10 MB / json.loads", GOAL, measure(settings.rounds(), ours, bare))
    ]
