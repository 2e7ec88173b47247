from __future__ import annotations

from dataclasses import replace

from chainloop_ci.api.runs import Check, Proof, Verification
from server.model.trust import limits_of_trust

GREEN = Verification(*(Check(Proof.YES) for _ in range(7)))


def test_r12_even_the_greenest_attestation_says_what_it_does_not_prove() -> None:
    limits = limits_of_trust(GREEN)

    assert any("SLSA" in limit for limit in limits)
    assert any("word of the job" in limit for limit in limits)


def test_r12_an_unverified_one_says_so_first() -> None:
    limits = limits_of_trust(replace(GREEN, key=Check(Proof.NOT_SHOWN)))

    assert limits[0].startswith("No registered key signed")


def test_r37_a_contract_without_requirements_is_named() -> None:
    limits = limits_of_trust(replace(GREEN, contract=Check(Proof.NOT_SHOWN)))

    assert any("asks for nothing" in limit for limit in limits)
