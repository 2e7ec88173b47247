"""The fuzz targets, over their seeds and simple damage: what the fuzzer goes on from holds at its beginning."""

from __future__ import annotations

import random

import pytest

from chainloop_ci.errors import ChainloopError
from chainloop_ci.materials.registry import MATERIALS
from tests.fuzz.targets import TARGETS, Target

ROUNDS = 60


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_damaged_seeds_are_read_or_refused_with_an_error_of_ours(target: Target) -> None:
    chance = random.Random(target.name)
    inputs = [b"", b"\0", *target.seeds, *(damage(chance, seed) for seed in target.seeds for _ in range(ROUNDS))]

    for raw in inputs:
        try:
            target.run(raw)
        except ChainloopError as refusal:
            assert refusal.message


def test_every_document_type_is_fuzzed_from_a_real_seed() -> None:
    checked = {kind.type.value.lower().replace("_", "-") for kind in MATERIALS if kind.check is not None}

    assert checked <= {name for name, target in TARGETS.items() if target.seeds}


@pytest.mark.parametrize(
    "name",
    [
        "contract",
        "bundle-strict",
        "statement",
        "project-file",
        "sarif",
        "junit-xml",
        "cue-report",
        "pod-labels",
        "content-check-answer",
        "oci-layout",
        "oci-archive",
        "image-file",
        "registry-login",
        "checksums",
        "artifact-list",
        "pattern",
        "inbound-github",
        "inbound-github-form",
        "inbound-gitlab",
        "inbound-generic",
        "ci-github",
        "ci-gitlab",
        "path-pattern",
        "source",
        "forge-answer",
        "audit-file",
        "audit-manifest",
    ],
)
def test_the_first_seed_of_a_parser_is_accepted(name: str) -> None:
    target = TARGETS[name]

    assert target.run(target.seeds[0]) is not None


def damage(chance: random.Random, seed: bytes) -> bytes:
    """Return the seed with a byte flipped, a part left out or a part twice."""
    at, length = chance.randrange(len(seed)), chance.randrange(1, 9)
    match chance.randrange(3):
        case 0:
            return seed[:at] + bytes([chance.randrange(256)]) + seed[at + 1 :]
        case 1:
            return seed[:at] + seed[at + length :]
        case _:
            return seed[: at + length] + seed[at:]
