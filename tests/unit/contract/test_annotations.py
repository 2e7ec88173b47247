"""Names that only Chainloop gives."""

from __future__ import annotations

import pytest

from chainloop_ci.contract.annotations import is_reserved_annotation


@pytest.mark.parametrize("name", ["chainloop.x", "Chainloop.x", "CHAINLOOP.material.name", "chainloop."])
def test_a_name_of_ours_is_reserved_in_every_case(name):
    assert is_reserved_annotation(name)


@pytest.mark.parametrize("name", ["chainloop", "chainloop_x", "my.chainloop.x", ""])
def test_another_name_is_free(name):
    assert not is_reserved_annotation(name)
